/** Sums over a tensor that passes gather: from them come the network's normalisers and the statistics. */
import { STATISTICS } from '@velojs/core';
import { DECAYS, SECOND_MOMENT_DECAY } from '@velojs/core/constants';

/**
 * Where each sum lies in `sums`. g is clipped, m and r are advanced, q = 1 / (r + 1e-6); `*Shifted` is less `shifts`,
 * the value of the first entry: variances come from these, so that rounding cannot make one of a constant tensor.
 */
export const SUM = {
  momentumShifted: 0,
  momentumShiftedSquare: 3,
  /** (m rsqrt(r + 1e-6))^2 */
  scaledMomentumSquare: 6,
  factoredMomentumSquare: 9,
  secondMomentShifted: 12,
  secondMomentShiftedSquare: 13,
  /** q */
  inverseSecondMoment: 14,
  /** g^2 q */
  scaledGradientSquare: 15,
  /** (2 clip(g, -0.1, 0.1))^2 */
  doubledClipSquare: 16,
  factoredGradientSquare: 17,
  gradientSquare: 20,
  parameterSquare: 21,
  /** Of the parameters written, and of their change. */
  nextParameterSquare: 22,
  updateSquare: 23,
} as const;

const sums = new Float64Array(24);
/** The first entries of m and r as they will be. */
export const shifts: Float64Array = new Float64Array(4);
/** Of the 30 inputs of the network, by column (SPEC section 11). */
export const meanSquares: Float64Array = new Float64Array(30);

export function resetSums(moments: Float32Array, gradient: Float32Array): void {
  sums.fill(0);
  const g = gradient[0]!;
  for (let k = 0; k < 3; k++) shifts[k] = DECAYS[k]! * moments[k * gradient.length]! + (1 - DECAYS[k]!) * g;
  shifts[3] = SECOND_MOMENT_DECAY * moments[3 * gradient.length]! + (1 - SECOND_MOMENT_DECAY) * (g * g);
}

export function add(sum: number, value: number): void {
  sums[sum] = sums[sum]! + value;
}

/** All but columns 15 to 26, which hold row and column factors. */
export function writeMeanSquares(size: number): void {
  const mean = (sum: number) => sums[sum]! / size;
  // mean x^2 = mean d^2 + 2 s mean d + s^2 for x = d + s
  const unshifted = (shift: number, sum: number, square: number) => {
    const s = shifts[shift]!;
    return mean(square) + (2 * mean(sum) + s) * s;
  };
  meanSquares[0] = mean(SUM.gradientSquare);
  meanSquares[1] = mean(SUM.doubledClipSquare) / 4;
  meanSquares[2] = mean(SUM.parameterSquare);
  meanSquares[6] = unshifted(3, SUM.secondMomentShifted, SUM.secondMomentShiftedSquare);
  meanSquares[10] = mean(SUM.inverseSecondMoment);
  meanSquares[14] = mean(SUM.scaledGradientSquare);
  for (let k = 0; k < 3; k++) {
    meanSquares[3 + k] = unshifted(k, SUM.momentumShifted + k, SUM.momentumShiftedSquare + k);
    meanSquares[7 + k] = mean(SUM.scaledMomentumSquare + k);
    meanSquares[11 + k] = mean(SUM.factoredGradientSquare + k);
    meanSquares[27 + k] = mean(SUM.factoredMomentumSquare + k);
  }
}

/** A row of statistics, of what was written. */
export function writeStatistics(size: number, row: Float64Array): void {
  const mean = (sum: number) => sums[sum]! / size;
  const variance = (sum: number, square: number) => Math.max(mean(square) - mean(sum) ** 2, 0);
  const meanR = shifts[3]! + mean(SUM.secondMomentShifted);
  const varianceR = variance(SUM.secondMomentShifted, SUM.secondMomentShiftedSquare);
  row[STATISTICS.parameterSquare.begin] = mean(SUM.nextParameterSquare);
  row[STATISTICS.secondMoment.begin] = meanR;
  for (let k = 0; k < 3; k++) {
    const meanM = shifts[k]! + mean(SUM.momentumShifted + k);
    row[STATISTICS.momentumVariance.begin + k] = variance(SUM.momentumShifted + k, SUM.momentumShiftedSquare + k);
    // mean (r - c)^2 = var r + (mean r - c)^2
    row[STATISTICS.secondMomentSpread.begin + k] = varianceR + (meanR - meanM) ** 2;
  }
  row[STATISTICS.updateSquare.begin] = mean(SUM.updateSquare);
}
