/**
 * Factored second moments and all that is constant along a row or a column (SPEC sections 9 and 11): of the 30 inputs
 * of the network 12 are, and enter as shares of the first layer's sums, worked out once per row and once per column.
 */
import {
  alongLength,
  alongPlanes,
  alongSquares,
  axisF,
  axisI,
  axisM,
  axisO,
  axisS,
  columnsOf,
  fixedLength,
  fixedPlanes,
  fixedSquares,
  mlpOf,
  networkOf,
  planeBytes,
  rowsAreFixed,
  rowsOf,
  SHARE,
} from './update-job';
import { biasOf, foldColumn, foldedWeights } from './update-network';
import { firstLanes, highDoubles, lowDoubles, madd, narrowed, rsqrt } from './vector-math';

/** First column of the 30 inputs: three of v_row, then those of v_col, of rsqrt(v_row), of rsqrt(v_col). */
const ROW_COLUMN: i32 = 15;
const COLUMN_COLUMN: i32 = 18;
const INVERSE: i32 = 6;

/** After the first pass: advances both second moments, and makes of them factors and shares. */
export function advanceFactors(job: usize): void {
  const fixed = rowsAreFixed(job);
  advance(
    networkOf(job),
    mlpOf(job),
    fixed ? rowsOf(job) : columnsOf(job),
    fixedLength(job),
    fixedSquares(job),
    fixedPlanes(job),
    axisS(job),
    fixed,
    axisO(job),
    axisF(job),
    axisM(job) * axisI(job),
  );
  advance(
    networkOf(job),
    mlpOf(job),
    fixed ? columnsOf(job) : rowsOf(job),
    alongLength(job),
    alongSquares(job),
    alongPlanes(job),
    axisF(job),
    !fixed,
    axisO(job) * axisM(job),
    axisS(job),
    axisI(job),
  );
}

/**
 * One of the two.
 *
 * @param moments three planes of `length`
 * @param squares sums of g^2, each of `averaged` entries
 * @param planes three of factors and four of shares, written here
 * @param isRow whether these are rows: then they are divided by their means over `d1` of `[outer, d1, inner]`, and
 *   their shares contain the biases
 */
function advance(
  network: usize,
  mlp: usize,
  moments: usize,
  length: i32,
  squares: usize,
  planes: usize,
  averaged: i32,
  isRow: bool,
  outer: i32,
  d1: i32,
  inner: i32,
): void {
  const plane = planeBytes(length);
  const column = isRow ? ROW_COLUMN : COLUMN_COLUMN;
  for (let k = 0; k < 3; k++) {
    const decay: f32 = k == 0 ? 0.9 : k == 1 ? 0.99 : 0.999;
    const moment = moments + (<usize>k * <usize>length << 2);
    const values = planes + <usize>k * plane;
    advanceAverage(network, mlp, column + k, decay, moment, length, squares, averaged, values, values + SHARE * plane);
  }
  foldShares(network, mlp, column, isRow, length, planes, plane);
  for (let k: usize = 0; k < 3; k++) {
    if (isRow) divideByMean(planes + k * plane, outer, d1, inner);
    invert(planes + k * plane, length);
  }
}

/** v = D v + (1 - D) (mean g^2 + 1e-30), to `moment` and to `values`; rsqrt(v + 1e-8) to `inverses`. */
function advanceAverage(
  network: usize,
  mlp: usize,
  column: i32,
  decay: f32,
  moment: usize,
  length: i32,
  squares: usize,
  averaged: i32,
  values: usize,
  inverses: usize,
): void {
  const d = f32x4.splat(decay);
  const weight = f32x4.splat(<f32>((1 - <f64>decay) / <f64>averaged));
  const epsilon = f32x4.splat((<f32>1 - decay) * <f32>1e-30);
  let square = f64x2.splat(0);
  let inverseSquare = f64x2.splat(0);
  for (let left = length; left > 0; left -= 4) {
    const old = madd(v128.load(moment), d, epsilon);
    const v = madd(narrowed(squares), weight, old);
    const inverse = rsqrt(f32x4.add(v, f32x4.splat(1e-8)));
    v128.store(values, v);
    v128.store(inverses, inverse);
    let x = f32x4.mul(v, v);
    let y = f32x4.mul(inverse, inverse);
    if (left < 4) {
      const valid = firstLanes(left);
      x = v128.and(x, valid);
      y = v128.and(y, valid);
      for (let i: usize = 0; i < <usize>left << 2; i += 4) store<f32>(moment + i, load<f32>(values + i));
    } else {
      v128.store(moment, v);
    }
    square = f64x2.add(square, f64x2.add(lowDoubles(x), highDoubles(x)));
    inverseSquare = f64x2.add(inverseSquare, f64x2.add(lowDoubles(y), highDoubles(y)));
    moment += 16;
    values += 16;
    inverses += 16;
    squares += 32;
  }
  foldColumn(network, mlp, column, laneSumOfDoubles(square) / <f64>length);
  foldColumn(network, mlp, column + INVERSE, laneSumOfDoubles(inverseSquare) / <f64>length);
}

@inline
function laneSumOfDoubles(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

/** Makes of v (three planes) and rsqrt(v + 1e-8) (the next three) the shares of four hidden units (the last four). */
function foldShares(
  network: usize,
  mlp: usize,
  column: i32,
  isRow: bool,
  length: i32,
  planes: usize,
  plane: usize,
): void {
  const end = planes + (<usize>length << 2);
  // Inputs are read before shares overwrite three of them, so units cannot be done one after the other.
  for (; planes < end; planes += 16) {
    const v0 = v128.load(planes);
    const v1 = v128.load(planes + plane);
    const v2 = v128.load(planes + 2 * plane);
    let share = planes + SHARE * plane;
    const i0 = v128.load(share);
    const i1 = v128.load(share + plane);
    const i2 = v128.load(share + 2 * plane);
    for (let unit = 0; unit < 4; unit++, share += plane) {
      let x = isRow ? f32x4.splat(biasOf(mlp, unit)) : f32x4.splat(0);
      x = madd(v0, foldedWeights(network, unit, column), x);
      x = madd(v1, foldedWeights(network, unit, column + 1), x);
      x = madd(v2, foldedWeights(network, unit, column + 2), x);
      x = madd(i0, foldedWeights(network, unit, column + INVERSE), x);
      x = madd(i1, foldedWeights(network, unit, column + INVERSE + 1), x);
      x = madd(i2, foldedWeights(network, unit, column + INVERSE + 2), x);
      v128.store(share, x);
    }
  }
}

/** v / (mu + 1e-9), mu the mean over d1 of `[outer, d1, inner]`. */
function divideByMean(values: usize, outer: i32, d1: i32, inner: i32): void {
  const step = <usize>inner << 2;
  const bytes = <usize>d1 * step;
  for (let o = 0; o < outer; o++, values += bytes) {
    for (let i: usize = 0; i < step; i += 4) {
      if (inner == 1) scale(values, bytes, reciprocal(sumOf(values, bytes), d1));
      else scaleEvery(values + i, bytes, step, reciprocal(sumOfEvery(values + i, bytes, step), d1));
    }
  }
}

@inline
function reciprocal(sum: f64, count: i32): f32 {
  return <f32>(1 / (sum / <f64>count + 1e-9));
}

function sumOf(values: usize, bytes: usize): f64 {
  const end = values + bytes;
  let pair = f64x2.splat(0);
  for (; values + 12 < end; values += 16) {
    const x = v128.load(values);
    pair = f64x2.add(pair, f64x2.add(lowDoubles(x), highDoubles(x)));
  }
  let sum = laneSumOfDoubles(pair);
  for (; values < end; values += 4) sum += load<f32>(values);
  return sum;
}

function scale(values: usize, bytes: usize, factor: f32): void {
  const end = values + bytes;
  for (; values + 12 < end; values += 16) v128.store(values, f32x4.mul(v128.load(values), f32x4.splat(factor)));
  for (; values < end; values += 4) store<f32>(values, load<f32>(values) * factor);
}

function sumOfEvery(values: usize, bytes: usize, step: usize): f64 {
  let sum: f64 = 0;
  for (let at: usize = 0; at < bytes; at += step) sum += load<f32>(values + at);
  return sum;
}

function scaleEvery(values: usize, bytes: usize, step: usize, factor: f32): void {
  for (let at: usize = 0; at < bytes; at += step) store<f32>(values + at, load<f32>(values + at) * factor);
}

/** rsqrt(max(x, 1e-9)) */
function invert(values: usize, length: i32): void {
  const end = values + (<usize>length << 2);
  for (; values < end; values += 16) {
    v128.store(values, rsqrt(f32x4.pmax(v128.load(values), f32x4.splat(1e-9))));
  }
}
