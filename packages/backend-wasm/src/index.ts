export { type WasmBackend, type WasmOptions, wasm } from './backend.ts';
export type { WasmTensor } from './tensor.ts';
