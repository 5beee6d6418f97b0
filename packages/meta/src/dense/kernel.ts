/**
 * The compiled kernel and its memory: one per thread, shared by all networks, of which one at a time has its arrays in
 * it. Nothing is kept there between two calls of a network: networks come by the thousand, memories do not.
 */
import { VeloError } from '@velojs/core';
import base64 from '../binaries/dense.ts';

/** What `assembly/index.ts` exports; addresses and counts are numbers. */
interface DenseKernel {
  run(network: number, room: number, examples: number, backward: number): number;
}

/** The kernel with its memory. */
export interface DenseMemory {
  readonly kernel: DenseKernel;
  readonly memory: WebAssembly.Memory;
}

/** Where networks begin: address 0 stays unused. */
export const BASE = 64;
const PAGE = 65536;
/** Bytes: addresses are signed. */
export const MEMORY_LIMIT: number = 2 ** 31;

export const outOfMemory = (bytes: number, cause?: unknown): VeloError =>
  new VeloError(
    'OUT_OF_MEMORY',
    `A network with its batch needs ${Math.ceil(bytes / 2 ** 20)} MiB, which cannot be had: make it or its batches smaller.`,
    { cause },
  );

let loaded: DenseMemory | undefined;
let owner: object | undefined;

function load(): DenseMemory {
  const memory = new WebAssembly.Memory({ initial: 2 });
  const binary = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } });
  loaded = { kernel: exports as unknown as DenseKernel, memory };
  return loaded;
}

/** Whether the arrays in memory are those of `network`. */
export const isOwner = (network: object): boolean => owner === network;

/**
 * Gives `bytes` from `BASE` on to `network`, all zero. What others had there is lost.
 *
 * @throws VeloError `OUT_OF_MEMORY`
 */
export function claim(network: object, bytes: number): DenseMemory {
  const current = loaded ?? load();
  const missing = BASE + bytes - current.memory.buffer.byteLength;
  if (missing > 0) {
    try {
      current.memory.grow(Math.ceil(missing / PAGE));
    } catch (cause) {
      throw outOfMemory(bytes, cause);
    }
  }
  new Uint8Array(current.memory.buffer, BASE, bytes).fill(0);
  owner = network;
  return current;
}
