/** Tasks made of other tasks, so that an optimizer meets more than the scales that initialisations happen to have. */
import { sizeOf, VeloError } from '@velojs/core';
import { derive, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';

/**
 * The same task with parameters in other units: the optimizer sees `p / scales[j]` for tensor j, and gradients times
 * `scales[j]`; losses are the same. Celo's augmentation (Moudgil et al. 2025): it changes what an optimizer does as far
 * as that depends on the sizes of parameters, and asks it to find a step size for every tensor.
 *
 * @param scales positive numbers, one per tensor.
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const harder = reparametrised(task, task.shapes.map((_, j) => (j === 0 ? 5 : 0.2)));
 * ```
 */
export function reparametrised(task: Task, scales: readonly number[]): Task {
  if (scales.length !== task.shapes.length || !scales.every(isPositive)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `${task.name} needs ${task.shapes.length} positive scales, one per tensor, and was given [${scales.join(', ')}].`,
    );
  }
  const originals = task.shapes.map((shape) => new Float32Array(sizeOf(shape)));
  const toOriginals = (parameters: readonly Float32Array[]) => {
    for (let j = 0; j < originals.length; j++) multiply(parameters[j]!, scales[j]!, originals[j]!);
    return originals;
  };
  return {
    name: `${task.name}, tensors x${rounded(Math.min(...scales))} to x${rounded(Math.max(...scales))}`,
    shapes: task.shapes,
    initialParameters: (key) =>
      task.initialParameters(key).map((values, j) => multiply(values, 1 / scales[j]!, values)),
    lossAndGradients(parameters, gradients, key, step) {
      const loss = task.lossAndGradients(toOriginals(parameters), gradients, key, step);
      for (let j = 0; j < gradients.length; j++) multiply(gradients[j]!, scales[j]!, gradients[j]!);
      return loss;
    },
    trainingLoss: (parameters) => task.trainingLoss(toOriginals(parameters)),
    validationLoss: (parameters) => task.validationLoss(toOriginals(parameters)),
  };
}

/**
 * The same task with every loss (of batches, training and validation) and every gradient times `factor`: what a sum in
 * place of a mean does. Ratios of losses stay as they are.
 *
 * @param factor positive.
 * @throws VeloError `INVALID_ARGUMENT`.
 */
export function scaledLoss(task: Task, factor: number): Task {
  if (!isPositive(factor)) {
    throw new VeloError('INVALID_ARGUMENT', `The factor of a loss must be a positive number, not ${factor}.`);
  }
  return {
    name: `${task.name}, loss x${rounded(factor)}`,
    shapes: task.shapes,
    initialParameters: (key) => task.initialParameters(key),
    lossAndGradients(parameters, gradients, key, step) {
      const loss = task.lossAndGradients(parameters, gradients, key, step);
      for (const gradient of gradients) multiply(gradient, factor, gradient);
      return factor * loss;
    },
    trainingLoss: (parameters) => factor * task.trainingLoss(parameters),
    validationLoss: (parameters) => factor * task.validationLoss(parameters),
  };
}

/** How often, and how far, `augmented` changes the tasks of a family. */
export interface Augmentation {
  /** The share of tasks, 0 to 1, that are reparametrised. */
  readonly reparametrise: number;
  /** Each tensor's scale is log-uniform from `1 / range` to `range`; at least 1. */
  readonly range: number;
  /** The share of tasks whose loss is multiplied, by a factor log-uniform from `low` to `high`. */
  readonly lossScale: { readonly probability: number; readonly low: number; readonly high: number };
}

/**
 * A family whose tasks are those of `family`, some of them reparametrised, some with a multiplied loss, some with both.
 * A key gives the task that it gives without augmentation, augmented.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const family = augmented(FAMILIES.quadratic, {
 *   reparametrise: 0.5,
 *   range: 5,
 *   lossScale: { probability: 0.3, low: 1e-3, high: 1e3 },
 * });
 * ```
 */
export function augmented(family: TaskFamily, { reparametrise, range, lossScale }: Augmentation): TaskFamily {
  const { probability, low, high } = lossScale;
  const sound =
    isShare(reparametrise) &&
    isPositive(range) &&
    range >= 1 &&
    isShare(probability) &&
    isPositive(low) &&
    isPositive(high) &&
    low <= high;
  if (!sound) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      'An augmentation needs reparametrise and lossScale.probability from 0 to 1, range of at least 1, and ' +
        `0 < lossScale.low <= lossScale.high; it was ${JSON.stringify({ reparametrise, range, lossScale })}.`,
    );
  }
  return {
    name: family.name,
    sample(key) {
      const random = new Random(derive(key, AUGMENTATION));
      let task = family.sample(key);
      if (random.chance(reparametrise)) {
        task = reparametrised(
          task,
          task.shapes.map(() => random.logUniform(1 / range, range)),
        );
      }
      return random.chance(probability) ? scaledLoss(task, random.logUniform(low, high)) : task;
    },
  };
}

/** No family derives a key by this number. */
const AUGMENTATION = 0xffffffff;

const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;
const isShare = (value: number): boolean => value >= 0 && value <= 1;
const rounded = (value: number): number => Number(value.toPrecision(2));

function multiply(values: Float32Array, factor: number, out: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) out[i] = factor * values[i]!;
  return out;
}
