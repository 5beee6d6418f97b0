import type { Tensor } from '@velojs/core';
import { type WasmBackend, type WasmOptions, wasm } from './index.ts';

/** What the suite of all backends asks about one of the builds. */
export const underTest = (options: WasmOptions) => ({
  create: (): Promise<WasmBackend> => wasm(options),
  liveTensors: (backend: { isTensor(value: unknown): value is Tensor }): number => (backend as WasmBackend).liveTensors,
  skip: {
    compiledCount: 'all kernels are compiled when the backend is made',
    hostMemory: 'gradients are copied into WebAssembly memory, so nothing is borrowed',
  },
});
