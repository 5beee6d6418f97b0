/** Blocks of WebAssembly memory: who holds which bytes. */
import { VeloError } from '@velojs/core';

const PAGE = 65_536;
const MAX_PAGES = 65_536;
/** SIMD loads want 16, cache lines 64. */
const ALIGNMENT = 64;
/** Kernels may read, never write, this far past the end of an array. */
export const OVERREAD = 64;

interface Free {
  address: number;
  bytes: number;
}

/** Best fit over a list of free blocks in the order of memory; neighbours join. */
export class Heap {
  readonly memory: WebAssembly.Memory;
  /** In the order of addresses, never adjacent. */
  readonly #free: Free[] = [];
  #bytesInUse = 0;
  /** Everything from here on was never handed out. */
  #top: number;

  /** @param base where the blocks begin; what lies below is someone else's. 0 is never handed out. */
  constructor(memory: WebAssembly.Memory, base = 0) {
    this.memory = memory;
    this.#top = aligned(Math.max(base, 1));
  }

  /** Bytes handed out. */
  get bytesInUse(): number {
    return this.#bytesInUse;
  }

  /** Address of a block with room for `bytes`; its contents are whatever was there. @throws VeloError `OUT_OF_MEMORY` */
  allocate(bytes: number): number {
    const needed = blockBytes(bytes);
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const { bytes: found } = this.#free[i]!;
      if (found >= needed && (best < 0 || found < this.#free[best]!.bytes)) best = i;
    }
    let address: number;
    if (best >= 0) {
      const block = this.#free[best]!;
      address = block.address;
      if (block.bytes === needed) this.#free.splice(best, 1);
      else {
        block.address += needed;
        block.bytes -= needed;
      }
    } else {
      address = this.#top;
      this.#reach(address + needed);
      this.#top = address + needed;
    }
    this.#bytesInUse += needed;
    return address;
  }

  /** The block at `address`, which was allocated for `requested` bytes, may be handed out again. */
  release(address: number, requested: number): void {
    const bytes = blockBytes(requested);
    let at = 0;
    for (let end = this.#free.length; at < end; ) {
      const middle = (at + end) >> 1;
      if (this.#free[middle]!.address < address) at = middle + 1;
      else end = middle;
    }
    const before = this.#free[at - 1];
    const after = this.#free[at];
    if ((before && before.address + before.bytes > address) || address + bytes > (after?.address ?? this.#top)) {
      throw new Error(`There is no block of ${bytes} bytes at ${address}.`);
    }
    this.#bytesInUse -= bytes;
    const joinsBefore = before !== undefined && before.address + before.bytes === address;
    const joinsAfter = after !== undefined && address + bytes === after.address;
    if (joinsBefore) {
      before.bytes += bytes + (joinsAfter ? after.bytes : 0);
      if (joinsAfter) this.#free.splice(at, 1);
    } else if (joinsAfter) {
      after.address = address;
      after.bytes += bytes;
    } else this.#free.splice(at, 0, { address, bytes });
    const last = this.#free.at(-1);
    if (last && last.address + last.bytes === this.#top) {
      this.#top = last.address;
      this.#free.pop();
    }
  }

  /** Lets the memory be at least `end` bytes long. Growing detaches the views of memory that is not shared. */
  #reach(end: number): void {
    const size = this.memory.buffer.byteLength;
    if (end <= size) return;
    const needed = Math.ceil((end - size) / PAGE);
    // By a quarter at least, so that many small tensors do not make many copies.
    const generous = Math.max(needed, Math.min(Math.ceil(size / PAGE / 4), MAX_PAGES - size / PAGE));
    for (const pages of new Set([generous, needed])) {
      try {
        this.memory.grow(pages);
        return;
      } catch {
        // Less may be left.
      }
    }
    throw new VeloError(
      'OUT_OF_MEMORY',
      `WebAssembly memory cannot grow from ${size} to ${end} bytes: train fewer parameters, or free other memory first.`,
    );
  }
}

/** What a block takes. */
const blockBytes = (requested: number) => aligned(Math.max(requested, 1) + OVERREAD);
const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
