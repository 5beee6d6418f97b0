/** Weights for velojs: the starter theta, and files of theta and of optimizer state. */
export { checkpointFromTheta, thetaFromCheckpoint } from './checkpoint-tree.ts';
export { readSafetensors, type Safetensors, type SafetensorsTensor, writeSafetensors } from './safetensors.ts';
export { starterTheta } from './starter-theta.ts';
export { decodeState, encodeState } from './state-file.ts';
export { decodeTheta, encodeTheta, type ThetaMetadata } from './theta-file.ts';
