/** The front door: core's `createVelo` with a backend and a theta chosen for you. */
import type { WebgpuTensor } from '@velojs/backend-webgpu';
import {
  type Backend,
  type VeloOptions as CoreOptions,
  createVelo as createCoreVelo,
  type Like,
  type ParameterInput,
  type Tensor,
  type Theta,
  type Velo,
  VeloError,
} from '@velojs/core';
import { veloMini } from '@velojs/weights';
import { type BackendName, chooseBackend, type ReadableTensor } from './choose-backend.ts';

export interface VeloOptions<T extends Tensor, P extends Like<P, ParameterInput<T>>>
  extends Omit<CoreOptions<T, P>, 'backend' | 'theta'> {
  /**
   * Where the optimizer runs: a backend, or the name of one. Default: `wasm`, or `cpu` where there is no WebAssembly
   * SIMD. On both a parameter's values are `velo.parameters[name].data`: ask again after every step. `webgpu` runs on the
   * GPU, in Node with the package `webgpu`; values come from `await velo.backend.read([velo.parameters[name]])`.
   */
  readonly backend?: Backend<T> | BackendName;
  /**
   * The weights of the optimizer, such as `await loadTheta('velo')`; default `veloMini()`, which is small and part of the
   * package.
   */
  readonly theta?: Theta;
}

/**
 * Creates an optimizer for one training. It has no learning rate.
 *
 * A promise, unlike core's `createVelo`: backends and weights that are chosen for you may take time to start.
 *
 * @param options.parameters initial values by name or as a list: `Float32Array`s (vectors), `{ shape, data }`, or tensors
 *   of the backend. They are copied; the trained values are `velo.parameters`.
 * @param options.totalSteps how often `step` will be called in this training; see `stepsFor`.
 * @throws VeloError `INVALID_ARGUMENT`, `WEIGHTS_INVALID`, `EMPTY_TENSOR`, `SHAPE_MISMATCH`, `NON_FINITE`,
 *   `BACKEND_UNAVAILABLE`, `OUT_OF_MEMORY`
 * @see arXiv 2211.09760
 * @example
 * ```ts
 * const velo = await createVelo({ parameters: { w: Float32Array.of(0.1, 0.2, -0.1) }, totalSteps: 500 });
 * for (let i = 0; i < 500; i++) {
 *   const { loss, gradient } = lossAndGradient(velo.parameters.w.data);
 *   velo.step({ w: gradient }, loss);
 * }
 * ```
 */
export function createVelo<const P extends Like<P, ParameterInput<WebgpuTensor>>>(
  options: Omit<VeloOptions<WebgpuTensor, P>, 'backend'> & { readonly backend: 'webgpu' },
): Promise<Velo<WebgpuTensor, P>>;
export function createVelo<const P extends Like<P, ParameterInput<T>>, T extends Tensor = ReadableTensor>(
  options: VeloOptions<T, P>,
): Promise<Velo<T, P>>;
export async function createVelo<const P extends Like<P, ParameterInput<T>>, T extends Tensor>(
  options: Omit<VeloOptions<T, P>, 'backend'> & { readonly backend?: Backend<T> | BackendName | 'webgpu' },
): Promise<Velo<T, P>> {
  const { backend: given, theta = veloMini() } = options;
  for (const [name, value] of Object.entries({ backend: given, theta })) {
    if (typeof value === 'function' || typeof (value as { then?: unknown } | undefined)?.then === 'function') {
      const call =
        typeof value === 'function' ? 'a function: call it, and await what it returns' : 'a promise: await it';
      throw new VeloError('INVALID_ARGUMENT', `The ${name} is ${call}.`);
    }
  }
  const isNamed = given === undefined || typeof given === 'string';
  // Where none is given, T is the type of those chosen from.
  const backend = isNamed ? ((await chooseBackend(given)) as unknown as Backend<T>) : given;
  return createCoreVelo({ ...options, backend, theta });
}
