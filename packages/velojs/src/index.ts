export { type CpuBackend, type CpuTensor, cpu } from '@velojs/backend-cpu';
export { type WasmBackend, type WasmOptions, type WasmTensor, wasm } from '@velojs/backend-wasm';
export type { WebgpuBackend, WebgpuOptions, WebgpuTensor } from '@velojs/backend-webgpu';
export {
  type Backend,
  createTheta,
  type ExportedState,
  type GradientInput,
  type HostTensor,
  type Like,
  type ParameterInput,
  stepsFor,
  type Tensor,
  type TensorInspection,
  type Theta,
  type Velo,
  VeloError,
  type VeloErrorCode,
} from '@velojs/core';
export {
  type DownloadProgress,
  decodeState,
  decodeTheta,
  encodeState,
  encodeTheta,
  type LoadOptions,
  listWeights,
  loadTheta,
  readTheta,
  starterTheta,
  type ThetaFormat,
  type ThetaSource,
  veloMini,
  type WeightsEntry,
  writeTheta,
} from '@velojs/weights';
export type { BackendName, ReadableTensor } from './choose-backend.ts';
export { createVelo, type VeloOptions } from './create-velo.ts';
