/** The optimizers that are compared, behind one interface. */
import { VeloError } from '@velojs/core';
import { createVelo } from '../create-velo.ts';
import { createAdam } from './adam.ts';
import type { HostParameters } from './model.ts';

export interface Optimizer {
  /** As they are now; the arrays are updated in place or replaced by `step`. */
  readonly parameters: HostParameters;
  /** @returns false where the numbers have left the finite: training is over. */
  step(gradients: Readonly<Record<string, Float32Array>>, loss: number): boolean;
}

/** VeLO, or Adam at a learning rate that stays or falls to 0 along half a cosine. */
export type OptimizerSpec =
  | { readonly name: 'velo' }
  | { readonly name: 'adam'; readonly learningRate: number; readonly decay?: 'cosine' };

export const optimizerLabel = (spec: OptimizerSpec): string =>
  spec.name === 'velo' ? 'VeLO' : `Adam ${spec.learningRate}${spec.decay === 'cosine' ? ', cosine decay' : ''}`;

/** Starts an optimizer at a copy of `initial`, for `totalSteps` steps. */
export async function createOptimizer(
  spec: OptimizerSpec,
  initial: HostParameters,
  totalSteps: number,
): Promise<Optimizer> {
  if (spec.name === 'adam') {
    const { learningRate, decay } = spec;
    const adam = createAdam(initial, (step) =>
      decay === 'cosine' ? (learningRate * (1 + Math.cos((Math.PI * step) / totalSteps))) / 2 : learningRate,
    );
    return {
      parameters: adam.parameters,
      step(gradients, loss) {
        adam.step(gradients);
        return Number.isFinite(loss);
      },
    };
  }
  const velo = await createVelo({ parameters: initial, totalSteps });
  return {
    get parameters() {
      return velo.parameters;
    },
    step(gradients, loss) {
      try {
        velo.step(gradients, loss);
        return true;
      } catch (error) {
        if (error instanceof VeloError && error.code === 'NON_FINITE') return false;
        throw error;
      }
    },
  };
}
