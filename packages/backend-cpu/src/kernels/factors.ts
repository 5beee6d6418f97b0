/** Factored second moments: v_row and v_col, their factors R and C, and all else that is constant along a row or column. */
import type { Factored } from '@velojs/core';
import { DECAYS, FACTORED_EPSILON, ROW_MEAN_EPSILON, RSQRT_FLOOR, SQUARE_EPSILON } from '@velojs/core/constants';
import { firstLayerWeight } from './network.ts';
import { meanSquares } from './sums.ts';

/** Planes of what is known of every row or column: factor (3), its square (3), share of the hidden units' sums (4). */
export const SQUARED = 3;
export const SHARE = 6;
/** Sum of g^2. */
export const SQUARES = 10;
export const PLANES = 11;

// Loops see constants of their own module as such.
const V_EPSILON = FACTORED_EPSILON;
const E_EPSILON = SQUARE_EPSILON;
const FLOOR = RSQRT_FLOOR;

/** v_row as `[outer, d1, inner]`: its mean over d1 divides it. */
export function rowMeanAxes({ view, d0 }: Factored): readonly [outer: number, d1: number, inner: number] {
  const [outer, first, middle, second, inner] = view;
  return d0 === 3 ? [outer, first, middle * inner] : [outer * middle, second, inner];
}

/**
 * Takes the sums of g^2 into v_row or v_col, and makes of these factors, their mean squares and their share of the first
 * layer's sums.
 *
 * @param averaged how many squares are in each sum.
 * @param axes of v_row; null for v_col.
 */
export function advanceFactors(
  moment: Float32Array,
  planes: Float64Array,
  length: number,
  averaged: number,
  mlp: Float64Array,
  axes: readonly [outer: number, d1: number, inner: number] | null,
): void {
  planes.fill(0, SHARE * length, SQUARES * length);
  for (let k = 0; k < 3; k++) {
    const column = (axes ? 15 : 18) + k;
    advanceFactor(moment, planes, length, averaged, k, column);
    for (let u = 0; u < 4; u++) {
      addShare(planes, length, k, u, firstLayerWeight(mlp, u, column), firstLayerWeight(mlp, u, column + 6));
    }
    if (axes) divideByMean(planes, k * length, axes);
    invert(planes, length, k);
  }
}

/** Leaves v in plane k and rsqrt(v + 1e-8) in plane SQUARED + k. */
function advanceFactor(
  moment: Float32Array,
  planes: Float64Array,
  length: number,
  averaged: number,
  k: number,
  column: number,
): void {
  const decay = DECAYS[k]!;
  const to = k * length;
  const inverted = (SQUARED + k) * length;
  const from = SQUARES * length;
  let squares = 0;
  let inverses = 0;
  for (let i = 0; i < length; i++) {
    const v = decay * moment[to + i]! + (1 - decay) * (planes[from + i]! / averaged + E_EPSILON);
    moment[to + i] = v;
    const inverse = 1 / (v + V_EPSILON);
    squares += v * v;
    inverses += inverse;
    planes[to + i] = v;
    planes[inverted + i] = Math.sqrt(inverse);
  }
  meanSquares[column] = squares / length;
  meanSquares[column + 6] = inverses / length;
}

function addShare(
  planes: Float64Array,
  length: number,
  k: number,
  unit: number,
  weight: number,
  inverseWeight: number,
): void {
  const v = k * length;
  const inverted = (SQUARED + k) * length;
  const share = (SHARE + unit) * length;
  for (let i = 0; i < length; i++) {
    planes[share + i] = planes[share + i]! + weight * planes[v + i]! + inverseWeight * planes[inverted + i]!;
  }
}

/** v_row / (mu + 1e-9) */
function divideByMean(
  values: Float64Array,
  start: number,
  [outer, d1, inner]: readonly [number, number, number],
): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const begin = start + o * d1 * inner + i;
      const end = begin + d1 * inner;
      let sum = 0;
      for (let at = begin; at < end; at += inner) sum += values[at]!;
      const divisor = sum / d1 + ROW_MEAN_EPSILON;
      for (let at = begin; at < end; at += inner) values[at] = values[at]! / divisor;
    }
  }
}

/** Factors R or C and their squares. */
function invert(planes: Float64Array, length: number, k: number): void {
  const to = k * length;
  const squared = (SQUARED + k) * length;
  for (let i = 0; i < length; i++) {
    const square = 1 / Math.max(planes[to + i]!, FLOOR);
    planes[squared + i] = square;
    planes[to + i] = Math.sqrt(square);
  }
}
