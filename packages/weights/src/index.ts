/** Weights for velojs: loading them, files of theta and of optimizer state, and the starter theta. */
export { checkpointFromTheta, thetaFromCheckpoint } from './checkpoint-tree.ts';
export type { DownloadProgress, FetchedFile, FetchedWeights, LoadOptions } from './fetch-remote.ts';
export {
  inspectWeights,
  readTheta,
  type ThetaFormat,
  type WeightsInspection,
  writeTheta,
} from './formats.ts';
export { fetchWeights, loadTheta, type ThetaSource } from './load-theta.ts';
export { listWeights, type WeightsDownload, type WeightsEntry, type WeightsFile } from './registry.ts';
export { readSafetensors, type Safetensors, type SafetensorsTensor, writeSafetensors } from './safetensors.ts';
export { starterTheta } from './starter-theta.ts';
export { decodeState, encodeState } from './state-file.ts';
export { decodeTheta, encodeTheta, type ThetaMetadata } from './theta-file.ts';
export { veloMini } from './velo-mini.ts';
export type { Verification } from './verify.ts';
