/** The length of training: the one thing VeLO must be told. */
import { VeloError } from './errors.ts';

/** VeLO was trained for up to about this many updates; longer trainings accumulate gradients. */
export const MAX_TRAINING_STEPS = 150_000;

/**
 * How often `step` will be called: what `totalSteps` wants to know. The last batch of an epoch may be smaller.
 *
 * @throws VeloError `INVALID_ARGUMENT` unless all three are whole numbers >= 1.
 * @example
 * ```ts
 * stepsFor({ examples: 60_000, batchSize: 128, epochs: 10 }); // 4690
 * ```
 */
export function stepsFor({
  examples,
  batchSize,
  epochs,
}: {
  readonly examples: number;
  readonly batchSize: number;
  readonly epochs: number;
}): number {
  for (const [name, value] of Object.entries({ examples, batchSize, epochs })) {
    if (!(Number.isSafeInteger(value) && value >= 1)) {
      throw new VeloError('INVALID_ARGUMENT', `${name} must be a whole number >= 1; got ${value}.`);
    }
  }
  return checkTotalSteps(Math.ceil(examples / batchSize) * epochs);
}

/** @throws VeloError `INVALID_ARGUMENT` unless it is a whole number >= 1. */
export function checkTotalSteps(totalSteps: number): number {
  if (Number.isSafeInteger(totalSteps) && totalSteps >= 1) return totalSteps;
  throw new VeloError(
    'INVALID_ARGUMENT',
    `totalSteps must be a whole number >= 1: how often step() will be called in this training; got ${totalSteps}. ` +
      'stepsFor({ examples, batchSize, epochs }) computes it.',
  );
}

/** How many steps make one update: 1 up to `maxTrainingSteps` (SPEC section 11, wrapper). */
export function accumulationSteps(totalSteps: number, maxTrainingSteps: number): number {
  if (!(Number.isSafeInteger(maxTrainingSteps) && maxTrainingSteps >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `maxTrainingSteps must be a whole number >= 1; got ${maxTrainingSteps}.`);
  }
  return Math.ceil(totalSteps / maxTrainingSteps);
}
