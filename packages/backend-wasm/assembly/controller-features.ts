/** First phase of the controller: the 30 features of every tensor and the pool (SPEC sections 7 and 8). */
import {
  COMMON,
  COMMON_DEPTH,
  commonOf,
  gateBuffer,
  headInputs,
  hiddenIn,
  hiddenSize,
  OWN,
  ownDepth,
  ownInputs,
  packedOf,
  poolPanels,
  ranksOf,
  sharedInputs,
  statisticsOf,
  tensorCount,
} from './controller-call';
import { poolPanel } from './controller-theta';
import { log } from './functions';
import { blockHeight, multiplyPanel, PANEL_ROW_BYTES, paddedDepth, panelBytes } from './matrix-product';

const RANKS: i32 = 5;
const STATISTICS_BYTES: usize = 36;

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
  const bias = poolPanel(packedOf(call), panel);
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
