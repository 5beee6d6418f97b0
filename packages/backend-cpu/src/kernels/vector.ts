/**
 * The update of a scalar or vector (rank 0 or 1), whose second moments v are not factored (SPEC sections 9 and 11): one
 * pass for the averages and the mean squares of the network's inputs, one for network, step and statistics.
 */
import { MLP_LAYOUT } from '@velojs/core';
import {
  DECAYS,
  FACTORED_EPSILON,
  GRADIENT_CLIP_FEATURE,
  RSQRT_FLOOR,
  SECOND_MOMENT_DECAY,
  SECOND_MOMENT_EPSILON,
  SQUARE_EPSILON,
} from '@velojs/core/constants';
import { firstLayer, firstLayerWeight, foldNetwork, hidden, INPUTS, step, TILE } from './network.ts';
import { add, meanSquares, resetSums, SUM, shifts, writeMeanSquares } from './sums.ts';
import type { Arrays } from './update.ts';

/** The tile's 1 / (r + 1e-6), then rsqrt(r + 1e-6). */
const inverse = new Float64Array(TILE);
/** Weights of v_k and rsqrt(v_k + 1e-8), `[3, 2, 4]`. */
const ofV = new Float64Array(24);

const tile = hidden;
const PLANE = TILE;
const weights = firstLayer;
const BR = SECOND_MOMENT_DECAY;
const EPSILON = SECOND_MOMENT_EPSILON;
const LIMIT = GRADIENT_CLIP_FEATURE;
const V_EPSILON = FACTORED_EPSILON;
const E_EPSILON = SQUARE_EPSILON;
const FLOOR = RSQRT_FLOOR;

/** Leaves mean squares, sums and shifts in `sums.ts`. */
export function updateVector(arrays: Arrays): void {
  const { parameter, gradient, moments, mlp } = arrays;
  const size = parameter.length;
  resetSums(moments, gradient);
  meanSquares.fill(0);
  for (let from = 0; from < size; from += TILE) {
    const n = Math.min(TILE, size - from);
    advanceSecondMoment(arrays, from, n);
    for (let k = 0; k < 3; k++) advanceChannel(arrays, k, from, n);
  }
  // v_k is row and column at once: columns 15 + k and 18 + k are one, as 21 + k and 24 + k are.
  for (const column of [15, 16, 17, 21, 22, 23]) {
    meanSquares[column] = meanSquares[column]! / size;
    meanSquares[column + 3] = meanSquares[column]!;
  }
  writeMeanSquares(size);
  foldNetwork(mlp);
  const both = (u: number, column: number) => firstLayerWeight(mlp, u, column) + firstLayerWeight(mlp, u, column + 3);
  for (let k = 0; k < 3; k++) {
    for (let u = 0; u < 4; u++) {
      ofV[8 * k + u] = both(u, 15 + k);
      ofV[8 * k + 4 + u] = both(u, 21 + k);
    }
  }
  for (let from = 0; from < size; from += TILE) {
    const n = Math.min(TILE, size - from);
    beginFirstLayer(arrays, from, n);
    for (let k = 0; k < 3; k++) addChannel(arrays, k, from, n);
    step(parameter, from, 1, n);
  }
}

function advanceSecondMoment({ parameter, gradient, moments }: Arrays, from: number, n: number): void {
  const at = 3 * gradient.length;
  const shift = shifts[3]!;
  let shifted = 0;
  let shiftedSquare = 0;
  let inverses = 0;
  let scaledGradient = 0;
  let clip = 0;
  let gradients = 0;
  let parameters = 0;
  for (let j = 0; j < n; j++) {
    const g = gradient[from + j]!;
    const p = parameter[from + j]!;
    const square = g * g;
    const r = BR * moments[at + from + j]! + (1 - BR) * square;
    moments[at + from + j] = r;
    const q = 1 / (r + EPSILON);
    inverse[j] = q;
    const d = r - shift;
    const c = Math.abs(g + LIMIT) - Math.abs(g - LIMIT);
    shifted += d;
    shiftedSquare += d * d;
    inverses += q;
    scaledGradient += square * q;
    clip += c * c;
    gradients += square;
    parameters += p * p;
  }
  add(SUM.secondMomentShifted, shifted);
  add(SUM.secondMomentShiftedSquare, shiftedSquare);
  add(SUM.inverseSecondMoment, inverses);
  add(SUM.scaledGradientSquare, scaledGradient);
  add(SUM.doubledClipSquare, clip);
  add(SUM.gradientSquare, gradients);
  add(SUM.parameterSquare, parameters);
}

function advanceChannel({ gradient, moments, rows }: Arrays, k: number, from: number, n: number): void {
  const at = k * gradient.length + from;
  const decay = DECAYS[k]!;
  const shift = shifts[k]!;
  let shifted = 0;
  let shiftedSquare = 0;
  let scaled = 0;
  let factoredMomentum = 0;
  let factoredGradient = 0;
  let squares = 0;
  let inverses = 0;
  for (let j = 0; j < n; j++) {
    const g = gradient[from + j]!;
    const m = decay * moments[at + j]! + (1 - decay) * g;
    const v = decay * rows[at + j]! + (1 - decay) * (g * g + E_EPSILON);
    moments[at + j] = m;
    rows[at + j] = v;
    const d = m - shift;
    shifted += d;
    shiftedSquare += d * d;
    scaled += m * m * inverse[j]!;
    factoredMomentum += (m * m) / v;
    factoredGradient += (g * g) / (v + FLOOR);
    squares += v * v;
    inverses += 1 / (v + V_EPSILON);
  }
  add(SUM.momentumShifted + k, shifted);
  add(SUM.momentumShiftedSquare + k, shiftedSquare);
  add(SUM.scaledMomentumSquare + k, scaled);
  add(SUM.factoredMomentumSquare + k, factoredMomentum);
  add(SUM.factoredGradientSquare + k, factoredGradient);
  meanSquares[15 + k] = meanSquares[15 + k]! + squares;
  meanSquares[21 + k] = meanSquares[21 + k]! + inverses;
}

/** Bias and the inputs that have one channel. */
function beginFirstLayer({ parameter, gradient, moments, mlp }: Arrays, from: number, n: number): void {
  const at = 3 * gradient.length + from;
  const { begin } = MLP_LAYOUT.bias0;
  const b_0 = mlp[begin]!;
  const b_1 = mlp[begin + 1]!;
  const b_2 = mlp[begin + 2]!;
  const b_3 = mlp[begin + 3]!;
  const g_0 = weights[0]!;
  const c_0 = weights[1]!;
  const p_0 = weights[2]!;
  const r_0 = weights[3]!;
  const s_0 = weights[4]!;
  const gs_0 = weights[5]!;
  const g_1 = weights[1 * INPUTS]!;
  const c_1 = weights[1 * INPUTS + 1]!;
  const p_1 = weights[1 * INPUTS + 2]!;
  const r_1 = weights[1 * INPUTS + 3]!;
  const s_1 = weights[1 * INPUTS + 4]!;
  const gs_1 = weights[1 * INPUTS + 5]!;
  const g_2 = weights[2 * INPUTS]!;
  const c_2 = weights[2 * INPUTS + 1]!;
  const p_2 = weights[2 * INPUTS + 2]!;
  const r_2 = weights[2 * INPUTS + 3]!;
  const s_2 = weights[2 * INPUTS + 4]!;
  const gs_2 = weights[2 * INPUTS + 5]!;
  const g_3 = weights[3 * INPUTS]!;
  const c_3 = weights[3 * INPUTS + 1]!;
  const p_3 = weights[3 * INPUTS + 2]!;
  const r_3 = weights[3 * INPUTS + 3]!;
  const s_3 = weights[3 * INPUTS + 4]!;
  const gs_3 = weights[3 * INPUTS + 5]!;
  for (let j = 0; j < n; j++) {
    const g = gradient[from + j]!;
    const c = Math.abs(g + LIMIT) - Math.abs(g - LIMIT);
    const p = parameter[from + j]!;
    const r = moments[at + j]!;
    const rs = 1 / Math.sqrt(r + EPSILON);
    inverse[j] = rs;
    tile[j] = b_0 + g * g_0 + c * c_0 + p * p_0 + r * r_0 + rs * (s_0 + g * gs_0);
    tile[PLANE + j] = b_1 + g * g_1 + c * c_1 + p * p_1 + r * r_1 + rs * (s_1 + g * gs_1);
    tile[2 * PLANE + j] = b_2 + g * g_2 + c * c_2 + p * p_2 + r * r_2 + rs * (s_2 + g * gs_2);
    tile[3 * PLANE + j] = b_3 + g * g_3 + c * c_3 + p * p_3 + r * r_3 + rs * (s_3 + g * gs_3);
  }
}

/** The inputs that have three. Quirk: fac_m = m / sqrt(v), with neither floor nor epsilon. */
function addChannel({ gradient, moments, rows }: Arrays, k: number, from: number, n: number): void {
  const at = k * gradient.length + from;
  const m_0 = weights[6 + k]!;
  const sm_0 = weights[9 + k]!;
  const gV_0 = weights[12 + k]!;
  const mV_0 = weights[15 + k]!;
  const v_0 = ofV[8 * k]!;
  const vs_0 = ofV[8 * k + 4]!;
  const m_1 = weights[1 * INPUTS + 6 + k]!;
  const sm_1 = weights[1 * INPUTS + 9 + k]!;
  const gV_1 = weights[1 * INPUTS + 12 + k]!;
  const mV_1 = weights[1 * INPUTS + 15 + k]!;
  const v_1 = ofV[8 * k + 1]!;
  const vs_1 = ofV[8 * k + 5]!;
  const m_2 = weights[2 * INPUTS + 6 + k]!;
  const sm_2 = weights[2 * INPUTS + 9 + k]!;
  const gV_2 = weights[2 * INPUTS + 12 + k]!;
  const mV_2 = weights[2 * INPUTS + 15 + k]!;
  const v_2 = ofV[8 * k + 2]!;
  const vs_2 = ofV[8 * k + 6]!;
  const m_3 = weights[3 * INPUTS + 6 + k]!;
  const sm_3 = weights[3 * INPUTS + 9 + k]!;
  const gV_3 = weights[3 * INPUTS + 12 + k]!;
  const mV_3 = weights[3 * INPUTS + 15 + k]!;
  const v_3 = ofV[8 * k + 3]!;
  const vs_3 = ofV[8 * k + 7]!;
  for (let j = 0; j < n; j++) {
    const g = gradient[from + j]!;
    const m = moments[at + j]!;
    const v = rows[at + j]!;
    const rs = inverse[j]!;
    const vs = 1 / Math.sqrt(v + V_EPSILON);
    const gV = g / Math.sqrt(v + FLOOR);
    const mV = m / Math.sqrt(v);
    tile[j] = tile[j]! + m * (m_0 + rs * sm_0) + gV * gV_0 + mV * mV_0 + v * v_0 + vs * vs_0;
    tile[PLANE + j] = tile[PLANE + j]! + m * (m_1 + rs * sm_1) + gV * gV_1 + mV * mV_1 + v * v_1 + vs * vs_1;
    tile[2 * PLANE + j] = tile[2 * PLANE + j]! + m * (m_2 + rs * sm_2) + gV * gV_2 + mV * mV_2 + v * v_2 + vs * vs_2;
    tile[3 * PLANE + j] = tile[3 * PLANE + j]! + m * (m_3 + rs * sm_3) + gV * gV_3 + mV * mV_3 + v * v_3 + vs * vs_3;
  }
}
