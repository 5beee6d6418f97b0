/** The LSTM's cells and hidden states from its gates (SPEC section 8). */
import {
  cellIn,
  cellOut,
  GROUP,
  GROUP_GATES_BYTES,
  headInputs,
  hiddenOut,
  hiddenSize,
  tensorCount,
} from './controller-call';
import { sigmoid, sigmoidTimesTanh } from './functions';
import { blockHeight, paddedDepth } from './matrix-product';

/**
 * New cells of four units from their gates. Not in one loop with the hidden states: one would have to wait for the
 * other, and a processor sees no further than a few of these rows ahead.
 */
export function advanceCells(call: usize, group: i32, buffer: usize): void {
  const H = hiddenSize(call);
  const units = min(GROUP, H - group * GROUP);
  const sharedInput = v128.load(buffer);
  const sharedCandidate = v128.load(buffer, 16);
  // Quirk: 1 is added to the forget gate at run time, on top of the stored bias.
  const sharedForget = f32x4.add(v128.load(buffer, 32), f32x4.splat(1));
  const shift = cellOut(call) - cellIn(call);
  let cell = cellIn(call) + (<usize>(group * GROUP) << 2);
  let gates = buffer + GROUP_GATES_BYTES;
  const end = gates + <usize>tensorCount(call) * GROUP_GATES_BYTES;
  for (; gates != end; gates += GROUP_GATES_BYTES) {
    const i = f32x4.add(v128.load(gates), sharedInput);
    const g = f32x4.add(v128.load(gates, 16), sharedCandidate);
    const f = f32x4.add(v128.load(gates, 32), sharedForget);
    const kept = f32x4.mul(sigmoid(f), v128.load(cell));
    storeUnits(cell + shift, f32x4.add(kept, sigmoidTimesTanh(i, g)), units);
    cell += <usize>H << 2;
  }
}

/** Their hidden states, in rows for the caller and in blocks for the heads. */
export function advanceHidden(call: usize, group: i32, buffer: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const unit = group * GROUP;
  const units = min(GROUP, H - unit);
  const sharedOutput = v128.load(buffer, 48);
  const shift = hiddenOut(call) - cellOut(call);
  let cell = cellOut(call) + (<usize>unit << 2);
  let gates = buffer + GROUP_GATES_BYTES;
  let blocks = headInputs(call);
  for (let first = 0; first < n; ) {
    const height = blockHeight(n - first);
    const step = <usize>height << 2;
    let target = blocks + <usize>unit * step;
    const end = target + step;
    for (; target != end; target += 4) {
      const o = f32x4.add(v128.load(gates, 48), sharedOutput);
      const hidden = sigmoidTimesTanh(o, v128.load(cell));
      storeUnits(cell + shift, hidden, units);
      spreadUnits(target, step, hidden, units);
      gates += GROUP_GATES_BYTES;
      cell += <usize>H << 2;
    }
    first += height;
    blocks += <usize>paddedDepth(H) * step;
  }
}

/** Stores the first `units` lanes. */
@inline
function storeUnits(at: usize, value: v128, units: i32): void {
  if (units == GROUP) v128.store(at, value);
  else spreadUnits(at, 4, value, units);
}

/** Stores the first `units` lanes, `step` bytes apart. */
@inline
function spreadUnits(at: usize, step: usize, value: v128, units: i32): void {
  store<f32>(at, f32x4.extract_lane(value, 0));
  if (units > 1) store<f32>(at + step, f32x4.extract_lane(value, 1));
  if (units > 2) store<f32>(at + 2 * step, f32x4.extract_lane(value, 2));
  if (units > 3) store<f32>(at + 3 * step, f32x4.extract_lane(value, 3));
}
