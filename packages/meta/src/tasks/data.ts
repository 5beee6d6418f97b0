/** Examples that are made, not brought. */
import type { Examples } from '../dense/network.ts';
import type { Random } from '../random.ts';

/** What a network is trained on, and as good examples that it never sees. */
export interface Data {
  readonly training: Examples;
  readonly validation: Examples;
}

/** How many examples are made. */
export interface Counts {
  /** For training: 512. */
  readonly trainingCount?: number;
  /** For validation: 256. */
  readonly validationCount?: number;
}

export const total = ({ trainingCount = 512, validationCount = 256 }: Counts): number =>
  trainingCount + validationCount;

/** The first `trainingCount` examples and the others. */
export function split(inputs: Float32Array, targets: Float32Array, counts: Counts): Data {
  const count = total(counts);
  const trainingCount = counts.trainingCount ?? 512;
  const [width, targetWidth] = [inputs.length / count, targets.length / count];
  const part = (from: number, to: number): Examples => ({
    count: to - from,
    inputs: inputs.subarray(from * width, to * width),
    targets: targets.subarray(from * targetWidth, to * targetWidth),
  });
  return { training: part(0, trainingCount), validation: part(trainingCount, count) };
}

/** Shifts and scales each column of `[rows, columns]` to mean 0 and deviation 1, in place. Constant ones become 0. */
export function standardise(values: Float32Array, columns: number): Float32Array {
  const rows = values.length / columns;
  for (let column = 0; column < columns; column++) {
    let sum = 0;
    for (let i = column; i < values.length; i += columns) sum += values[i]!;
    const mean = sum / rows;
    let squares = 0;
    for (let i = column; i < values.length; i += columns) squares += (values[i]! - mean) ** 2;
    const factor = squares > 0 ? 1 / Math.sqrt(squares / rows) : 0;
    for (let i = column; i < values.length; i += columns) values[i] = (values[i]! - mean) * factor;
  }
  return values;
}

/** Gives this share of the labels another class, or the same, at random, in place. */
export function confuse(labels: Float32Array, classes: number, share: number, random: Random): void {
  if (share === 0) return;
  for (let i = 0; i < labels.length; i++) if (random.chance(share)) labels[i] = random.integer(classes);
}

/** Adds normal numbers of this deviation, in place. */
export function blur(values: Float32Array, deviation: number, random: Random): void {
  if (deviation === 0) return;
  const noise = random.normals(new Float32Array(values.length), deviation);
  for (let i = 0; i < values.length; i++) values[i] = values[i]! + noise[i]!;
}

/** product `[rows, columns]` of a `[rows, depth]` and b `[depth, columns]`. */
export function multiply(a: Float32Array, b: Float32Array, depth: number): Float32Array {
  const [rows, columns] = [a.length / depth, b.length / depth];
  const product = new Float32Array(rows * columns);
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    for (let k = 0; k < depth; k++) {
      const factor = a[row * depth + k]!;
      for (let column = 0; column < columns; column++) sums[column] = sums[column]! + factor * b[k * columns + column]!;
    }
    product.set(sums, row * columns);
  }
  return product;
}
