/**
 * The controller as core composes it, map after map: what folding theta saves is measured against this. Products,
 * features and cells are those of the backend, so the two differ in the folding alone.
 *
 *     Y     = X W_keep + b_keep + pool
 *     gates = (Y | h) W_lstm + b_lstm
 *     u     = h' W_controls + b_controls
 *     mlp   = (100/K u bank | h' W_step + b_step)
 *
 * The call record is that of the backend's controller; word 12 is K.
 */
import { advanceCells, advanceHidden } from '../../packages/backend-wasm/assembly/controller-cells';
import {
  COMMON,
  COMMON_DEPTH,
  controllerScratchBytes,
  GROUP,
  GROUP_GATES_BYTES,
  gateBuffer,
  groupCount,
  headInputs,
  hiddenSize,
  MLP_ROW,
  mlpOut,
  OWN,
  ownDepth,
  ownInputs,
  packedOf,
  poolPanels,
  scratchOf,
  sharedInputs,
  tensorCount,
} from '../../packages/backend-wasm/assembly/controller-call';
import { controllerFeatures } from '../../packages/backend-wasm/assembly/controller-features';
import { packFeaturePanel, poolPanel } from '../../packages/backend-wasm/assembly/controller-theta';
import {
  blockHeight,
  multiplyPanel,
  PANEL_ROW_BYTES,
  PANEL_WIDTH,
  packHalfPanel,
  paddedDepth,
  panelBytes,
} from '../../packages/backend-wasm/assembly/matrix-product';

const BANK_MULTIPLIER: f32 = 100;
const MLP_LENGTH: i32 = 159;

@inline
function bankSize(call: usize): i32 {
  return load<i32>(call, 48);
}

// Packed: panels of the pool and, alike, of the keep layer | per group of units biases and panels of i g and of f o |
// panels of the controls | one of the step factor | those of the bank.
function keepPanel(packed: usize, H: i32, panel: i32): usize {
  return poolPanel(packed, poolPanels(H) + panel);
}
/** Inputs of the LSTM: Y and the hidden state. */
function joinedDepth(H: i32): i32 {
  return 2 * paddedDepth(H);
}
function gatePanel(packed: usize, H: i32, group: i32, half: i32): usize {
  const bytes = PANEL_ROW_BYTES + panelBytes(joinedDepth(H));
  return poolPanel(packed, 2 * poolPanels(H)) + <usize>(2 * group + half) * bytes;
}
function controlsPanels(K: i32): i32 {
  return (K + PANEL_WIDTH - 1) / PANEL_WIDTH;
}
function controlsPanel(packed: usize, H: i32, panel: i32): usize {
  return gatePanel(packed, H, groupCount(H), 0) + <usize>panel * (PANEL_ROW_BYTES + panelBytes(H));
}
function stepPanel(packed: usize, H: i32, K: i32): usize {
  return controlsPanel(packed, H, controlsPanels(K));
}
function bankPanel(packed: usize, H: i32, K: i32, panel: i32): usize {
  return controlsPanel(packed, H, controlsPanels(K) + 1) + <usize>panel * (PANEL_ROW_BYTES + panelBytes(K));
}

export function packedDirectBytes(H: i32, K: i32): usize {
  return bankPanel(0, H, K, MLP_ROW / PANEL_WIDTH);
}

/** Sources as core's `DeviceTheta` has them, row-major. */
export function packDirect(
  H: i32,
  K: i32,
  poolWeight: usize,
  poolBias: usize,
  keepWeight: usize,
  keepBias: usize,
  inputWeight: usize,
  recurrentWeight: usize,
  lstmBias: usize,
  controlsWeight: usize,
  controlsBias: usize,
  bank: usize,
  stepWeight: usize,
  stepBias: usize,
  packed: usize,
): void {
  memory.fill(packed, 0, packedDirectBytes(H, K));
  for (let panel = 0; panel < poolPanels(H); panel++) {
    packFeaturePanel(poolPanel(packed, panel), H, panel * PANEL_WIDTH, poolWeight, poolBias);
    packFeaturePanel(keepPanel(packed, H, panel), H, panel * PANEL_WIDTH, keepWeight, keepBias);
  }
  for (let group = 0; group < groupCount(H); group++) {
    for (let gate = 0; gate < 4; gate++) {
      const target = gatePanel(packed, H, group, gate >> 1) + <usize>(gate & 1) * 16;
      const columns = min(GROUP, H - group * GROUP);
      const offset = <usize>(gate * H + group * GROUP) << 2;
      packHalfPanel(target, lstmBias + offset, 1, 0, columns);
      packHalfPanel(target + PANEL_ROW_BYTES, inputWeight + offset, H, <usize>H << 4, columns);
      const recurrent = target + PANEL_ROW_BYTES + panelBytes(H);
      packHalfPanel(recurrent, recurrentWeight + offset, H, <usize>H << 4, columns);
    }
  }
  for (let panel = 0; panel < controlsPanels(K); panel++) {
    packColumns(controlsPanel(packed, H, panel), controlsWeight, H, K, panel);
    packBias(controlsPanel(packed, H, panel), controlsBias, K, panel);
  }
  packColumns(stepPanel(packed, H, K), stepWeight, H, 1, 0);
  packBias(stepPanel(packed, H, K), stepBias, 1, 0);
  for (let panel = 0; panel < MLP_ROW / PANEL_WIDTH; panel++) {
    packColumns(bankPanel(packed, H, K, panel), bank, K, MLP_LENGTH, panel);
  }
}

/** Eight columns of a matrix [rows, columns], after the place of their bias. */
function packColumns(target: usize, source: usize, rows: i32, columns: i32, panel: i32): void {
  for (let half = 0; half < 2; half++) {
    const first = panel * PANEL_WIDTH + half * 4;
    const at = target + PANEL_ROW_BYTES + <usize>half * 16;
    packHalfPanel(at, source + (<usize>first << 2), rows, <usize>columns << 2, min(4, columns - first));
  }
}

function packBias(target: usize, source: usize, columns: i32, panel: i32): void {
  packColumns(target - PANEL_ROW_BYTES, source, 1, columns, panel);
}

// Scratch: that of the backend's controller | (Y | h) in blocks | controls in rows | controls in blocks.
function joinedInputs(call: usize): usize {
  return scratchOf(call) + controllerScratchBytes(tensorCount(call), hiddenSize(call));
}
function controlsRows(call: usize): usize {
  return joinedInputs(call) + (<usize>(tensorCount(call) * joinedDepth(hiddenSize(call))) << 2);
}
function controlsBlocks(call: usize): usize {
  return controlsRows(call) + (<usize>(tensorCount(call) * controlsPanels(bankSize(call)) * PANEL_WIDTH) << 2);
}

export function directScratchBytes(n: i32, H: i32, K: i32): usize {
  return controllerScratchBytes(n, H) + (<usize>(n * (joinedDepth(H) + 2 * controlsPanels(K) * PANEL_WIDTH)) << 2);
}

/** Everything, on one thread. */
export function controllerDirect(call: usize): void {
  controllerFeatures(call);
  for (let panel = 0; panel < poolPanels(hiddenSize(call)); panel++) mixUnits(call, panel);
  joinHidden(call);
  for (let group = 0; group < groupCount(hiddenSize(call)); group++) advanceGroup(call, group);
  controls(call);
  generate(call);
}

/** Eight columns of Y. */
function mixUnits(call: usize, panel: i32): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const shared = sharedInputs(call);
  const bias = keepPanel(packedOf(call), H, panel);
  const common = bias + PANEL_ROW_BYTES;
  const start = gateBuffer(call, 0);
  const rows = start + PANEL_ROW_BYTES;
  multiplyPanel(shared, 1, COMMON_DEPTH, common, COMMON_DEPTH, bias, start, 0);
  const pool = shared + (COMMON_DEPTH << 2) + <usize>panel * PANEL_ROW_BYTES;
  v128.store(start, f32x4.add(v128.load(start), v128.load(pool)));
  v128.store(start, f32x4.add(v128.load(start, 16), v128.load(pool, 16)), 16);
  const own = common + panelBytes(COMMON_DEPTH);
  multiplyPanel(ownInputs(call), n, ownDepth(H), own, OWN, start, rows, PANEL_ROW_BYTES);
  const first = panel * PANEL_WIDTH;
  const columns = min(PANEL_WIDTH, paddedDepth(H) - first);
  spread(rows, PANEL_ROW_BYTES, n, columns, joinedInputs(call), joinedDepth(H), first);
}

/** Writes `columns` columns of `n` rows into blocks, from entry `first` of their depth on. */
function spread(rows: usize, stride: usize, n: i32, columns: i32, blocks: usize, depth: i32, first: i32): void {
  for (let row = 0; row < n; ) {
    const height = blockHeight(n - row);
    for (let lane = 0; lane < height; lane++) {
      for (let column = 0; column < columns; column++) {
        const at = blocks + (<usize>((first + column) * height + lane) << 2);
        store<f32>(at, load<f32>(rows + (<usize>column << 2)));
      }
      rows += stride;
    }
    row += height;
    blocks += <usize>(depth * height) << 2;
  }
}

/** Copies the hidden states beside Y. */
function joinHidden(call: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  for (let row = 0; row < n; ) {
    const step = <usize>blockHeight(n - row) << 2;
    const target = joinedInputs(call) + (<usize>(row * joinedDepth(H)) << 2) + <usize>paddedDepth(H) * step;
    const source = ownInputs(call) + (<usize>(row * ownDepth(H)) << 2) + <usize>OWN * step;
    memory.copy(target, source, <usize>paddedDepth(H) * step);
    row += blockHeight(n - row);
  }
}

/** Gates, cells and hidden states of four units. */
function advanceGroup(call: usize, group: i32): void {
  const H = hiddenSize(call);
  const depth = joinedDepth(H);
  const buffer = gateBuffer(call, 0);
  // Nothing is shared here.
  memory.fill(buffer, 0, GROUP_GATES_BYTES);
  for (let half = 0; half < 2; half++) {
    const bias = gatePanel(packedOf(call), H, group, half);
    const gates = buffer + GROUP_GATES_BYTES + <usize>half * PANEL_ROW_BYTES;
    const panel = bias + PANEL_ROW_BYTES;
    multiplyPanel(joinedInputs(call), tensorCount(call), depth, panel, depth, bias, gates, GROUP_GATES_BYTES);
  }
  advanceCells(call, group, buffer);
  advanceHidden(call, group, buffer);
}

/** u, in rows and then in blocks, scaled by 100 / K. */
function controls(call: usize): void {
  const n = tensorCount(call);
  const depth = paddedDepth(hiddenSize(call));
  const K = bankSize(call);
  const rows = controlsRows(call);
  const stride = <usize>(controlsPanels(K) * PANEL_WIDTH) << 2;
  for (let panel = 0; panel < controlsPanels(K); panel++) {
    const bias = controlsPanel(packedOf(call), hiddenSize(call), panel);
    const output = rows + <usize>panel * PANEL_ROW_BYTES;
    multiplyPanel(headInputs(call), n, depth, bias + PANEL_ROW_BYTES, depth, bias, output, stride);
  }
  const factor = f32x4.splat(BANK_MULTIPLIER / <f32>K);
  const end = rows + <usize>n * stride;
  for (let at = rows; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
  spread(rows, stride, n, paddedDepth(K), controlsBlocks(call), paddedDepth(K), 0);
}

/** The generated networks and their step factors. */
function generate(call: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const K = bankSize(call);
  for (let panel = 0; panel < MLP_ROW / PANEL_WIDTH; panel++) {
    const bias = bankPanel(packedOf(call), H, K, panel);
    const output = mlpOut(call) + <usize>panel * PANEL_ROW_BYTES;
    const depth = paddedDepth(K);
    multiplyPanel(controlsBlocks(call), n, depth, bias + PANEL_ROW_BYTES, depth, bias, output, MLP_ROW << 2);
  }
  const bias = stepPanel(packedOf(call), H, K);
  const factors = gateBuffer(call, 0);
  const depth = paddedDepth(H);
  multiplyPanel(headInputs(call), n, depth, bias + PANEL_ROW_BYTES, depth, bias, factors, PANEL_ROW_BYTES);
  for (let tensor = 0; tensor < n; tensor++) {
    const factor = load<f32>(factors + <usize>tensor * PANEL_ROW_BYTES);
    store<f32>(mlpOut(call) + (<usize>(tensor * MLP_ROW + MLP_LENGTH) << 2), factor);
  }
}
