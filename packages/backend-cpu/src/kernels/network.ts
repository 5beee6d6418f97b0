/** The network per parameter with everything folded into its weights that is constant over a tensor (SPEC section 11). */
import { MLP_LAYOUT } from '@velojs/core';
import {
  MAGNITUDE_MULTIPLIER,
  NORMALIZER_EPSILON,
  PARAMETER_SCALE_EPSILON,
  STEP_MULTIPLIER,
} from '@velojs/core/constants';
import { add, meanSquares, SUM } from './sums.ts';

/** Entries that the loops take at a time, so that what passes between them stays in the nearest cache. */
export const TILE = 256;
/** Four planes of a tile: the sums of the first layer's units, written by its loops and read by `step`. */
export const hidden: Float64Array = new Float64Array(4 * TILE);

/**
 * Columns of the network's input that differ from entry to entry; the other 12 are factors of rows and columns.
 * In order: g, clip(g), p, r, rs, g rs, m (3), m rs (3), fac_g (3), fac_m (3), where rs = rsqrt(r + 1e-6).
 */
const COLUMNS = [0, 1, 2, 6, 10, 14, 3, 4, 5, 7, 8, 9, 11, 12, 13, 27, 28, 29];
export const INPUTS = 18;
/** `[4, 18]`: weights of the first layer for `COLUMNS`. */
export const firstLayer: Float64Array = new Float64Array(4 * INPUTS);
/** Second layer, `[4, 5]` with the bias first; then the outputs direction and magnitude, `[2, 5]` with the bias last. */
const lastLayers = new Float64Array(30);

// Loops of this file see these as constants, addresses and all, which spares them half of their checks.
const tile = hidden;

/** Weight of `column` in hidden unit `unit`, divided by the column's root mean square. */
export function firstLayerWeight(mlp: Float64Array, unit: number, column: number): number {
  const weight = mlp[MLP_LAYOUT.weight0.begin + unit * 30 + column]!;
  return weight / Math.sqrt(NORMALIZER_EPSILON + meanSquares[column]!);
}

/**
 * Folds a generated network and `meanSquares`:
 *
 * - the normaliser of a column goes into its weights, instead of multiplying every entry;
 * - relu(h) = (h + |h|) / 2 and clip(g, -c, c) = (|g + c| - |g - c|) / 2 have no branch to mispredict; the halves go
 *   into the weights that meet them;
 * - s, 0.001 and the parameter's scale go into the output weights, so that the step is direction * exp(magnitude).
 */
export function foldNetwork(mlp: Float64Array): void {
  for (const [input, column] of COLUMNS.entries()) {
    const half = column === 1 ? 1 / 2 : 1;
    for (let u = 0; u < 4; u++) firstLayer[u * INPUTS + input] = half * firstLayerWeight(mlp, u, column);
  }
  const { weight1, bias1, weight2, bias2, stepFactor } = MLP_LAYOUT;
  const scale = Math.sqrt(meanSquares[2]! + PARAMETER_SCALE_EPSILON) * STEP_MULTIPLIER * mlp[stepFactor.begin]!;
  for (let u = 0; u < 4; u++) {
    lastLayers[5 * u] = mlp[bias1.begin + u]!;
    for (let i = 0; i < 4; i++) lastLayers[5 * u + 1 + i] = mlp[weight1.begin + 4 * u + i]! / 2;
    lastLayers[20 + u] = (scale * mlp[weight2.begin + u]!) / 2;
    lastLayers[25 + u] = (MAGNITUDE_MULTIPLIER * mlp[weight2.begin + 4 + u]!) / 2;
  }
  lastLayers[24] = scale * mlp[bias2.begin]!;
  lastLayers[29] = MAGNITUDE_MULTIPLIER * mlp[bias2.begin + 1]!;
}

/** From the first layer's sums in `hidden` to new parameters, for `n` entries from `start`. */
export function step(parameter: Float32Array, start: number, stride: number, n: number): void {
  const largest = applyLastLayers(n);
  if (largest > 0.2) {
    for (let j = 0; j < n; j++) {
      tile[j] = tile[j]! * Math.exp(tile[TILE + j]!);
      tile[TILE + j] = 0;
    }
  }
  subtractStep(parameter, start, stride, n);
}

/** Leaves direction and magnitude in the first two planes; returns the largest |magnitude|. */
function applyLastLayers(n: number): number {
  const b0 = lastLayers[0]!;
  const w00 = lastLayers[1]!;
  const w01 = lastLayers[2]!;
  const w02 = lastLayers[3]!;
  const w03 = lastLayers[4]!;
  const b1 = lastLayers[5]!;
  const w10 = lastLayers[6]!;
  const w11 = lastLayers[7]!;
  const w12 = lastLayers[8]!;
  const w13 = lastLayers[9]!;
  const b2 = lastLayers[10]!;
  const w20 = lastLayers[11]!;
  const w21 = lastLayers[12]!;
  const w22 = lastLayers[13]!;
  const w23 = lastLayers[14]!;
  const b3 = lastLayers[15]!;
  const w30 = lastLayers[16]!;
  const w31 = lastLayers[17]!;
  const w32 = lastLayers[18]!;
  const w33 = lastLayers[19]!;
  const d0 = lastLayers[20]!;
  const d1 = lastLayers[21]!;
  const d2 = lastLayers[22]!;
  const d3 = lastLayers[23]!;
  const d4 = lastLayers[24]!;
  const e0 = lastLayers[25]!;
  const e1 = lastLayers[26]!;
  const e2 = lastLayers[27]!;
  const e3 = lastLayers[28]!;
  const e4 = lastLayers[29]!;
  let largest = 0;
  for (let j = 0; j < n; j++) {
    const t0 = tile[j]!;
    const t1 = tile[TILE + j]!;
    const t2 = tile[2 * TILE + j]!;
    const t3 = tile[3 * TILE + j]!;
    const h0 = t0 + Math.abs(t0);
    const h1 = t1 + Math.abs(t1);
    const h2 = t2 + Math.abs(t2);
    const h3 = t3 + Math.abs(t3);
    const u0 = b0 + w00 * h0 + w01 * h1 + w02 * h2 + w03 * h3;
    const u1 = b1 + w10 * h0 + w11 * h1 + w12 * h2 + w13 * h3;
    const u2 = b2 + w20 * h0 + w21 * h1 + w22 * h2 + w23 * h3;
    const u3 = b3 + w30 * h0 + w31 * h1 + w32 * h2 + w33 * h3;
    const o0 = u0 + Math.abs(u0);
    const o1 = u1 + Math.abs(u1);
    const o2 = u2 + Math.abs(u2);
    const o3 = u3 + Math.abs(u3);
    tile[j] = d0 * o0 + d1 * o1 + d2 * o2 + d3 * o3 + d4;
    const magnitude = e0 * o0 + e1 * o1 + e2 * o2 + e3 * o3 + e4;
    tile[TILE + j] = magnitude;
    const size = Math.abs(magnitude);
    if (size > largest) largest = size;
  }
  return largest;
}

/** exp by its Taylor polynomial: for |y| <= 0.2 the next term is below 3e-9. */
function subtractStep(parameter: Float32Array, start: number, stride: number, n: number): void {
  let squares = 0;
  let updates = 0;
  for (let j = 0, e = start; j < n; j++, e += stride) {
    const y = tile[TILE + j]!;
    const yy = y * y;
    const exp = 1 + y + yy * (1 / 2 + y * (1 / 6)) + yy * yy * (1 / 24 + y * (1 / 120) + yy * (1 / 720));
    const update = tile[j]! * exp;
    const p = parameter[e]! - update;
    parameter[e] = p;
    squares += p * p;
    updates += update * update;
  }
  add(SUM.nextParameterSquare, squares);
  add(SUM.updateSquare, updates);
}
