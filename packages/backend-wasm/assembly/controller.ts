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
import { log, sigmoid, sigmoidTimesTanh } from './functions';
import {
  blockHeight,
  multiplyPanel,
  multiplyPanels,
  packHalfPanel,
  PANEL_ROW_BYTES,
  PANEL_WIDTH,
  paddedDepth,
  panelBytes,
} from './matrix-product';

const FEATURES: i32 = 30;
/** Features 0..17, the same for all tensors; as inputs of a product they are padded to 20. */
const COMMON: i32 = 18;
const COMMON_DEPTH: i32 = 20;
/** Features 18..29: mean of r, five of rank, three variances of m, three spreads of r. */
const OWN: i32 = 12;
const RANKS: i32 = 5;
const STATISTICS_BYTES: usize = 36;
const MLP_ROW: i32 = 160;

/** By how many the inputs that all tensors share are more than those of a tensor's own. */
const SHARED_LEAD: i32 = COMMON_DEPTH - OWN;

/** Units whose gates are computed together: one vector per gate. */
const GROUP: i32 = 4;
/** Bytes of the gates of a group: i, g, f, o of four units. */
const GROUP_GATES_BYTES: usize = 64;
/** Units of a chunk, and columns of the heads of a chunk: what one thread takes at a time. */
const CHUNK_UNITS: i32 = 32;
const CHUNK_COLUMNS: i32 = 16;

// The call record: 16 i32.
@inline
function tensorCount(call: usize): i32 {
  return load<i32>(call);
}
@inline
function hiddenSize(call: usize): i32 {
  return load<i32>(call, 4);
}
/** [n, 9] */
@inline
function statisticsOf(call: usize): usize {
  return load<u32>(call, 8);
}
/** [n, 5] */
@inline
function ranksOf(call: usize): usize {
  return load<u32>(call, 12);
}
/** [1, 18] */
@inline
function commonOf(call: usize): usize {
  return load<u32>(call, 16);
}
/** [n, H] */
@inline
function hiddenIn(call: usize): usize {
  return load<u32>(call, 20);
}
/** [n, H] */
@inline
function cellIn(call: usize): usize {
  return load<u32>(call, 24);
}
/** [n, 160] */
@inline
function mlpOut(call: usize): usize {
  return load<u32>(call, 28);
}
/** [n, H] */
@inline
function hiddenOut(call: usize): usize {
  return load<u32>(call, 32);
}
/** [n, H] */
@inline
function cellOut(call: usize): usize {
  return load<u32>(call, 36);
}
@inline
function packedOf(call: usize): usize {
  return load<u32>(call, 40);
}
@inline
function scratchOf(call: usize): usize {
  return load<u32>(call, 44);
}

// Sizes that follow from H.
@inline
function groupCount(H: i32): i32 {
  return (H + GROUP - 1) / GROUP;
}
@inline
function poolPanels(H: i32): i32 {
  return (H + PANEL_WIDTH - 1) / PANEL_WIDTH;
}
/** Inputs of what all tensors share: common features and pool. */
@inline
function sharedDepth(H: i32): i32 {
  return COMMON_DEPTH + paddedDepth(H);
}
/** Inputs of a tensor's own part: its features and its hidden state. */
@inline
function ownDepth(H: i32): i32 {
  return OWN + paddedDepth(H);
}

// Packed theta: per pool panel (bias | common features | own features), then per group of units (biases of i g |
// of f o | shared i g | own i g | shared f o | own f o), then per panel of the heads (bias | hidden).
@inline
function poolPanelBytes(): usize {
  return PANEL_ROW_BYTES + panelBytes(COMMON_DEPTH) + panelBytes(OWN);
}
@inline
function groupBytes(H: i32): usize {
  return 2 * (PANEL_ROW_BYTES + panelBytes(sharedDepth(H)) + panelBytes(ownDepth(H)));
}
@inline
function headPanelBytes(H: i32): usize {
  return PANEL_ROW_BYTES + panelBytes(H);
}
@inline
function groupsOffset(H: i32): usize {
  return <usize>poolPanels(H) * poolPanelBytes();
}
@inline
function headsOffset(H: i32): usize {
  return groupsOffset(H) + <usize>groupCount(H) * groupBytes(H);
}

/** Bytes of a packed theta. */
export function packedThetaBytes(H: i32): usize {
  return headsOffset(H) + <usize>(MLP_ROW / PANEL_WIDTH) * headPanelBytes(H);
}

/**
 * Packs what the products read, once per theta. Sources are row-major.
 *
 * @param featureGates [30, 4H]
 * @param inputWeight [H, 4H]
 * @param recurrentWeight [H, 4H]
 * @param gateBias [1, 4H]
 * @param poolWeight [30, H]
 * @param poolBias [1, H]
 * @param heads [H, 160]
 * @param headsBias [1, 160]
 * @param packed `packedThetaBytes(H)` bytes
 */
export function packTheta(
  H: i32,
  featureGates: usize,
  inputWeight: usize,
  recurrentWeight: usize,
  gateBias: usize,
  poolWeight: usize,
  poolBias: usize,
  heads: usize,
  headsBias: usize,
  packed: usize,
): void {
  memory.fill(packed, 0, packedThetaBytes(H));
  for (let panel = 0; panel < poolPanels(H); panel++) {
    const target = packed + <usize>panel * poolPanelBytes();
    packPoolHalf(target, H, panel * PANEL_WIDTH, poolWeight, poolBias);
    packPoolHalf(target + 16, H, panel * PANEL_WIDTH + 4, poolWeight, poolBias);
  }
  for (let group = 0; group < groupCount(H); group++) {
    const target = packed + groupsOffset(H) + <usize>group * groupBytes(H);
    for (let gate = 0; gate < 4; gate++) {
      packGate(target, H, group, gate, featureGates, inputWeight, recurrentWeight, gateBias);
    }
  }
  for (let panel = 0; panel < MLP_ROW / PANEL_WIDTH; panel++) {
    const target = packed + headsOffset(H) + <usize>panel * headPanelBytes(H);
    for (let half = 0; half < 2; half++) {
      const columns = <usize>(panel * PANEL_WIDTH + half * 4) << 2;
      const at = target + <usize>half * 16;
      packHalfPanel(at, headsBias + columns, 1, 0, 4);
      packHalfPanel(at + PANEL_ROW_BYTES, heads + columns, H, MLP_ROW << 2, 4);
    }
  }
}

function packPoolHalf(target: usize, H: i32, unit: i32, poolWeight: usize, poolBias: usize): void {
  const columns = min(4, H - unit);
  const offset = <usize>unit << 2;
  const stride = <usize>H << 2;
  packHalfPanel(target, poolBias + offset, 1, 0, columns);
  target += PANEL_ROW_BYTES;
  packHalfPanel(target, poolWeight + offset, COMMON, stride, columns);
  target += panelBytes(COMMON_DEPTH);
  packHalfPanel(target, poolWeight + <usize>COMMON * stride + offset, OWN, stride, columns);
}

/** Gates i and g are the halves of one panel, f and o those of the next. */
function packGate(
  target: usize,
  H: i32,
  group: i32,
  gate: i32,
  featureGates: usize,
  inputWeight: usize,
  recurrentWeight: usize,
  gateBias: usize,
): void {
  const panel = <usize>(gate >> 1);
  const half = <usize>(gate & 1) * 16;
  const columns = min(GROUP, H - group * GROUP);
  const offset = <usize>(gate * H + group * GROUP) << 2;
  const stride = <usize>H << 4;
  packHalfPanel(target + panel * PANEL_ROW_BYTES + half, gateBias + offset, 1, 0, columns);
  target += 2 * PANEL_ROW_BYTES;
  target += panel * (panelBytes(sharedDepth(H)) + panelBytes(ownDepth(H))) + half;
  packHalfPanel(target, featureGates + offset, COMMON, stride, columns);
  packHalfPanel(target + panelBytes(COMMON_DEPTH), inputWeight + offset, H, stride, columns);
  target += panelBytes(sharedDepth(H));
  packHalfPanel(target, featureGates + <usize>COMMON * stride + offset, OWN, stride, columns);
  packHalfPanel(target + panelBytes(OWN), recurrentWeight + offset, H, stride, columns);
}

// Scratch: shared inputs (common features | pool), one row | own inputs (own features | hidden) in blocks | new hidden
// states in blocks | per chunk of units a row of shared gates and those of n tensors.
@inline
function sharedBytes(H: i32): usize {
  // The pool is written eight units at a time.
  return <usize>(COMMON_DEPTH + poolPanels(H) * PANEL_WIDTH) << 2;
}
@inline
function sharedInputs(call: usize): usize {
  return scratchOf(call);
}
@inline
function ownInputs(call: usize): usize {
  return scratchOf(call) + sharedBytes(hiddenSize(call));
}
@inline
function headInputs(call: usize): usize {
  return ownInputs(call) + (<usize>(tensorCount(call) * ownDepth(hiddenSize(call))) << 2);
}
@inline
function gateBuffer(call: usize, chunk: i32): usize {
  const buffers = headInputs(call) + (<usize>(tensorCount(call) * paddedDepth(hiddenSize(call))) << 2);
  return buffers + <usize>chunk * <usize>(tensorCount(call) + 1) * GROUP_GATES_BYTES;
}

/** Bytes of scratch for n tensors. */
export function controllerScratchBytes(n: i32, H: i32): usize {
  return (
    sharedBytes(H) +
    (<usize>(n * (ownDepth(H) + paddedDepth(H))) << 2) +
    <usize>gateChunks(H) * <usize>(n + 1) * GROUP_GATES_BYTES
  );
}

/** Everything, on one thread. */
export function controller(call: usize): void {
  controllerFeatures(call);
  const chunks = gateChunks(hiddenSize(call));
  // One buffer for all chunks stays in the cache.
  for (let chunk = 0; chunk < chunks; chunk++) chunkGates(call, chunk, gateBuffer(call, 0));
  for (let chunk = 0; chunk < headChunks(); chunk++) controllerHeads(call, chunk);
}

/** First phase, serial: inputs of the products and the pool. */
export function controllerFeatures(call: usize): void {
  const H = hiddenSize(call);
  const shared = sharedInputs(call);
  memory.copy(shared, commonOf(call), COMMON << 2);
  memory.fill(shared + (COMMON << 2), 0, (COMMON_DEPTH - COMMON) << 2);
  packOwnInputs(call);
  for (let panel = 0; panel < poolPanels(H); panel++) poolUnits(call, panel);
}

/** Own features and hidden states of all tensors, in blocks. */
function packOwnInputs(call: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  let own = ownInputs(call);
  let heads = headInputs(call);
  for (let first = 0; first < n; ) {
    const height = blockHeight(n - first);
    const step = <usize>height << 2;
    for (let row = 0; row < height; row++) {
      const tensor = first + row;
      const lane = <usize>row << 2;
      writeOwnFeatures(call, tensor, own + lane, step);
      const hidden = hiddenIn(call) + (<usize>(tensor * H) << 2);
      let at = own + lane + <usize>OWN * step;
      for (let k = 0; k < H; k++, at += step) store<f32>(at, load<f32>(hidden + (<usize>k << 2)));
      // Depth that no unit fills.
      for (let k = H; k < paddedDepth(H); k++, at += step) {
        store<f32>(at, 0);
        store<f32>(heads + lane + <usize>k * step, 0);
      }
    }
    first += height;
    own += <usize>ownDepth(H) * step;
    heads += <usize>paddedDepth(H) * step;
  }
}

/** Features 18..29 of a tensor, `step` bytes apart (SPEC section 7). */
function writeOwnFeatures(call: usize, tensor: i32, at: usize, step: usize): void {
  const row = statisticsOf(call) + <usize>tensor * STATISTICS_BYTES;
  const one = f32x4.splat(1);
  const zSquare = f32x4.div(one, f32x4.pmax(v128.load32_splat(row), f32x4.splat(1e-9)));
  const z = f32x4.sqrt(zSquare);
  // mean r and three variances of m; then three spreads of r and a number of no interest.
  // Quirk: r is scaled by z, as m is, not by z^2.
  const scale = v128.shuffle<f32>(z, zSquare, 0, 4, 5, 6);
  const first = logMagnitude(f32x4.mul(v128.load(row, 4), scale));
  const second = logMagnitude(f32x4.mul(v128.load(row, 20), zSquare));
  store<f32>(at, f32x4.extract_lane(first, 0));
  const ranks = ranksOf(call) + <usize>(tensor * RANKS) * 4;
  for (let k = 0; k < RANKS; k++) store<f32>(at + <usize>(1 + k) * step, load<f32>(ranks + (<usize>k << 2)));
  at += 6 * step;
  store<f32>(at, f32x4.extract_lane(first, 1));
  store<f32>(at + step, f32x4.extract_lane(first, 2));
  store<f32>(at + 2 * step, f32x4.extract_lane(first, 3));
  at += 3 * step;
  store<f32>(at, f32x4.extract_lane(second, 0));
  store<f32>(at + step, f32x4.extract_lane(second, 1));
  store<f32>(at + 2 * step, f32x4.extract_lane(second, 2));
}

/** L(x) = clip(ln(1e-8 + |10 x|), -5, 5) / 2. The order of arguments lets a NaN through. */
@inline
function logMagnitude(x: v128): v128 {
  const y = log(f32x4.add(f32x4.abs(f32x4.mul(x, f32x4.splat(10))), f32x4.splat(1e-8)));
  return f32x4.mul(f32x4.pmax(f32x4.pmin(y, f32x4.splat(5)), f32x4.splat(-5)), f32x4.splat(0.5));
}

/** Eight units of the pool: the largest of what the tensors have to say, at least 0. */
function poolUnits(call: usize, panel: i32): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const shared = sharedInputs(call);
  const bias = packedOf(call) + <usize>panel * poolPanelBytes();
  const common = bias + PANEL_ROW_BYTES;
  const own = common + panelBytes(COMMON_DEPTH);
  const start = gateBuffer(call, 0);
  const opinions = start + PANEL_ROW_BYTES;
  multiplyPanel(shared, 1, COMMON_DEPTH, common, COMMON_DEPTH, bias, start, 0);
  multiplyPanel(ownInputs(call), n, ownDepth(H), own, OWN, start, opinions, PANEL_ROW_BYTES);
  let left = f32x4.splat(0);
  let right = left;
  for (let tensor = 0; tensor < n; tensor++) {
    // `max`, not `pmax`: one NaN poisons the pool (SPEC section 11).
    left = f32x4.max(left, v128.load(opinions + <usize>tensor * PANEL_ROW_BYTES));
    right = f32x4.max(right, v128.load(opinions + <usize>tensor * PANEL_ROW_BYTES, 16));
  }
  const pool = shared + (COMMON_DEPTH << 2) + <usize>panel * PANEL_ROW_BYTES;
  v128.store(pool, left);
  v128.store(pool, right, 16);
}

/** Number of chunks of the second phase. */
export function gateChunks(H: i32): i32 {
  return (H + CHUNK_UNITS - 1) / CHUNK_UNITS;
}

/** Second phase: gates, cells and hidden states of a range of units. */
export function controllerGates(call: usize, chunk: i32): void {
  chunkGates(call, chunk, gateBuffer(call, chunk));
}

function chunkGates(call: usize, chunk: i32, buffer: usize): void {
  const end = min((chunk + 1) * (CHUNK_UNITS / GROUP), groupCount(hiddenSize(call)));
  for (let group = chunk * (CHUNK_UNITS / GROUP); group < end; group++) {
    groupGates(call, group, buffer);
    advanceUnits(call, group, buffer);
  }
}

/** Gates of four units: a row [i g f o] that all tensors share, and one of its own for each of them. */
function groupGates(call: usize, group: i32, buffer: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const depth = ownDepth(H);
  const shared = sharedInputs(call);
  let bias = packedOf(call) + groupsOffset(H) + <usize>group * groupBytes(H);
  let panel = bias + 2 * PANEL_ROW_BYTES;
  for (let half: usize = 0; half < 2; half++) {
    // As many of the shared inputs as are more than a tensor's own, then the others beside these.
    multiplyPanel(shared, 1, SHARED_LEAD, panel, SHARED_LEAD, bias, buffer, 0);
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

/** New cells and hidden states of four units from their gates. */
function advanceUnits(call: usize, group: i32, buffer: usize): void {
  const n = tensorCount(call);
  const H = hiddenSize(call);
  const unit = group * GROUP;
  const units = min(GROUP, H - unit);
  // Quirk: 1 is added to the forget gate at run time, on top of the stored bias.
  const sharedForget = f32x4.add(v128.load(buffer, 32), f32x4.splat(1));
  let gates = buffer + GROUP_GATES_BYTES;
  let at = <usize>unit << 2;
  let blocks = headInputs(call);
  for (let first = 0; first < n; ) {
    const height = blockHeight(n - first);
    const step = <usize>height << 2;
    let target = blocks + <usize>unit * step;
    const end = target + step;
    for (; target != end; target += 4) {
      const i = f32x4.add(v128.load(gates), v128.load(buffer));
      const g = f32x4.add(v128.load(gates, 16), v128.load(buffer, 16));
      const f = f32x4.add(v128.load(gates, 32), sharedForget);
      const o = f32x4.add(v128.load(gates, 48), v128.load(buffer, 48));
      const kept = f32x4.mul(sigmoid(f), v128.load(cellIn(call) + at));
      const cell = f32x4.add(kept, sigmoidTimesTanh(i, g));
      const hidden = sigmoidTimesTanh(o, cell);
      storeUnits(cellOut(call) + at, cell, units);
      storeUnits(hiddenOut(call) + at, hidden, units);
      spreadUnits(target, step, hidden, units);
      gates += GROUP_GATES_BYTES;
      at += <usize>H << 2;
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

/** Number of chunks of the third phase. */
export function headChunks(): i32 {
  return MLP_ROW / CHUNK_COLUMNS;
}

/** Third phase: a range of columns of the generated networks. */
export function controllerHeads(call: usize, chunk: i32): void {
  const H = hiddenSize(call);
  const panels = CHUNK_COLUMNS / PANEL_WIDTH;
  for (let panel = chunk * panels; panel < (chunk + 1) * panels; panel++) {
    const bias = packedOf(call) + headsOffset(H) + <usize>panel * headPanelBytes(H);
    const output = mlpOut(call) + <usize>panel * PANEL_ROW_BYTES;
    const depth = paddedDepth(H);
    multiplyPanel(headInputs(call), tensorCount(call), depth, bias + PANEL_ROW_BYTES, depth, bias, output, MLP_ROW << 2);
  }
}
