/** A tensor is a shape over a region of GPU memory. */
import { type Shape, VeloError } from '@velojs/core';
import type { Region } from './memory.ts';

/** Create one with `backend.tensor`, `backend.wrap` or `backend.allocate`. */
export class WebgpuTensor {
  readonly shape: Shape;
  /** Whether its owner works with the memory too: it stays where it is, and updates go there. */
  readonly wrapped: boolean;
  /** Goes up whenever values are written by other means than a fused step. */
  version = 0;
  #region: Region | null;

  constructor(region: Region, shape: Shape, wrapped = false) {
    this.shape = [...shape];
    this.wrapped = wrapped;
    this.#region = region;
  }

  /** The buffer that has the values, for shaders of your own: only of wrapped tensors does it stay the same. */
  get buffer(): GPUBuffer {
    return this.region.memory.gpu;
  }

  /** Where in `buffer` they begin, in bytes. */
  get byteOffset(): number {
    const { memory, offset } = this.region;
    return memory.start + 4 * offset;
  }

  get isDisposed(): boolean {
    return this.#region === null;
  }

  /** @throws VeloError `DISPOSED` */
  get region(): Region {
    if (this.#region !== null) return this.#region;
    throw new VeloError('DISPOSED', `A tensor of shape [${this.shape}] was used after it was disposed of.`);
  }

  /** Takes another region, or none. Counting regions is the backend's. */
  set region(region: Region | null) {
    this.#region = region;
  }
}

export const isTensor = (value: unknown): value is WebgpuTensor => value instanceof WebgpuTensor;
