import { describe, expect, it } from 'vitest';
import { type Key, keyOf, Random } from '../random.ts';
import { glyphImages, manifold } from './autoencoder.ts';
import type { Counts, Data } from './data.ts';
import { friedman, linearSigns, linearValues, sines } from './functions.ts';
import { glyphs } from './glyphs.ts';
import { blobs, rotation, spirals } from './point-clouds.ts';
import { teacherClasses, teacherValues } from './teacher.ts';

/** The generator, what each example has, and how many classes there are if targets are their numbers. */
const GENERATORS: Record<
  string,
  [(key: Key, counts: Counts) => Data, inputs: number, targets: number, classes: number]
> = {
  blobs: [(key, counts) => blobs({ dimensions: 3, classes: 4, blobsPerClass: 2, ...counts }, key), 3, 1, 4],
  spirals: [(key, counts) => spirals({ arms: 3, ...counts }, key), 2, 1, 3],
  'spirals in space': [(key, counts) => spirals({ arms: 2, dimensions: 5, ...counts }, key), 5, 1, 2],
  'teacher, classes': [(key, counts) => teacherClasses({ dimensions: 6, outputs: 5, ...counts }, key), 6, 1, 5],
  'teacher, values': [(key, counts) => teacherValues({ dimensions: 6, outputs: 2, ...counts }, key), 6, 2, 0],
  glyphs: [(key, counts) => glyphs({ ...counts }, key), 64, 1, 10],
  friedman: [(key, counts) => friedman({ dimensions: 7, ...counts }, key), 7, 1, 0],
  sines: [(key, counts) => sines({ dimensions: 2, ...counts }, key), 2, 1, 0],
  'linear values': [(key, counts) => linearValues({ dimensions: 9, outputs: 3, ...counts }, key), 9, 3, 0],
  'linear signs': [(key, counts) => linearSigns({ dimensions: 9, ...counts }, key), 9, 1, 2],
  manifold: [(key, counts) => manifold({ dimensions: 8, latentDimensions: 2, ...counts }, key), 8, 8, 0],
  'glyph images': [(key, counts) => glyphImages({ ...counts }, key), 64, 64, 0],
};

describe.each(Object.entries(GENERATORS))('%s', (_, [make, inputs, targets, classes]) => {
  const data = make(keyOf(1), {});

  it('has as many finite examples as asked for, of a size that networks start well with', () => {
    expect([data.training.count, data.validation.count]).toEqual([512, 256]);
    const few = make(keyOf(1), { trainingCount: 30, validationCount: 20 });
    expect([few.training.count, few.validation.count]).toEqual([30, 20]);
    for (const { count, ...examples } of [data.training, data.validation, few.training, few.validation]) {
      expect(examples.inputs).toHaveLength(count * inputs);
      expect(examples.targets).toHaveLength(count * targets);
      expect(examples.inputs.every(Number.isFinite) && examples.targets.every(Number.isFinite)).toBe(true);
      const square = examples.inputs.reduce((sum, x) => sum + x * x, 0) / examples.inputs.length;
      expect(square).toBeGreaterThan(0.03);
      expect(square).toBeLessThan(5);
    }
  });
  it('is the same for a key, and another for another', () => {
    expect(make(keyOf(1), {})).toEqual(data);
    expect(make(keyOf(2), {}).training.inputs).not.toEqual(data.training.inputs);
  });
  it('has targets of every class, or of deviation 1', () => {
    const values = data.training.targets;
    if (classes > 0) {
      const seen = new Set(values);
      expect([...seen].sort()).toEqual(Array.from({ length: classes }, (_, i) => i));
    } else if (targets !== inputs) {
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      expect(Math.abs(mean)).toBeLessThan(0.25);
      expect(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length).toBeCloseTo(1, 0);
    }
  });
});

describe('what the names promise', () => {
  /** The share of validation examples whose nearest training example has another class. */
  const confusion = ({ training, validation }: Data) => {
    const width = training.inputs.length / training.count;
    const row = (values: Float32Array, i: number) => values.subarray(i * width, (i + 1) * width);
    let wrong = 0;
    for (let i = 0; i < validation.count; i++) {
      const here = row(validation.inputs, i);
      let [least, label] = [Infinity, -1];
      for (let j = 0; j < training.count; j++) {
        const distance = row(training.inputs, j).reduce((sum, x, k) => sum + (x - here[k]!) ** 2, 0);
        if (distance < least) [least, label] = [distance, training.targets[j]!];
      }
      if (label !== validation.targets[i]) wrong++;
    }
    return wrong / validation.count;
  };

  it('classes can be told apart, less so with more spread or noise', () => {
    const blobsOf = (spread: number, labelNoise = 0) =>
      confusion(blobs({ dimensions: 4, classes: 5, spread, labelNoise }, keyOf(3)));
    expect(blobsOf(0.1)).toBeLessThan(0.02);
    expect(blobsOf(1.5)).toBeGreaterThan(0.2);
    expect(blobsOf(0.1, 0.5)).toBeGreaterThan(0.4);
    expect(confusion(spirals({ arms: 2, noise: 0.01 }, keyOf(3)))).toBeLessThan(0.05);
    expect(confusion(spirals({ arms: 2, noise: 0.3 }, keyOf(3)))).toBeGreaterThan(0.2);
    expect(confusion(glyphs({ variation: 0.3, noise: 0.1 }, keyOf(3)))).toBeLessThan(0.1);
    expect(confusion(glyphs({ variation: 1.5, noise: 0.5 }, keyOf(3)))).toBeGreaterThan(0.2);
  });
  it('linear inputs have the condition number that was asked for', () => {
    const [dimensions, conditionNumber] = [6, 400];
    const { training } = linearValues({ dimensions, conditionNumber, trainingCount: 8000 }, keyOf(2));
    // The largest eigenvalue by power iteration, the smallest by that of largest - covariance.
    const covariance = (vector: number[]) => {
      const result = new Array<number>(dimensions).fill(0);
      for (let i = 0; i < training.count; i++) {
        const row = training.inputs.subarray(i * dimensions, (i + 1) * dimensions);
        const along = row.reduce((sum, x, j) => sum + x * vector[j]!, 0) / training.count;
        row.forEach((x, j) => {
          result[j]! += along * x;
        });
      }
      return result;
    };
    const power = (apply: (vector: number[]) => number[]) => {
      let vector = [1, 0.9, 0.8, 0.7, 0.6, 0.5];
      let length = 1;
      for (let i = 0; i < 60; i++) {
        vector = apply(vector);
        length = Math.hypot(...vector);
        vector = vector.map((x) => x / length);
      }
      return { length, vector };
    };
    const { length: largest } = power(covariance);
    const { vector } = power((v) => covariance(v).map((x, j) => largest * v[j]! - x));
    const smallest = Math.hypot(...covariance(vector));
    expect(largest / smallest / conditionNumber).toBeCloseTo(1, 0);
  });
  it('rotations keep lengths', () => {
    const matrix = rotation(7, new Random(keyOf(1)));
    for (let i = 0; i < 7; i++) {
      for (let j = 0; j <= i; j++) {
        let product = 0;
        for (let k = 0; k < 7; k++) product += matrix[i * 7 + k]! * matrix[j * 7 + k]!;
        expect(product).toBeCloseTo(Number(i === j), 5);
      }
    }
  });
  it('images of glyphs as targets are without noise beyond black and white', () => {
    const { training } = glyphImages({ noise: 0.5 }, keyOf(4));
    expect(Math.min(...training.targets)).toBe(0);
    expect(Math.max(...training.targets)).toBe(1);
    expect(Math.min(...training.inputs)).toBeLessThan(-0.2);
  });
});
