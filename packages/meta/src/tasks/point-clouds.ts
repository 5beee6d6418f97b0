/** Points of several classes in space: Gaussian blobs and spirals. */
import { type Key, Random } from '../random.ts';
import { type Counts, confuse, type Data, multiply, split, total } from './data.ts';

export interface BlobsOptions extends Counts {
  readonly dimensions: number;
  readonly classes: number;
  /** Blobs of each class: 1. */
  readonly blobsPerClass?: number;
  /** Deviation of a blob, of centres that have deviation 1: 0.5. Along each axis up to twice as much or half. */
  readonly spread?: number;
  /** Share of the labels that are drawn anew: 0. */
  readonly labelNoise?: number;
}

/** Targets are the numbers of the classes. */
export function blobs(options: BlobsOptions, key: Key): Data {
  const { dimensions, classes, blobsPerClass = 1, spread = 0.5, labelNoise = 0 } = options;
  const random = new Random(key);
  const blobCount = classes * blobsPerClass;
  const centres = random.normals(new Float32Array(blobCount * dimensions));
  const deviations = Float32Array.from(centres, () => spread * random.logUniform(0.5, 2));
  const count = total(options);
  const inputs = random.normals(new Float32Array(count * dimensions));
  const labels = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const blob = random.integer(blobCount);
    labels[i] = blob % classes;
    for (let j = 0; j < dimensions; j++) {
      const at = blob * dimensions + j;
      inputs[i * dimensions + j] = centres[at]! + deviations[at]! * inputs[i * dimensions + j]!;
    }
  }
  confuse(labels, classes, labelNoise, random);
  return split(inputs, labels, options);
}

export interface SpiralsOptions extends Counts {
  readonly arms: number;
  /** How often an arm goes round: 1.25. */
  readonly turns?: number;
  /** Deviation from the arm, of a spiral of radius 1: 0.03. */
  readonly noise?: number;
  /** 2, or more: the plane then lies turned in a space, whose other directions hold noise. */
  readonly dimensions?: number;
  /** Deviation of the noise in those: 0.3. */
  readonly otherNoise?: number;
}

/** Spirals about one centre. Inputs are about 1 in size; targets are the numbers of the arms. */
export function spirals(options: SpiralsOptions, key: Key): Data {
  const { arms, turns = 1.25, noise = 0.03, dimensions = 2, otherNoise = 0.3 } = options;
  const random = new Random(key);
  const count = total(options);
  const labels = new Float32Array(count);
  const points = random.normals(new Float32Array(count * dimensions), otherNoise);
  for (let i = 0; i < count; i++) {
    const arm = random.integer(arms);
    labels[i] = arm;
    // The root spreads points evenly along the arm.
    const radius = Math.sqrt(random.uniform(0.01, 1));
    const angle = 2 * Math.PI * (turns * radius + arm / arms);
    points[i * dimensions] = 1.5 * (radius * Math.cos(angle) + noise * random.normal());
    points[i * dimensions + 1] = 1.5 * (radius * Math.sin(angle) + noise * random.normal());
  }
  const inputs = dimensions === 2 ? points : multiply(points, rotation(dimensions, random), dimensions);
  return split(inputs, labels, options);
}

/** A random orthogonal matrix: normal columns, made orthogonal one after the other (Gram and Schmidt). */
export function rotation(dimensions: number, random: Random): Float32Array {
  const rows: Float64Array[] = [];
  while (rows.length < dimensions) {
    const row = random.normals(new Float64Array(dimensions));
    for (const other of rows) {
      const overlap = dot(row, other);
      for (let j = 0; j < dimensions; j++) row[j] = row[j]! - overlap * other[j]!;
    }
    const length = Math.sqrt(dot(row, row));
    rows.push(row.map((value) => value / length));
  }
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
