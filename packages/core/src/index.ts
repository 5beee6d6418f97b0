export {
  type AdvancedAccumulators,
  accumulatorShapes,
  advanceAccumulators,
  factorScales,
  planeAxes,
} from './accumulators.ts';
export type { Backend, BinaryOp, HostLeaf, ReduceOp, Shape, Tensor, Tree, UnaryOp } from './backend.ts';
export { createVelo, type TensorInspection, type Velo, type VeloOptions } from './create-velo.ts';
export { VeloError, type VeloErrorCode } from './errors.ts';
export { type Factored, factoredAxes, type Geometry, geometryOf, sizeOf } from './geometry.ts';
export { type AccumulationState, withGradientAccumulation } from './gradient-accumulation.ts';
export type { GradientInput, Like, ParameterInput } from './inputs.ts';
export type {
  Accumulators,
  ControllerInputs,
  ControllerOutputs,
  HostKernels,
  Kernels,
  LossInputs,
  LossOutputs,
  Slot,
  SlotUpdate,
} from './kernels.ts';
export {
  createLossBuffer,
  type DeviceLossBuffer,
  type HostLossBuffer,
  hostLossFeatures,
  type LossBuffer,
  lossCorrections,
  lossDecays,
  pushHostLoss,
} from './loss-buffer.ts';
export type { Gradients, LossKind, Optimizer } from './optimizer.ts';
export { inputScales, mlpInputs, mlpStep, parameterScale } from './per-parameter-mlp.ts';
export { composedKernels, resolveKernels, withKernels, withoutKernels } from './resolve-kernels.ts';
export { type ScalarReduction, scalarBinary, scalarReduce, scalarUnary } from './scalar-operations.ts';
export { Scopes } from './scopes.ts';
export { type ExportedState, thetaChecksum } from './state.ts';
export { STATISTICS, STATISTICS_LENGTH, tensorStatistics } from './statistics.ts';
export { fractionFeatures, logMagnitude, rankFeatures, tensorFeatures } from './tensor-features.ts';
export {
  adoptTheta,
  createTheta,
  type DeadLeaf,
  type DeviceTheta,
  type FoldedTheta,
  foldTheta,
  type HostTensor,
  MLP_LAYOUT,
  MLP_LENGTH,
  MLP_ROW,
  type Theta,
  type ThetaLeaf,
  thetaShapes,
  uploadTheta,
} from './theta.ts';
export { accumulationSteps, checkTotalSteps, MAX_TRAINING_STEPS, stepsFor } from './total-steps.ts';
export { keepTree, leavesOf, mapTree, replaceTree, tensorsOf } from './tree.ts';
export { type VeloState, velo } from './velo.ts';
export { withWeightDecay } from './weight-decay.ts';
