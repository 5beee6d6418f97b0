/**
 * A call of the kernel `controller`: a record of 16 i32 that says where everything is, and what lies where in the
 * scratch that it names.
 */
import { PANEL_WIDTH, paddedDepth } from './matrix-product';

/** Features 0..17, the same for all tensors; as inputs of a product they are padded to 20. */
export const COMMON: i32 = 18;
export const COMMON_DEPTH: i32 = 20;
/** Features 18..29: mean of r, five of rank, three variances of m, three spreads of r. */
export const OWN: i32 = 12;
/** Entries of a generated network and its step factor. */
export const MLP_ROW: i32 = 160;

/** Units whose gates are computed together: one vector per gate. */
export const GROUP: i32 = 4;
/** Bytes of the gates of a group: i, g, f, o of four units. */
export const GROUP_GATES_BYTES: usize = 64;
/** Units of a chunk: what one thread takes at a time. */
export const CHUNK_UNITS: i32 = 32;

// The record, as far as it is used; words 12 to 15 are free.
@inline
export function tensorCount(call: usize): i32 {
  return load<i32>(call);
}
@inline
export function hiddenSize(call: usize): i32 {
  return load<i32>(call, 4);
}
/** [n, 9] */
@inline
export function statisticsOf(call: usize): usize {
  return load<u32>(call, 8);
}
/** [n, 5] */
@inline
export function ranksOf(call: usize): usize {
  return load<u32>(call, 12);
}
/** [1, 18] */
@inline
export function commonOf(call: usize): usize {
  return load<u32>(call, 16);
}
/** [n, H] */
@inline
export function hiddenIn(call: usize): usize {
  return load<u32>(call, 20);
}
/** [n, H] */
@inline
export function cellIn(call: usize): usize {
  return load<u32>(call, 24);
}
/** [n, 160] */
@inline
export function mlpOut(call: usize): usize {
  return load<u32>(call, 28);
}
/** [n, H] */
@inline
export function hiddenOut(call: usize): usize {
  return load<u32>(call, 32);
}
/** [n, H] */
@inline
export function cellOut(call: usize): usize {
  return load<u32>(call, 36);
}
@inline
export function packedOf(call: usize): usize {
  return load<u32>(call, 40);
}
@inline
export function scratchOf(call: usize): usize {
  return load<u32>(call, 44);
}

// Sizes that follow from H.
@inline
export function groupCount(H: i32): i32 {
  return (H + GROUP - 1) / GROUP;
}
@inline
export function poolPanels(H: i32): i32 {
  return (H + PANEL_WIDTH - 1) / PANEL_WIDTH;
}
/** Inputs of what all tensors share: common features and pool. */
@inline
export function sharedDepth(H: i32): i32 {
  return COMMON_DEPTH + paddedDepth(H);
}
/** Inputs of a tensor's own part: its features and its hidden state. */
@inline
export function ownDepth(H: i32): i32 {
  return OWN + paddedDepth(H);
}

// Scratch: shared inputs (common features | pool), one row | own inputs (own features | hidden) in blocks | new hidden
// states in blocks | per chunk of units a row of shared gates and those of n tensors.
@inline
export function sharedBytes(H: i32): usize {
  // The pool is written eight units at a time.
  return <usize>(COMMON_DEPTH + poolPanels(H) * PANEL_WIDTH) << 2;
}
@inline
export function sharedInputs(call: usize): usize {
  return scratchOf(call);
}
@inline
export function ownInputs(call: usize): usize {
  return scratchOf(call) + sharedBytes(hiddenSize(call));
}
@inline
export function headInputs(call: usize): usize {
  return ownInputs(call) + (<usize>(tensorCount(call) * ownDepth(hiddenSize(call))) << 2);
}
@inline
export function gateBuffer(call: usize, chunk: i32): usize {
  const buffers = headInputs(call) + (<usize>(tensorCount(call) * paddedDepth(hiddenSize(call))) << 2);
  return buffers + <usize>chunk * <usize>(tensorCount(call) + 1) * GROUP_GATES_BYTES;
}

/** Number of chunks of units. */
export function gateChunks(H: i32): i32 {
  return (H + CHUNK_UNITS - 1) / CHUNK_UNITS;
}

/** Bytes of scratch for n tensors. */
export function controllerScratchBytes(n: i32, H: i32): usize {
  return (
    sharedBytes(H) +
    (<usize>(n * (ownDepth(H) + paddedDepth(H))) << 2) +
    <usize>gateChunks(H) * <usize>(n + 1) * GROUP_GATES_BYTES
  );
}
