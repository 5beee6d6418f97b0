export { type WebgpuBackend, type WebgpuOptions, webgpu } from './backend.ts';
export type { WebgpuTensor } from './tensor.ts';
