/** Quadratic bowls of any condition number, turned, with or without noise: where every training ends. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import { derive, type Key, Random, threefry } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { named } from './naming.ts';
import { splitShapes } from './shapes.ts';

export interface QuadraticOptions {
  readonly name?: string;
  /** The vector of the bowl is these tensors, one after the other. */
  readonly shapes: readonly Shape[];
  /** Largest over smallest eigenvalue, at least 1; eigenvalues are log-uniformly spaced, the largest is 1. */
  readonly conditionNumber: number;
  /** Standard deviation of every coordinate of a batch's own minimum about the common one, at 1 or so. Default 0. */
  readonly noise?: number;
  /** Standard deviation of initial values; those of the minimum are about 1 (default 1). */
  readonly initialDeviation?: number;
  /** Gives the minimum and the rotation. */
  readonly key: Key;
}

/** Reflections that a rotation is made of: eigenvectors mix all coordinates, and a product costs 4 n per reflection. */
const REFLECTIONS = 6;

/**
 * `loss(p) = sum_i eigenvalue_i y_i^2 / (2 n)` with `y = Q (p - minimum)` and Q orthogonal. With noise, batch `step` has
 * its own `y - noise z_step` in place of y (z uniform of variance 1): gradients are noisy along the curvature, as those
 * of minibatches are, and unbiased. Training and validation loss are those without noise; the least loss is 0.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const task = quadraticTask({ shapes: [[8, 4], [8]], conditionNumber: 100, noise: 0.1, key: keyOf(1) });
 * ```
 */
export function quadraticTask(options: QuadraticOptions): Task {
  const { shapes, conditionNumber, noise = 0, initialDeviation = 1, key } = options;
  if (
    !(conditionNumber >= 1 && conditionNumber < Infinity && noise >= 0 && noise < Infinity && initialDeviation >= 0)
  ) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      'A quadratic task needs a condition number of at least 1, and noise and initial deviation of at least 0; they ' +
        `were ${conditionNumber}, ${noise} and ${initialDeviation}.`,
    );
  }
  const sizes = shapes.map(sizeOf);
  const count = sizes.reduce((sum, size) => sum + size, 0);
  const random = new Random(key);
  const minimum = random.normals(new Float32Array(count));
  const reflections = Array.from({ length: Math.min(REFLECTIONS, count) }, () =>
    unit(random.normals(new Float64Array(count))),
  );
  const eigenvalues = Float64Array.from({ length: count }, (_, i) => conditionNumber ** -(i / Math.max(1, count - 1)));
  const vector = new Float64Array(count);
  const words = new Uint32Array(count + 1);
  const amplitude = (noise * Math.sqrt(12)) / 2 ** 32;

  /** The loss; leaves `Q^T (eigenvalue y / n)`, its gradient, in `vector`. */
  const evaluate = (parameters: readonly Float32Array[], batch: Key | null, step: number): number => {
    for (let j = 0, at = 0; j < parameters.length; j++) {
      const values = parameters[j]!;
      for (let i = 0; i < values.length; i++, at++) vector[at] = values[i]! - minimum[at]!;
    }
    for (const reflection of reflections) reflect(vector, reflection);
    if (batch !== null) {
      for (let i = 0; i < count; i += 2) threefry(batch, step + 1, i, words, i);
      for (let i = 0; i < count; i++) vector[i] = vector[i]! - amplitude * (words[i]! + 0.5 - 2 ** 31);
    }
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const slope = eigenvalues[i]! * vector[i]!;
      sum += slope * vector[i]!;
      vector[i] = slope / count;
    }
    return sum / (2 * count);
  };
  const exactLoss = (parameters: readonly Float32Array[]) => evaluate(parameters, null, 0);

  return {
    name:
      options.name ??
      `quadratic of ${count} numbers, condition ${conditionNumber.toPrecision(2)}${noise > 0 ? `, noise ${noise.toPrecision(2)}` : ''}`,
    shapes,
    initialParameters(initialKey) {
      const initial = new Random(initialKey);
      return sizes.map((size) => initial.normals(new Float32Array(size), initialDeviation));
    },
    lossAndGradients(parameters, gradients, batchKey, step) {
      const loss = evaluate(parameters, noise > 0 ? batchKey : null, step);
      for (let r = reflections.length - 1; r >= 0; r--) reflect(vector, reflections[r]!);
      for (let j = 0, at = 0; j < gradients.length; j++) {
        const gradient = gradients[j]!;
        for (let i = 0; i < gradient.length; i++, at++) gradient[i] = vector[at]!;
      }
      return loss;
    },
    trainingLoss: exactLoss,
    validationLoss: exactLoss,
  };
}

/** Householder: mirrors `vector` at the plane that the unit vector `normal` stands on. */
function reflect(vector: Float64Array, normal: Float64Array): void {
  let product = 0;
  for (let i = 0; i < vector.length; i++) product += vector[i]! * normal[i]!;
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! - 2 * product * normal[i]!;
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / length);
}

/** 20 to 1,000 numbers, condition numbers 1 to 10,000, half of them noisy. */
export const quadratics: TaskFamily = {
  name: 'quadratic',
  sample(key) {
    const random = new Random(key);
    const task = quadraticTask({
      shapes: splitShapes(Math.round(random.logUniform(20, 1000)), random),
      conditionNumber: random.logUniform(1, 1e4),
      noise: random.chance(0.5) ? random.logUniform(0.01, 1) : 0,
      initialDeviation: random.logUniform(0.1, 2),
      key: derive(key, 1),
    });
    return named(task, key);
  },
};
