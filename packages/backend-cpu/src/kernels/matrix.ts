/**
 * The update of a tensor of rank >= 2 in three passes; no fewer, because sums over all of it are needed in between:
 *
 * A. sums of g^2 along and across the runs, from which the factored second moments advance;
 * B. the moments advance, and with them the mean squares of the network's inputs;
 * C. network, step and statistics.
 *
 * (SPEC sections 9 and 11.) The 12 inputs of the network that are constant along a row or a column enter once per row
 * or column, as their share of the first layer's sums; 18 remain for every entry.
 *
 * Every inner loop is a function of its own that is called per run or tile and given arrays and integers only: so it
 * is compiled as a whole, with its sums in registers, and nothing it depends on changes from tensor to tensor. Indices
 * are kept int32 by `| 0`, which costs nothing where a check for overflow would (5 % of all).
 */
import { type Factored, MLP_LAYOUT } from '@velojs/core';
import { DECAYS, GRADIENT_CLIP_FEATURE, SECOND_MOMENT_DECAY, SECOND_MOMENT_EPSILON } from '@velojs/core/constants';
import { advanceFactors, PLANES, rowMeanAxes, SHARE, SQUARED, SQUARES } from './factors.ts';
import { firstLayer, foldNetwork, hidden, INPUTS, step, TILE } from './network.ts';
import { runsOf } from './runs.ts';
import type { Scratch } from './scratch.ts';
import { add, resetSums, SUM, shifts, writeMeanSquares } from './sums.ts';
import type { Arrays } from './update.ts';

/** Of the run at hand: squares of its three factors; the first layer with its factors and its share folded in, `[4, 18]` and `[4]`. */
const runSquares = new Float64Array(3);
const runWeights = new Float64Array(4 * INPUTS);
const runBiases = new Float64Array(4);

// Loops see constants of their own module as such, addresses and all, which spares them half of their checks.
const tile = hidden;
const PLANE = TILE;
const [B0, B1, B2] = DECAYS;
const BR = SECOND_MOMENT_DECAY;
const EPSILON = SECOND_MOMENT_EPSILON;
const LIMIT = GRADIENT_CLIP_FEATURE;

/** Leaves mean squares, sums and shifts in `sums.ts`. */
export function updateMatrix(factored: Factored, arrays: Arrays, scratch: Scratch): void {
  const { parameter, gradient, moments, rows, columns, mlp } = arrays;
  const size = parameter.length;
  const { count, length, stride, alongStride, alongLength, across, starts, fixedIsRow } = runsOf(factored);
  const fixed = scratch.doubles('fixed', PLANES * count);
  const along = scratch.doubles('along', PLANES * alongLength);

  resetSums(moments, gradient);
  along.fill(0, SQUARES * alongLength, PLANES * alongLength);
  for (let run = 0; run < count; run++) {
    const alongStart = SQUARES * alongLength + starts[2 * run + 1]!;
    fixed[SQUARES * count + run] = sumSquares(
      parameter,
      gradient,
      starts[2 * run]!,
      stride,
      along,
      alongStart,
      alongStride,
      length,
    );
  }

  const [ofFixed, ofAlong] = fixedIsRow ? [rows, columns!] : [columns!, rows];
  const axes = rowMeanAxes(factored);
  advanceFactors(ofFixed, fixed, count, length, mlp, fixedIsRow ? axes : null);
  advanceFactors(ofAlong, along, alongLength, across, mlp, fixedIsRow ? null : axes);

  for (let run = 0; run < count; run++) {
    for (let k = 0; k < 3; k++) runSquares[k] = fixed[(SQUARED + k) * count + run]!;
    for (let from = 0; from < length; from += TILE) {
      const n = Math.min(TILE, length - from);
      const start = starts[2 * run]! + from * stride;
      const alongStart = starts[2 * run + 1]! + from * alongStride;
      advanceSecondMoment(gradient, moments, start, stride, along, alongStart, alongStride, alongLength, n);
      advanceMomentum(gradient, moments, start, stride, along, alongStart, alongStride, alongLength, n);
    }
  }
  writeMeanSquares(size);
  foldNetwork(mlp);

  runWeights.set(firstLayer);
  for (let run = 0; run < count; run++) {
    foldRun(fixed, run, count, mlp);
    for (let from = 0; from < length; from += TILE) {
      const n = Math.min(TILE, length - from);
      const start = starts[2 * run]! + from * stride;
      const alongStart = starts[2 * run + 1]! + from * alongStride;
      applyFirstLayer(parameter, gradient, moments, start, stride, along, alongStart, alongStride, alongLength, n);
      step(parameter, start, stride, n);
    }
  }
}

/** Pass A. Adds to `along`; returns the sum of the run. */
function sumSquares(
  parameter: Float32Array,
  gradient: Float32Array,
  start: number,
  stride: number,
  along: Float64Array,
  alongStart: number,
  alongStride: number,
  n: number,
): number {
  let e = start;
  let a = alongStart;
  let gradients = 0;
  let parameters = 0;
  for (let j = 0; j < n; j++) {
    const g = gradient[e]!;
    const p = parameter[e]!;
    const square = g * g;
    gradients += square;
    parameters += p * p;
    along[a] = along[a]! + square;
    e = (e + stride) | 0;
    a = (a + alongStride) | 0;
  }
  add(SUM.gradientSquare, gradients);
  add(SUM.parameterSquare, parameters);
  return gradients;
}

/** Pass B, first half. Leaves 1 / (r + 1e-6) in the tile. sum_ij (g R_i C_j)^2 = sum_i R_i^2 sum_j g^2 C_j^2. */
function advanceSecondMoment(
  gradient: Float32Array,
  moments: Float32Array,
  start: number,
  stride: number,
  along: Float64Array,
  alongStart: number,
  alongStride: number,
  alongLength: number,
  n: number,
): void {
  const shift = shifts[3]!;
  let e = start;
  let r = 3 * gradient.length + start;
  let a0 = SQUARED * alongLength + alongStart;
  let a1 = a0 + alongLength;
  let a2 = a1 + alongLength;
  let shifted = 0;
  let shiftedSquare = 0;
  let inverse = 0;
  let scaledGradient = 0;
  let clip = 0;
  let factored0 = 0;
  let factored1 = 0;
  let factored2 = 0;
  for (let j = 0; j < n; j++) {
    const g = gradient[e]!;
    const square = g * g;
    const v = BR * moments[r]! + (1 - BR) * square;
    moments[r] = v;
    const q = 1 / (v + EPSILON);
    tile[j] = q;
    const d = v - shift;
    const c = Math.abs(g + LIMIT) - Math.abs(g - LIMIT);
    shifted += d;
    shiftedSquare += d * d;
    inverse += q;
    scaledGradient += square * q;
    clip += c * c;
    factored0 += square * along[a0]!;
    factored1 += square * along[a1]!;
    factored2 += square * along[a2]!;
    e = (e + stride) | 0;
    r = (r + stride) | 0;
    a0 = (a0 + alongStride) | 0;
    a1 = (a1 + alongStride) | 0;
    a2 = (a2 + alongStride) | 0;
  }
  add(SUM.secondMomentShifted, shifted);
  add(SUM.secondMomentShiftedSquare, shiftedSquare);
  add(SUM.inverseSecondMoment, inverse);
  add(SUM.scaledGradientSquare, scaledGradient);
  add(SUM.doubledClipSquare, clip);
  add(SUM.factoredGradientSquare, factored0 * runSquares[0]!);
  add(SUM.factoredGradientSquare + 1, factored1 * runSquares[1]!);
  add(SUM.factoredGradientSquare + 2, factored2 * runSquares[2]!);
}

/** Pass B, second half. */
function advanceMomentum(
  gradient: Float32Array,
  moments: Float32Array,
  start: number,
  stride: number,
  along: Float64Array,
  alongStart: number,
  alongStride: number,
  alongLength: number,
  n: number,
): void {
  const size = gradient.length;
  const shift0 = shifts[0]!;
  const shift1 = shifts[1]!;
  const shift2 = shifts[2]!;
  let e = start;
  let a0 = SQUARED * alongLength + alongStart;
  let a1 = a0 + alongLength;
  let a2 = a1 + alongLength;
  let shifted0 = 0;
  let shifted1 = 0;
  let shifted2 = 0;
  let shiftedSquare0 = 0;
  let shiftedSquare1 = 0;
  let shiftedSquare2 = 0;
  let scaled0 = 0;
  let scaled1 = 0;
  let scaled2 = 0;
  let factored0 = 0;
  let factored1 = 0;
  let factored2 = 0;
  for (let j = 0; j < n; j++) {
    const g = gradient[e]!;
    const q = tile[j]!;
    const m0 = B0 * moments[e]! + (1 - B0) * g;
    const m1 = B1 * moments[(size + e) | 0]! + (1 - B1) * g;
    const m2 = B2 * moments[(2 * size + e) | 0]! + (1 - B2) * g;
    moments[e] = m0;
    moments[(size + e) | 0] = m1;
    moments[(2 * size + e) | 0] = m2;
    const d0 = m0 - shift0;
    const d1 = m1 - shift1;
    const d2 = m2 - shift2;
    const square0 = m0 * m0;
    const square1 = m1 * m1;
    const square2 = m2 * m2;
    shifted0 += d0;
    shifted1 += d1;
    shifted2 += d2;
    shiftedSquare0 += d0 * d0;
    shiftedSquare1 += d1 * d1;
    shiftedSquare2 += d2 * d2;
    scaled0 += square0 * q;
    scaled1 += square1 * q;
    scaled2 += square2 * q;
    factored0 += square0 * along[a0]!;
    factored1 += square1 * along[a1]!;
    factored2 += square2 * along[a2]!;
    e = (e + stride) | 0;
    a0 = (a0 + alongStride) | 0;
    a1 = (a1 + alongStride) | 0;
    a2 = (a2 + alongStride) | 0;
  }
  add(SUM.momentumShifted, shifted0);
  add(SUM.momentumShifted + 1, shifted1);
  add(SUM.momentumShifted + 2, shifted2);
  add(SUM.momentumShiftedSquare, shiftedSquare0);
  add(SUM.momentumShiftedSquare + 1, shiftedSquare1);
  add(SUM.momentumShiftedSquare + 2, shiftedSquare2);
  add(SUM.scaledMomentumSquare, scaled0);
  add(SUM.scaledMomentumSquare + 1, scaled1);
  add(SUM.scaledMomentumSquare + 2, scaled2);
  add(SUM.factoredMomentumSquare, factored0 * runSquares[0]!);
  add(SUM.factoredMomentumSquare + 1, factored1 * runSquares[1]!);
  add(SUM.factoredMomentumSquare + 2, factored2 * runSquares[2]!);
}

/** Weights and biases of the first layer for one run: R goes into the weights of fac_g and fac_m. */
function foldRun(fixed: Float64Array, run: number, count: number, mlp: Float64Array): void {
  for (let u = 0; u < 4; u++) {
    for (let k = 0; k < 3; k++) {
      const R = fixed[k * count + run]!;
      runWeights[u * INPUTS + 12 + k] = R * firstLayer[u * INPUTS + 12 + k]!;
      runWeights[u * INPUTS + 15 + k] = R * firstLayer[u * INPUTS + 15 + k]!;
    }
    runBiases[u] = mlp[MLP_LAYOUT.bias0.begin + u]! + fixed[(SHARE + u) * count + run]!;
  }
}

/**
 * Pass C up to the hidden units' sums, which are left in the tile. C is multiplied into what it shares with other
 * inputs, rsqrt(r + 1e-6) likewise: 18 products per unit, none besides.
 */
function applyFirstLayer(
  parameter: Float32Array,
  gradient: Float32Array,
  moments: Float32Array,
  start: number,
  stride: number,
  along: Float64Array,
  alongStart: number,
  alongStride: number,
  alongLength: number,
  n: number,
): void {
  const size = gradient.length;
  const share0 = SHARE * alongLength;
  const share1 = share0 + alongLength;
  const share2 = share1 + alongLength;
  const share3 = share2 + alongLength;
  const b_0 = runBiases[0]!;
  const b_1 = runBiases[1]!;
  const b_2 = runBiases[2]!;
  const b_3 = runBiases[3]!;
  const g_0 = runWeights[0]!;
  const c_0 = runWeights[1]!;
  const p_0 = runWeights[2]!;
  const r_0 = runWeights[3]!;
  const s_0 = runWeights[4]!;
  const gs_0 = runWeights[5]!;
  const m0_0 = runWeights[6]!;
  const m1_0 = runWeights[7]!;
  const m2_0 = runWeights[8]!;
  const sm0_0 = runWeights[9]!;
  const sm1_0 = runWeights[10]!;
  const sm2_0 = runWeights[11]!;
  const gC0_0 = runWeights[12]!;
  const gC1_0 = runWeights[13]!;
  const gC2_0 = runWeights[14]!;
  const mC0_0 = runWeights[15]!;
  const mC1_0 = runWeights[16]!;
  const mC2_0 = runWeights[17]!;
  const g_1 = runWeights[INPUTS]!;
  const c_1 = runWeights[INPUTS + 1]!;
  const p_1 = runWeights[INPUTS + 2]!;
  const r_1 = runWeights[INPUTS + 3]!;
  const s_1 = runWeights[INPUTS + 4]!;
  const gs_1 = runWeights[INPUTS + 5]!;
  const m0_1 = runWeights[INPUTS + 6]!;
  const m1_1 = runWeights[INPUTS + 7]!;
  const m2_1 = runWeights[INPUTS + 8]!;
  const sm0_1 = runWeights[INPUTS + 9]!;
  const sm1_1 = runWeights[INPUTS + 10]!;
  const sm2_1 = runWeights[INPUTS + 11]!;
  const gC0_1 = runWeights[INPUTS + 12]!;
  const gC1_1 = runWeights[INPUTS + 13]!;
  const gC2_1 = runWeights[INPUTS + 14]!;
  const mC0_1 = runWeights[INPUTS + 15]!;
  const mC1_1 = runWeights[INPUTS + 16]!;
  const mC2_1 = runWeights[INPUTS + 17]!;
  const g_2 = runWeights[2 * INPUTS]!;
  const c_2 = runWeights[2 * INPUTS + 1]!;
  const p_2 = runWeights[2 * INPUTS + 2]!;
  const r_2 = runWeights[2 * INPUTS + 3]!;
  const s_2 = runWeights[2 * INPUTS + 4]!;
  const gs_2 = runWeights[2 * INPUTS + 5]!;
  const m0_2 = runWeights[2 * INPUTS + 6]!;
  const m1_2 = runWeights[2 * INPUTS + 7]!;
  const m2_2 = runWeights[2 * INPUTS + 8]!;
  const sm0_2 = runWeights[2 * INPUTS + 9]!;
  const sm1_2 = runWeights[2 * INPUTS + 10]!;
  const sm2_2 = runWeights[2 * INPUTS + 11]!;
  const gC0_2 = runWeights[2 * INPUTS + 12]!;
  const gC1_2 = runWeights[2 * INPUTS + 13]!;
  const gC2_2 = runWeights[2 * INPUTS + 14]!;
  const mC0_2 = runWeights[2 * INPUTS + 15]!;
  const mC1_2 = runWeights[2 * INPUTS + 16]!;
  const mC2_2 = runWeights[2 * INPUTS + 17]!;
  const g_3 = runWeights[3 * INPUTS]!;
  const c_3 = runWeights[3 * INPUTS + 1]!;
  const p_3 = runWeights[3 * INPUTS + 2]!;
  const r_3 = runWeights[3 * INPUTS + 3]!;
  const s_3 = runWeights[3 * INPUTS + 4]!;
  const gs_3 = runWeights[3 * INPUTS + 5]!;
  const m0_3 = runWeights[3 * INPUTS + 6]!;
  const m1_3 = runWeights[3 * INPUTS + 7]!;
  const m2_3 = runWeights[3 * INPUTS + 8]!;
  const sm0_3 = runWeights[3 * INPUTS + 9]!;
  const sm1_3 = runWeights[3 * INPUTS + 10]!;
  const sm2_3 = runWeights[3 * INPUTS + 11]!;
  const gC0_3 = runWeights[3 * INPUTS + 12]!;
  const gC1_3 = runWeights[3 * INPUTS + 13]!;
  const gC2_3 = runWeights[3 * INPUTS + 14]!;
  const mC0_3 = runWeights[3 * INPUTS + 15]!;
  const mC1_3 = runWeights[3 * INPUTS + 16]!;
  const mC2_3 = runWeights[3 * INPUTS + 17]!;
  let e = start;
  let a = alongStart;
  for (let j = 0; j < n; j++) {
    const g = gradient[e]!;
    const c = Math.abs(g + LIMIT) - Math.abs(g - LIMIT);
    const p = parameter[e]!;
    const m0 = moments[e]!;
    const m1 = moments[(size + e) | 0]!;
    const m2 = moments[(2 * size + e) | 0]!;
    const r = moments[(3 * size + e) | 0]!;
    const rs = 1 / Math.sqrt(r + EPSILON);
    const C0 = along[a]!;
    const C1 = along[(alongLength + a) | 0]!;
    const C2 = along[(2 * alongLength + a) | 0]!;
    tile[j] =
      b_0 +
      along[(share0 + a) | 0]! +
      c * c_0 +
      p * p_0 +
      r * r_0 +
      g * (g_0 + C0 * gC0_0 + C1 * gC1_0 + C2 * gC2_0) +
      m0 * (m0_0 + C0 * mC0_0) +
      m1 * (m1_0 + C1 * mC1_0) +
      m2 * (m2_0 + C2 * mC2_0) +
      rs * (s_0 + g * gs_0 + m0 * sm0_0 + m1 * sm1_0 + m2 * sm2_0);
    tile[(PLANE + j) | 0] =
      b_1 +
      along[(share1 + a) | 0]! +
      c * c_1 +
      p * p_1 +
      r * r_1 +
      g * (g_1 + C0 * gC0_1 + C1 * gC1_1 + C2 * gC2_1) +
      m0 * (m0_1 + C0 * mC0_1) +
      m1 * (m1_1 + C1 * mC1_1) +
      m2 * (m2_1 + C2 * mC2_1) +
      rs * (s_1 + g * gs_1 + m0 * sm0_1 + m1 * sm1_1 + m2 * sm2_1);
    tile[(2 * PLANE + j) | 0] =
      b_2 +
      along[(share2 + a) | 0]! +
      c * c_2 +
      p * p_2 +
      r * r_2 +
      g * (g_2 + C0 * gC0_2 + C1 * gC1_2 + C2 * gC2_2) +
      m0 * (m0_2 + C0 * mC0_2) +
      m1 * (m1_2 + C1 * mC1_2) +
      m2 * (m2_2 + C2 * mC2_2) +
      rs * (s_2 + g * gs_2 + m0 * sm0_2 + m1 * sm1_2 + m2 * sm2_2);
    tile[(3 * PLANE + j) | 0] =
      b_3 +
      along[(share3 + a) | 0]! +
      c * c_3 +
      p * p_3 +
      r * r_3 +
      g * (g_3 + C0 * gC0_3 + C1 * gC1_3 + C2 * gC2_3) +
      m0 * (m0_3 + C0 * mC0_3) +
      m1 * (m1_3 + C1 * mC1_3) +
      m2 * (m2_3 + C2 * mC2_3) +
      rs * (s_3 + g * gs_3 + m0 * sm0_3 + m1 * sm1_3 + m2 * sm2_3);
    e = (e + stride) | 0;
    a = (a + alongStride) | 0;
  }
}
