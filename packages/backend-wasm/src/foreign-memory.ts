/** The kernels on WebAssembly memory of another program, for whoever holds tensors there. */
import { VeloError } from '@velojs/core';
import plain from './binaries/plain.ts';
import plainThreads from './binaries/plain-threads.ts';
import { type Commands, ownThread } from './commands.ts';
import { decode, type Kernels, type ThreadKernels } from './kernel-module.ts';

export type { Commands } from './commands.ts';
export { OVERREAD } from './heap.ts';
export type { Kernels } from './kernel-module.ts';
export { createKernels, type KernelStore, type Place } from './kernels.ts';

/**
 * The module, running on `memory` in this thread; shared memory will do. Nothing waits: 30 kB compile in some ten
 * milliseconds, and engines allow that on a page's main thread (Chromium since version 115).
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where the engine lacks SIMD, or does not compile at once.
 * @example
 * ```ts
 * const { kernels, commands } = instantiateKernels(otherProgram.memory);
 * const velo = createKernels({ machine: { kernels, commands, control: 0 }, ...whereTensorsAre });
 * ```
 */
export function instantiateKernels(memory: WebAssembly.Memory): { kernels: Kernels; commands: Commands } {
  const shared = typeof SharedArrayBuffer === 'function' && memory.buffer instanceof SharedArrayBuffer;
  try {
    const module = new WebAssembly.Module(decode(shared ? plainThreads : plain));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const kernels = exports as unknown as ThreadKernels;
    return { kernels, commands: ownThread(kernels) };
  } catch (cause) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      `The WebAssembly kernels cannot run here (${(cause as Error).message}): they need SIMD, and a content security policy that allows 'wasm-unsafe-eval'.`,
      { cause },
    );
  }
}
