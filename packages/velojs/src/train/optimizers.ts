/** The optimizers that are compared, behind one interface. */
import { type Backend, type Tensor, type Theta, type Velo, VeloError } from '@velojs/core';
import { createBaseline } from '@velojs/meta/baselines';
import { createVelo } from '../create-velo.ts';
import type { HostParameter, HostParameters } from './model.ts';

export interface Optimizer {
  /** As they are now; the arrays are updated in place or replaced by `step`. */
  readonly parameters: HostParameters;
  /** VeLO itself, to look inside; null for the others. */
  readonly velo: Velo<Tensor, Record<string, HostParameter>> | null;
  /** @returns false where the numbers have left the finite: training is over. A promise where a device is waited for. */
  step(gradients: Readonly<Record<string, Float32Array>>, loss: number): boolean | Promise<boolean>;
}

/** VeLO, Adam at a learning rate that stays or falls to 0 along half a cosine, or SGD with momentum. */
export type OptimizerSpec =
  | { readonly name: 'velo' }
  | { readonly name: 'adam'; readonly learningRate: number; readonly decay?: 'cosine' }
  | { readonly name: 'sgd'; readonly learningRate: number; readonly momentum: number };

/** Where VeLO runs, and with which weights; what `createVelo` chooses where it is left out. */
export interface VeloSettings {
  readonly backend?: Backend<Tensor>;
  readonly theta?: Theta;
}

export const ADAM_DEFAULT_RATE = 0.001;

/** Adam's learning rates: half-decades around the default. */
export const SWEEP: readonly number[] = [0.0003, 0.001, 0.003, 0.01, 0.03];

/** VeLO, then Adam at its default rate, then Adam at the other rates of the sweep. */
export function optimizersFor({ sweep }: { sweep: boolean }): OptimizerSpec[] {
  const rates = sweep ? SWEEP.filter((rate) => rate !== ADAM_DEFAULT_RATE) : [];
  return [
    { name: 'velo' },
    ...[ADAM_DEFAULT_RATE, ...rates].map((learningRate) => ({ name: 'adam' as const, learningRate })),
  ];
}

export function optimizerLabel(spec: OptimizerSpec): string {
  if (spec.name === 'velo') return 'VeLO';
  if (spec.name === 'sgd') return `SGD ${spec.learningRate}, momentum ${spec.momentum}`;
  return `Adam ${spec.learningRate}${spec.decay === 'cosine' ? ', cosine decay' : ''}`;
}

/** Starts an optimizer at a copy of `initial`, for `totalSteps` steps. */
export async function createOptimizer(
  spec: OptimizerSpec,
  initial: HostParameters,
  totalSteps: number,
  settings: VeloSettings = {},
): Promise<Optimizer> {
  if (spec.name === 'velo') return veloOptimizer(initial, totalSteps, settings);
  const parameters = Object.fromEntries(
    Object.entries(initial).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  const arrays = Object.values(parameters).map(({ data }) => data);
  const baseline = createBaseline(
    spec,
    arrays.map(({ length }) => length),
    totalSteps,
  );
  return {
    parameters,
    velo: null,
    step(gradients, loss) {
      baseline.step(
        arrays,
        Object.keys(parameters).map((name) => gradients[name]!),
      );
      return Number.isFinite(loss);
    },
  };
}

async function veloOptimizer(initial: HostParameters, totalSteps: number, settings: VeloSettings): Promise<Optimizer> {
  const velo: Velo<Tensor, Record<string, HostParameter>> = await createVelo<Record<string, HostParameter>, Tensor>({
    ...settings,
    parameters: initial,
    totalSteps,
  });
  const names = Object.keys(initial);
  const inHostMemory = (tensor: Tensor): tensor is HostParameter => 'data' in tensor;
  const unlessNotFinite = (error: unknown): false => {
    if (error instanceof VeloError && error.code === 'NON_FINITE') return false;
    throw error;
  };
  if (names.every((name) => inHostMemory(velo.parameters[name]!))) {
    return {
      velo,
      get parameters() {
        return velo.parameters as HostParameters;
      },
      step(gradients, loss) {
        try {
          velo.step(gradients, loss);
          return true;
        } catch (error) {
          return unlessNotFinite(error);
        }
      },
    };
  }
  // On a device: it is waited for after every step, since the next gradients are computed on the host.
  let parameters = initial;
  return {
    velo,
    get parameters() {
      return parameters;
    },
    async step(gradients, loss) {
      try {
        velo.step(gradients, loss);
        const values = await velo.backend.read(names.map((name) => velo.parameters[name]!));
        parameters = Object.fromEntries(
          names.map((name, j) => [name, { shape: initial[name]!.shape, data: values[j]! }]),
        );
        return true;
      } catch (error) {
        return unlessNotFinite(error);
      }
    },
  };
}
