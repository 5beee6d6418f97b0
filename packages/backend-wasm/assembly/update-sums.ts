/** Sums over a tensor, gathered chunk by chunk: from them come the network's normalisers and the statistics. */
import { chunkCount, chunkSumsOf, networkOf, sizeOf, statisticsOf, SUMS_BYTES, totalsOf } from './update-job';
import { clear, pairSum } from './vector-math';

// Addresses of sums in a chunk's or the totals' block: two float64 each, of which the sum counts. g is clipped, m and r
// are advanced, q = 1 / (r + 1e-6). Three of a kind are for the three decays.
const SUM: usize = 16;

/** Of squares of an input of the network, by its column in SPEC section 11. */
@inline
function inputSquare(column: usize): usize {
  return column * SUM;
}
// In the second pass:
export const GRADIENT_SQUARE: usize = 0 * SUM;
export const CLIP_SQUARE: usize = 1 * SUM;
export const PARAMETER_SQUARE: usize = 2 * SUM;
export const MOMENTUM_SQUARE: usize = 3 * SUM;
export const SECOND_MOMENT_SQUARE: usize = 6 * SUM;
/** m^2 q */
export const SCALED_MOMENTUM_SQUARE: usize = 7 * SUM;
/** q */
export const INVERSE_SECOND_MOMENT: usize = 10 * SUM;
export const FACTORED_GRADIENT_SQUARE: usize = 11 * SUM;
/** g^2 q */
export const SCALED_GRADIENT_SQUARE: usize = 14 * SUM;
/** v^2 and 1 / (v + 1e-8); rank < 2 only. */
export const V_SQUARE: usize = 15 * SUM;
export const V_INVERSE: usize = 21 * SUM;
export const FACTORED_MOMENTUM_SQUARE: usize = 27 * SUM;
export const SECOND_MOMENT: usize = 30 * SUM;
export const MOMENTUM: usize = 31 * SUM;
const SECOND_END: usize = 34 * SUM;
// In the third pass:
export const NEXT_PARAMETER_SQUARE: usize = 34 * SUM;
export const UPDATE_SQUARE: usize = 35 * SUM;
/** Of the differences of m_0, m_1, m_2 and r from `center`, where this is needed. */
export const DEVIATION: usize = 36 * SUM;
export const DEVIATION_SQUARE: usize = 40 * SUM;
const THIRD_END: usize = 44 * SUM;
/** In the first pass: of a run that is cut by the chunk's ends. */
export const CUT_RUN: usize = 44 * SUM;

/** Bytes from one of three sums of a kind to the next. */
@inline
export function ofDecay(k: i32): usize {
  return <usize>k * SUM;
}

@inline
export function clearSumsOfSecondPass(job: usize, chunk: i32): void {
  clear(chunkSumsOf(job, chunk), SECOND_END);
}
@inline
export function clearSumsOfThirdPass(job: usize, chunk: i32): void {
  clear(chunkSumsOf(job, chunk) + SECOND_END, THIRD_END - SECOND_END);
}

/** Adds up the chunks, in their order. */
export function addUpChunks(job: usize): void {
  const totals = totalsOf(job);
  clear(totals, SUMS_BYTES);
  const chunks = chunkCount(job);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const sums = chunkSumsOf(job, chunk);
    for (let at: usize = 0; at < SUMS_BYTES; at += 16) {
      v128.store(totals + at, f64x2.add(v128.load(totals + at), v128.load(sums + at)));
    }
  }
}

/** Mean square of an input of the network, where the second pass has summed it. */
export function meanSquareOf(job: usize, column: i32): f64 {
  return mean(job, inputSquare(column));
}

/** The mean over the tensor of what was summed in `sum`. */
function mean(job: usize, sum: usize): f64 {
  return pairSum(totalsOf(job) + sum) / <f64>sizeOf(job);
}

// Variances. A mean square less the square of the mean is right to a few 1e-7 of that square, which is enough unless
// the variance is far smaller. Where it is, the third pass sums once more, differences from the mean.

const CENTERS: usize = 960; // in the network's block: means of m_0, m_1, m_2 and r in float32
const CENTERED: usize = 976; // whether the third pass has to
/** Of the square of the mean; smaller variances are computed from differences. */
const SMALL_VARIANCE: f64 = 0.02;

/** The mean of m_0, m_1, m_2 or r (`plane` 3), nearly. */
@inline
export function centerOf(job: usize, plane: i32): f32 {
  return load<f32>(networkOf(job) + CENTERS + (<usize>plane << 2));
}
@inline
export function isCentered(job: usize): bool {
  return load<i32>(networkOf(job) + CENTERED) != 0;
}

function meanOfPlane(job: usize, plane: i32): f64 {
  return mean(job, plane == 3 ? SECOND_MOMENT : MOMENTUM + ofDecay(plane));
}

function meanSquareOfPlane(job: usize, plane: i32): f64 {
  return mean(job, plane == 3 ? SECOND_MOMENT_SQUARE : MOMENTUM_SQUARE + ofDecay(plane));
}

/** Decides, after the second pass, how variances are computed. */
export function chooseCenters(job: usize): void {
  let centered = false;
  for (let plane = 0; plane < 4; plane++) {
    const center = meanOfPlane(job, plane);
    store<f32>(networkOf(job) + CENTERS + (<usize>plane << 2), <f32>center);
    const square = center * center;
    if (meanSquareOfPlane(job, plane) - square < SMALL_VARIANCE * square) centered = true;
  }
  store<i32>(networkOf(job) + CENTERED, i32(centered));
}

/** The mean as exactly as the passes know it. */
function bestMeanOfPlane(job: usize, plane: i32): f64 {
  if (!isCentered(job)) return meanOfPlane(job, plane);
  return <f64>centerOf(job, plane) + mean(job, DEVIATION + ofDecay(plane));
}

function variance(job: usize, plane: i32): f64 {
  if (!isCentered(job)) {
    const center = meanOfPlane(job, plane);
    return meanSquareOfPlane(job, plane) - center * center;
  }
  const deviation = mean(job, DEVIATION + ofDecay(plane));
  return max<f64>(mean(job, DEVIATION_SQUARE + ofDecay(plane)) - deviation * deviation, 0);
}

/** The nine numbers of core/src/statistics.ts. */
export function writeStatistics(job: usize): void {
  const to = statisticsOf(job);
  const meanR = bestMeanOfPlane(job, 3);
  const varianceR = variance(job, 3);
  store<f32>(to, <f32>mean(job, NEXT_PARAMETER_SQUARE));
  store<f32>(to, <f32>meanR, 4);
  for (let k = 0; k < 3; k++) {
    const at = to + (<usize>k << 2);
    store<f32>(at, <f32>variance(job, k), 8);
    // Quirk: the spread of r around the means of m. mean (r - c)^2 = var r + (mean r - c)^2
    const distance = meanR - bestMeanOfPlane(job, k);
    store<f32>(at, <f32>(varianceR + distance * distance), 20);
  }
  store<f32>(to, <f32>mean(job, UPDATE_SQUARE), 32);
}
