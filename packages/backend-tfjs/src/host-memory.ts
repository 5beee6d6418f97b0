/** Where tfjs's tensors are memory of the host: its backends `cpu` and `wasm`. */
import * as tf from '@tensorflow/tfjs-core';
import type { HostKernels, Slot } from '@velojs/core';
import { cpuMemory, isCpuBackend } from './cpu-memory.ts';
import { isWasmBackend, wasmMemory } from './wasm-memory.ts';

export interface HostMemory {
  /** The values themselves, of a live tensor; until the next allocation. */
  peek(tensor: tf.Tensor): Float32Array;
  /** Another handle shares the values, which are here: tfjs copies neither for `clone` and `reshape` nor for `assign`. */
  isShared(tensor: tf.Tensor): boolean;
  /** A tensor over `values` without a copy, where tfjs keeps tensors as such arrays. */
  borrow?(values: Float32Array, shape: readonly number[]): tf.Tensor;
  firstNaN?(tensor: tf.Tensor): number;
  /** Gives back what was made of tensors that are gone. */
  sweep?(): void;
  readonly kernels: HostKernels<tf.Tensor>;
}

/** Null where values are on a device, or kept in a way that is not known here. */
export function hostMemoryOf(backend: tf.KernelBackend): HostMemory | null {
  const memory = isCpuBackend(backend) ? cpuMemory(backend) : isWasmBackend(backend) ? wasmMemory(backend) : null;
  if (!memory) return null;
  const { controller, update } = memory.kernels;
  /** What is donated may be overwritten, unless others hold the same values. */
  const alone = (tensor: tf.Tensor) => {
    // First, because it brings values that were used on another backend, and with them the count of their handles.
    const values = memory.peek(tensor);
    return memory.isShared(tensor) ? tf.tensor(values.slice(), tensor.shape, 'float32') : tensor;
  };
  const donated = (slot: Slot<tf.Tensor>): Slot<tf.Tensor> => {
    const { moments, rows, columns } = slot.accumulators;
    return {
      ...slot,
      parameter: alone(slot.parameter),
      accumulators: { moments: alone(moments), rows: alone(rows), columns: columns && alone(columns) },
    };
  };
  return { ...memory, kernels: { controller, update: (slots, mlp) => update(slots.map(donated), mlp) } };
}
