/** A tensor is a shape over a block of WebAssembly memory, or over what a composed operation has left on the host. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import type { Values } from '@velojs/core/typed-arrays';

/** Float32 values in WebAssembly memory, shared by the handles that alias them. */
export interface Block {
  readonly address: number;
  readonly length: number;
  /** Whether it was made by `wrap`, so that others hold views of it: its address never changes. */
  readonly wrapped: boolean;
  handles: number;
  /** The last command that reads or writes it; see `Commands`. */
  usedBy: number;
}

export type Storage = Block | Float64Array;

/** What a handle asks of its backend. */
export interface Memory {
  view(block: Block): Float32Array;
}

/** Create one with `backend.tensor` or `backend.wrap`. */
export class WasmTensor {
  readonly shape: Shape;
  readonly #memory: Memory;
  #storage: Storage | null;

  constructor(memory: Memory, storage: Storage, shape: Shape) {
    if (storage.length !== sizeOf(shape)) {
      throw new VeloError('SHAPE_MISMATCH', `${storage.length} values do not fill the shape [${shape}].`);
    }
    this.shape = [...shape];
    this.#memory = memory;
    this.#storage = storage;
  }

  /**
   * The values, row-major. Of parameters and other state: the memory itself, which every update overwrites. Ask again
   * after steps and after making tensors: a view is detached when the memory grows.
   *
   * On a page's main thread with threads, the values as of the last step only after `await velo.synchronize()`; asking
   * earlier waits, and the page stands still meanwhile.
   *
   * @throws VeloError `DISPOSED`
   */
  get data(): Float32Array {
    const values = this.values;
    return values instanceof Float32Array ? values : new Float32Array(values);
  }

  /** As `data`, but in the precision they are held in. */
  get values(): Values {
    const storage = this.storage;
    return storage instanceof Float64Array ? storage : this.#memory.view(storage);
  }

  /** @throws VeloError `DISPOSED` */
  get storage(): Storage {
    if (this.#storage !== null) return this.#storage;
    throw new VeloError('DISPOSED', `A tensor of shape [${this.shape}] was used after it was disposed of.`);
  }

  /** Takes other storage, or none. Counting handles is the backend's. */
  set storage(storage: Storage | null) {
    this.#storage = storage;
  }
}
