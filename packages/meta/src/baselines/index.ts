/** The optimizers that VeLO is compared with, on lists of arrays. Runs wherever JavaScript does. */
import { checkTotalSteps, VeloError } from '@velojs/core';
import { createAdam } from './adam.ts';
import { createRmsprop } from './rmsprop.ts';
import { createSgd } from './sgd.ts';

interface Rate {
  /** Above 0. */
  readonly learningRate: number;
  /** `cosine`: the rate falls to 0 at `totalSteps` along half a cosine. Without it the rate stays. */
  readonly decay?: 'cosine';
}

/**
 * An optimizer and its settings. Adam and AdamW have decays 0.9 and 0.999, epsilon 1e-8 and bias correction; RMSProp decay
 * 0.9 and epsilon 1e-8.
 */
export type BaselineSpec =
  | ({ readonly name: 'adam' | 'rmsprop' } & Rate)
  /** Decoupled weight decay, relative to the learning rate; default 0.01. */
  | ({ readonly name: 'adamw'; readonly weightDecay?: number } & Rate)
  /** Default momentum: 0.9. */
  | ({ readonly name: 'sgd'; readonly momentum?: number } & Rate);

export type BaselineName = BaselineSpec['name'];

export interface Baseline {
  /**
   * One step: changes `parameters` in place. They and `gradients` are as many and as long as `sizes` said, and not checked;
   * gradients are read, not kept. Values that are not finite spread, as they do in every implementation of these.
   */
  step(parameters: readonly Float32Array[], gradients: readonly Float32Array[]): void;
}

export const BASELINE_NAMES: readonly BaselineName[] = ['adam', 'adamw', 'sgd', 'rmsprop'];

/**
 * Starts an optimizer.
 *
 * @param sizes lengths of the parameter arrays.
 * @param totalSteps how many steps the schedule is for; from there on a decayed rate is 0.
 * @throws VeloError `INVALID_ARGUMENT`
 * @example
 * ```ts
 * const adam = createBaseline({ name: 'adam', learningRate: 0.01, decay: 'cosine' }, [weights.length], 1000);
 * adam.step([weights], [gradient]);
 * ```
 */
export function createBaseline(spec: BaselineSpec, sizes: readonly number[], totalSteps: number): Baseline {
  checkBaseline(spec);
  checkTotalSteps(totalSteps);
  const { learningRate, decay } = spec;
  const rateAt = decay
    ? (step: number) => (learningRate * (1 + Math.cos((Math.PI * Math.min(step, totalSteps)) / totalSteps))) / 2
    : () => learningRate;
  switch (spec.name) {
    case 'adam':
      return createAdam(sizes, rateAt, 0);
    case 'adamw':
      return createAdam(sizes, rateAt, spec.weightDecay ?? 0.01);
    case 'sgd':
      return createSgd(sizes, rateAt, spec.momentum ?? 0.9);
    case 'rmsprop':
      return createRmsprop(sizes, rateAt);
  }
}

const TITLES: Readonly<Record<BaselineName, string>> = {
  adam: 'Adam',
  adamw: 'AdamW',
  sgd: 'SGD with momentum',
  rmsprop: 'RMSProp',
};

/** The name for people, without the rate: `Adam, cosine decay`. */
export const baselineTitle = ({ name, decay }: Pick<BaselineSpec, 'name' | 'decay'>): string =>
  `${TITLES[name]}${decay ? ', cosine decay' : ''}`;

function checkBaseline(spec: BaselineSpec): void {
  const { name, learningRate, decay } = spec;
  const invalid = (message: string) => new VeloError('INVALID_ARGUMENT', message);
  if (!BASELINE_NAMES.includes(name)) {
    throw invalid(`There is no baseline "${name}"; there are ${BASELINE_NAMES.join(', ')}.`);
  }
  if (!(Number.isFinite(learningRate) && learningRate > 0)) {
    throw invalid(`A learning rate is a number above 0, not ${learningRate}.`);
  }
  if (decay !== undefined && decay !== 'cosine') {
    throw invalid(`A rate decays by "cosine" or, where decay is left out, not at all; not by "${decay}".`);
  }
  if (name === 'sgd' && !((spec.momentum ?? 0.9) >= 0 && (spec.momentum ?? 0.9) < 1)) {
    throw invalid(`Momentum is a number from 0 to below 1, not ${spec.momentum}.`);
  }
  if (name === 'adamw' && !((spec.weightDecay ?? 0) >= 0 && Number.isFinite(spec.weightDecay ?? 0))) {
    throw invalid(`Weight decay is a number from 0, not ${spec.weightDecay}.`);
  }
}
