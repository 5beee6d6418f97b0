export { type CpuBackend, cpu } from './backend.ts';
export type { CpuTensor } from './tensor.ts';
