/** Tensors in host memory, updated in place. */
import { type Backend, type Shape, VeloError } from '@velojs/core';
import { arrayOperations } from '@velojs/core/typed-arrays';
import { createKernels } from './kernels/kernels.ts';
import { CpuTensor } from './tensor.ts';

export interface CpuBackend extends Backend<CpuTensor> {
  /**
   * A tensor over `values` without a copy: given to `createVelo` as a parameter, every step updates `values` in place.
   *
   * @param values row-major; they stay the caller's. Who writes to them between steps tells the optimizer by
   *   `velo.setParameters(velo.parameters)`, or it goes on with the old values' statistics for one step.
   * @throws VeloError `SHAPE_MISMATCH` where they do not fill `shape`.
   */
  wrap(values: Float32Array, shape: Shape): CpuTensor;
}

/**
 * VeLO on typed arrays, in plain JavaScript: float32 state, double precision in between. One thread; runs everywhere.
 *
 * Tensors are garbage collected, so scopes have nothing to free; a handle that was disposed of throws when it is used.
 *
 * @example
 * ```ts
 * const backend = cpu();
 * const weights = new Float32Array(784 * 10);
 * const velo = createVelo({ backend, theta, parameters: { w: backend.wrap(weights, [784, 10]) }, totalSteps: 1_000 });
 * velo.step({ w: gradient }, loss); // weights have changed
 * ```
 */
export function cpu(): CpuBackend {
  return {
    name: 'cpu',
    arithmetic: 'float64',
    kernels: createKernels(),

    isTensor: (value) => value instanceof CpuTensor,
    tensor: (values, shape) => new CpuTensor(new Float32Array(values), shape),
    wrap: (values, shape) => new CpuTensor(values, shape, true),
    borrow: (values, shape) => new CpuTensor(values, shape),
    peek: (tensor) => tensor.values,
    read: async (tensors) => tensors.map(({ values }) => new Float32Array(values)),
    dispose: (tensor) => tensor.dispose(),
    // What outlives a scope is state.
    keep: (tensor) => tensor.store(),
    synchronize: async () => {},

    scope(body) {
      const result = body();
      if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
        throw new VeloError('SCOPE_ASYNC', 'The body of a scope must not be asynchronous: read before or after it.');
      }
      return result;
    },

    own: (tensor) => (tensor.wrapped ? tensor : new CpuTensor(new Float32Array(tensor.values), tensor.shape)),
    replace(state, next) {
      if (next === state) return state;
      const target = state.store().values;
      const values = next.values;
      if (target.length !== values.length) {
        throw new VeloError(
          'SHAPE_MISMATCH',
          `A tensor of shape [${state.shape}] cannot take values of [${next.shape}].`,
        );
      }
      target.set(values);
      next.dispose();
      return state;
    },

    ...arrayOperations((values, shape) => new CpuTensor(values, shape)),
    // Shares memory with `x`.
    reshape: (x, shape) => new CpuTensor(x.values, shape),
  };
}
