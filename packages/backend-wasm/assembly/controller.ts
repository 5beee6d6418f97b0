/**
 * The kernel `controller`: features, mixing, LSTM and heads of all tensors (SPEC sections 7 and 8), linear maps that
 * follow one another multiplied out beforehand (`FoldedTheta` of core):
 *
 *     pool  = max over tensors of relu(X W_pool + b_pool)
 *     gates = X (W_keep W_x) + pool W_x + h W_h + (b_keep W_x + b_lstm)
 *     mlp   = h' (100/K W_controls bank | W_step) + (100/K b_controls bank | b_step)
 *
 * 18 of the 30 features are common to all tensors. What they and the pool add to the gates is the same for every
 * tensor and computed once per step:
 *
 *     shared = (common | pool) (W_keep W_x of 0..17 | W_x) + bias
 *     gates  = shared + (own features | h) (W_keep W_x of 18..29 | W_h)
 */
import { advanceCells, advanceHidden } from './controller-cells';
import {
  CHUNK_UNITS,
  COMMON,
  COMMON_DEPTH,
  GROUP,
  GROUP_GATES_BYTES,
  gateBuffer,
  gateChunks,
  groupCount,
  headInputs,
  hiddenSize,
  MLP_ROW,
  mlpOut,
  OWN,
  ownDepth,
  ownInputs,
  packedOf,
  sharedDepth,
  sharedInputs,
  tensorCount,
} from './controller-call';
import { controllerFeatures } from './controller-features';
import { gatePanels, headPanel } from './controller-theta';
import { multiplyPanel, multiplyPanels, PANEL_ROW_BYTES, PANEL_WIDTH, paddedDepth, panelBytes } from './matrix-product';

export { controllerScratchBytes, gateChunks } from './controller-call';
export { controllerFeatures } from './controller-features';
export { packedThetaBytes, packTheta } from './controller-theta';

/** Columns of the heads that one thread takes at a time. */
const CHUNK_COLUMNS: i32 = 16;
/** By how many the inputs that all tensors share are more than those of a tensor's own. */
const SHARED_LEAD: i32 = COMMON_DEPTH - OWN;

/** Everything, on one thread. */
export function controller(call: usize): void {
  controllerFeatures(call);
  const chunks = gateChunks(hiddenSize(call));
  // One buffer for all chunks stays in the cache.
  for (let chunk = 0; chunk < chunks; chunk++) chunkGates(call, chunk, gateBuffer(call, 0));
  for (let chunk = 0; chunk < headChunks(); chunk++) controllerHeads(call, chunk);
}

/** Second phase: gates, cells and hidden states of a range of units. */
export function controllerGates(call: usize, chunk: i32): void {
  chunkGates(call, chunk, gateBuffer(call, chunk));
}

function chunkGates(call: usize, chunk: i32, buffer: usize): void {
  const end = min((chunk + 1) * (CHUNK_UNITS / GROUP), groupCount(hiddenSize(call)));
  for (let group = chunk * (CHUNK_UNITS / GROUP); group < end; group++) {
    groupGates(call, group, buffer);
    advanceCells(call, group, buffer);
    advanceHidden(call, group, buffer);
  }
}

/** Gates of four units: a row [i g f o] that all tensors share, and one of its own for each of them. */
function groupGates(call: usize, group: i32, buffer: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const depth = ownDepth(H);
  const shared = sharedInputs(call);
  let bias = gatePanels(packedOf(call), H, group);
  let panel = bias + 2 * PANEL_ROW_BYTES;
  for (let half: usize = 0; half < 2; half++) {
    // As many of the shared inputs as are more than a tensor's own, then the others beside these.
    multiplyPanel(shared, 1, SHARED_LEAD, panel, SHARED_LEAD, bias, buffer, 0);
    // A row of the panel's padding.
    const zeros = panel + <usize>COMMON * PANEL_ROW_BYTES;
    const sharedPanel = panel + <usize>SHARED_LEAD * PANEL_ROW_BYTES;
    panel += panelBytes(sharedDepth(H));
    multiplyPanels(
      ownInputs(call),
      n,
      panel,
      depth,
      zeros,
      buffer + GROUP_GATES_BYTES,
      GROUP_GATES_BYTES,
      shared + (<usize>SHARED_LEAD << 2),
      sharedPanel,
      buffer,
    );
    panel += panelBytes(depth);
    bias += PANEL_ROW_BYTES;
    buffer += PANEL_ROW_BYTES;
  }
}

/** Number of chunks of the third phase. */
export function headChunks(): i32 {
  return MLP_ROW / CHUNK_COLUMNS;
}

/** Third phase: a range of columns of the generated networks. */
export function controllerHeads(call: usize, chunk: i32): void {
  const H = hiddenSize(call);
  const n = tensorCount(call);
  const depth = paddedDepth(H);
  const panels = CHUNK_COLUMNS / PANEL_WIDTH;
  for (let panel = chunk * panels; panel < (chunk + 1) * panels; panel++) {
    const bias = headPanel(packedOf(call), H, panel);
    const output = mlpOut(call) + <usize>panel * PANEL_ROW_BYTES;
    multiplyPanel(headInputs(call), n, depth, bias + PANEL_ROW_BYTES, depth, bias, output, MLP_ROW << 2);
  }
}
