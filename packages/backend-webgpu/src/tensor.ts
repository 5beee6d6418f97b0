/** A tensor is a shape over a region of GPU memory. */
import { type Shape, VeloError } from '@velojs/core';
import type { Region } from './memory.ts';

/** Create one with `backend.tensor`, `backend.wrap` or `backend.allocate`. */
export class WebgpuTensor {
  readonly shape: Shape;
  /** Whether its owner works with the memory too: it stays where it is, and updates go there. */
  readonly wrapped: boolean;
  readonly #owner: object;
  #region: Region | null;

  constructor(owner: object, region: Region, shape: Shape, wrapped = false) {
    this.#owner = owner;
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

  isOf(owner: object): boolean {
    return this.#owner === owner;
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
