/** tfjs's backend `cpu`: every tensor is an array of JavaScript. */
import * as tf from '@tensorflow/tfjs-core';
import { hostKernels } from './host-kernels.ts';
import type { HostMemory } from './host-memory.ts';

/** What is asked of `MathBackendCPU`. */
interface CpuBackend extends tf.KernelBackend {
  readonly data: tf.DataStorage<{ values: ArrayLike<number> }>;
}

export const isCpuBackend = (backend: tf.KernelBackend): backend is CpuBackend =>
  (backend as Partial<CpuBackend>).data instanceof tf.DataStorage && 'makeTensorInfo' in backend;

export function cpuMemory(backend: CpuBackend): HostMemory {
  /** Arrays that nobody else holds: tfjs makes tensors over arrays of users without a copy. */
  const ours = new WeakSet<Float32Array>();
  // What tfjs hands out (`data`, `dataSync`, `tf.tensor(w.dataSync())`) is its reader's, too, from then on.
  const readSync = backend.readSync.bind(backend);
  backend.readSync = (dataId) => {
    const values = readSync(dataId);
    ours.delete(values as Float32Array);
    return values;
  };
  const peek = (tensor: tf.Tensor): Float32Array => {
    const data = backend.data.get(tensor.dataId);
    // Some kernels leave other arrays.
    if (!(data.values instanceof Float32Array)) data.values = Float32Array.from(data.values);
    return data.values as Float32Array;
  };
  return {
    peek,
    isShared: (tensor) => backend.refCount(tensor.dataId) > 1,
    borrow: (values, shape) => tf.tensor(values, [...shape], 'float32'),
    kernels: hostKernels(peek, (tensor) => {
      let values = peek(tensor);
      if (!ours.has(values)) {
        values = values.slice();
        ours.add(values);
        backend.data.get(tensor.dataId).values = values;
      }
      return values;
    }),
  };
}
