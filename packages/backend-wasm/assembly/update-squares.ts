/** The first pass: sums of g^2 over runs and across lines, for the factored second moments (SPEC section 9). */
import {
  alongLength,
  alongSquares,
  axisF,
  axisI,
  axisM,
  axisS,
  chunkAlongSquares,
  chunkCount,
  chunkEnd,
  chunkStart,
  chunkSumsOf,
  fixedLength,
  fixedSquares,
  gradientOf,
  lineLength,
  linesAreWhole,
  piecesPerLine,
  planeBytes,
  runLength,
  runsAreCut,
  TILE,
} from './update-job';
import { CUT_RUN } from './update-sums';
import { constant, LIMIT, MINUS_LIMIT, prepareTile } from './update-tile';
import { clamp, clear, firstLanes, highDoubles, laneSum, lowDoubles } from './vector-math';

export function sumSquares(job: usize, chunk: i32, tile: usize): void {
  prepareTile(tile);
  const start = chunkStart(job, chunk);
  const end = chunkEnd(job, chunk);
  const gradient = gradientOf(job) + (<usize>start << 2);
  const line = lineLength(job);
  const along = chunkAlongSquares(job, chunk);
  if (!linesAreWhole(job)) {
    clear(along, 2 * planeBytes(end - start));
    addAcross(gradient, end - start, along, tile);
    if (runsAreCut(job)) store<f64>(chunkSumsOf(job, chunk) + CUT_RUN, sumRun(gradient, end - start, tile));
    else sumRuns(job, start, end, tile);
    return;
  }

  const linesOfO = axisF(job);
  const firstLine = start / line;
  const lines = end / line;
  const firstO = firstLine / linesOfO;
  clear(along, 2 * planeBytes(((lines - 1) / linesOfO + 1 - firstO) * line));
  const lineBytes = <usize>line << 2;
  const linesAreRuns = axisM(job) == 1 && axisI(job) == 1;
  let g = gradient;
  for (let index = firstLine; index < lines; ) {
    const o = index / linesOfO;
    const to = along + (<usize>((o - firstO) * line) << 3);
    const endOfO = min(lines, (o + 1) * linesOfO);
    if (linesAreRuns) {
      for (; index + 4 <= endOfO; index += 4, g += 4 * lineBytes) {
        addFourLines(g, lineBytes, line, to, fixedSquares(job) + (<usize>index << 3), tile);
      }
    }
    for (; index < endOfO; index++, g += lineBytes) {
      addAcross(g, line, to, tile);
      if (linesAreRuns) store<f64>(fixedSquares(job) + (<usize>index << 3), sumRun(g, line, tile));
    }
  }
  if (!linesAreRuns) sumRuns(job, start, end, tile);
}

/** Joins what chunks have summed apart, in their order. */
export function joinSquares(job: usize): void {
  const chunks = chunkCount(job);
  if (chunks == 1) return;
  const line = lineLength(job);
  const along = alongSquares(job);
  const whole = linesAreWhole(job);
  const linesOfO = axisF(job);
  clear(along, 2 * planeBytes(alongLength(job)));
  for (let chunk = 0; chunk < chunks; chunk++) {
    const start = chunkStart(job, chunk);
    const end = chunkEnd(job, chunk);
    const firstO = start / line / linesOfO;
    const length = whole ? ((end / line - 1) / linesOfO + 1 - firstO) * line : end - start;
    const to = along + (<usize>(firstO * line + (whole ? 0 : start % line)) << 3);
    addPairs(to, chunkAlongSquares(job, chunk), length);
  }
  if (!runsAreCut(job)) return;
  const fixed = fixedSquares(job);
  const pieces = piecesPerLine(job);
  clear(fixed, 2 * planeBytes(fixedLength(job)));
  for (let chunk = 0; chunk < chunks; chunk++) {
    const to = fixed + (<usize>(chunk / pieces) << 3);
    store<f64>(to, load<f64>(to) + load<f64>(chunkSumsOf(job, chunk) + CUT_RUN));
  }
}

function addPairs(to: usize, from: usize, length: i32): void {
  const end = from + (<usize>length << 3);
  for (; from + 8 < end; from += 16, to += 16) v128.store(to, f64x2.add(v128.load(to), v128.load(from)));
  if (from < end) store<f64>(to, load<f64>(to) + load<f64>(from));
}

@inline
function clippedSquare(gradient: usize, low: v128, high: v128): v128 {
  const g = clamp(v128.load(gradient), low, high);
  return f32x4.mul(g, g);
}

/** Adds the squares of a line to float64 sums. */
function addAcross(gradient: usize, n: i32, sums: usize, tile: usize): void {
  const low = constant(tile, MINUS_LIMIT);
  const high = constant(tile, LIMIT);
  const end = gradient + (<usize>(n & -4) << 2);
  for (; gradient < end; gradient += 16, sums += 32) addWidened(sums, clippedSquare(gradient, low, high));
  if (n & 3) addWidened(sums, v128.and(clippedSquare(gradient, low, high), firstLanes(n & 3)));
}

@inline
function addWidened(sums: usize, x: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), lowDoubles(x)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), highDoubles(x)), 16);
}

/** Sum of the squares of a run. */
function sumRun(gradient: usize, n: i32, tile: usize): f64 {
  const low = constant(tile, MINUS_LIMIT);
  const high = constant(tile, LIMIT);
  let sum: f64 = 0;
  for (; n > 0; n -= TILE) {
    const end = gradient + (<usize>(min(n, TILE) & -4) << 2);
    let squares = f32x4.splat(0);
    for (; gradient < end; gradient += 16) squares = f32x4.add(squares, clippedSquare(gradient, low, high));
    if (n < TILE && n & 3) {
      squares = f32x4.add(squares, v128.and(clippedSquare(gradient, low, high), firstLanes(n & 3)));
    }
    sum += laneSum(squares);
  }
  return sum;
}

/** Four lines that are runs too: squares of each to `fixed`, squares across to `along`. */
function addFourLines(gradient: usize, lineBytes: usize, n: i32, along: usize, fixed: usize, tile: usize): void {
  const low = constant(tile, MINUS_LIMIT);
  const high = constant(tile, LIMIT);
  let sum0: f64 = 0;
  let sum1: f64 = 0;
  let sum2: f64 = 0;
  let sum3: f64 = 0;
  let g0 = gradient;
  let g1 = g0 + lineBytes;
  let g2 = g1 + lineBytes;
  let g3 = g2 + lineBytes;
  for (; n > 0; n -= 2 * TILE) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    const end = g0 + (<usize>(min(n, 2 * TILE) & -4) << 2);
    for (; g0 < end; g0 += 16, g1 += 16, g2 += 16, g3 += 16, along += 32) {
      const x0 = clippedSquare(g0, low, high);
      const x1 = clippedSquare(g1, low, high);
      const x2 = clippedSquare(g2, low, high);
      const x3 = clippedSquare(g3, low, high);
      s0 = f32x4.add(s0, x0);
      s1 = f32x4.add(s1, x1);
      s2 = f32x4.add(s2, x2);
      s3 = f32x4.add(s3, x3);
      addWidened(along, f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)));
    }
    if (n < 2 * TILE && n & 3) {
      const valid = firstLanes(n & 3);
      const x0 = v128.and(clippedSquare(g0, low, high), valid);
      const x1 = v128.and(clippedSquare(g1, low, high), valid);
      const x2 = v128.and(clippedSquare(g2, low, high), valid);
      const x3 = v128.and(clippedSquare(g3, low, high), valid);
      s0 = f32x4.add(s0, x0);
      s1 = f32x4.add(s1, x1);
      s2 = f32x4.add(s2, x2);
      s3 = f32x4.add(s3, x3);
      addWidened(along, f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)));
    }
    sum0 += laneSum(s0);
    sum1 += laneSum(s1);
    sum2 += laneSum(s2);
    sum3 += laneSum(s3);
  }
  store<f64>(fixed, sum0);
  store<f64>(fixed, sum1, 8);
  store<f64>(fixed, sum2, 16);
  store<f64>(fixed, sum3, 24);
}

/** Sums over S, for every I, of the whole runs of a chunk. */
function sumRuns(job: usize, start: i32, end: i32, tile: usize): void {
  const length = runLength(job);
  const S = axisS(job);
  const I = axisI(job);
  const runs = end / length;
  for (let run = start / length; run < runs; run++) {
    const gradient = gradientOf(job) + (<usize>(run * length) << 2);
    const to = fixedSquares(job) + (<usize>(run * I) << 3);
    if (I == 1) store<f64>(to, sumRun(gradient, length, tile));
    else sumPeriodic(gradient, S, I, to, tile);
  }
}

/** Sums over S of `[S, I]`, four of I at a time. */
function sumPeriodic(gradient: usize, S: i32, I: i32, to: usize, tile: usize): void {
  const limitLow = constant(tile, MINUS_LIMIT);
  const limitHigh = constant(tile, LIMIT);
  const period = <usize>I << 2;
  for (let i: usize = 0; i < period; i += 16) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    let at = gradient + i;
    for (let s = 0; s < S; s++, at += period) {
      const square = clippedSquare(at, limitLow, limitHigh);
      low = f64x2.add(low, lowDoubles(square));
      high = f64x2.add(high, highDoubles(square));
    }
    // Not one sum more than I: what follows may be another chunk's.
    const left = period - i;
    if (left >= 8) v128.store(to, low);
    else v128.store64_lane(to, low, 0);
    if (left >= 16) v128.store(to, high, 16);
    else if (left >= 12) v128.store64_lane(to, high, 0, 16);
    to += 32;
  }
}
