/** The 30 numbers that the LSTM is told about every tensor (SPEC section 7). */
import type { Backend, Tensor } from './backend.ts';
import { FRACTION_SCALES, LOG_EPSILON, RSQRT_FLOOR } from './constants.ts';
import type { Geometry } from './geometry.ts';
import type { ControllerInputs } from './kernels.ts';
import { operations } from './operations.ts';
import { STATISTICS } from './statistics.ts';

const RANKS = 5;

/** Nine features of how far training has come; `fraction` = t / N may exceed 1. */
export function fractionFeatures(fraction: number): number[] {
  return FRACTION_SCALES.map((scale) => Math.tanh(10 * (fraction - scale)));
}

/** One-hot of the number of axes longer than 1. Quirk: all zero from five axes on. */
export function rankFeatures({ rank }: Geometry): Float64Array {
  return Float64Array.from({ length: RANKS }, (_, i) => (i === rank ? 1 : 0));
}

/** `[n, 30]`: training fraction 0..8, loss 9..17, mean of r 18, rank 19..23, variance of m 24..26, spread of r 27..29. */
export function tensorFeatures<T extends Tensor>(
  backend: Backend<T>,
  { statistics, ranks, common }: Pick<ControllerInputs<T>, 'statistics' | 'ranks' | 'common'>,
): T {
  const { concat, div, expand, max, mul, slice } = operations(backend);
  const column = ({ begin, end }: { begin: number; end: number }) => slice(statistics, 1, begin, end);
  // z^2 with z = rsqrt(max(1e-9, mean p^2)). Quirk: r is scaled by z, as m is, not by z^2.
  const zSquare = div(1, max(column(STATISTICS.parameterSquare), RSQRT_FLOOR));
  const z = backend.unary('sqrt', zSquare);
  return concat(
    [
      expand(common, [statistics.shape[0]!, common.shape[1]!]),
      logMagnitude(backend, mul(column(STATISTICS.secondMoment), z)),
      ranks,
      logMagnitude(backend, mul(column(STATISTICS.momentumVariance), zSquare)),
      logMagnitude(backend, mul(column(STATISTICS.secondMomentSpread), zSquare)),
    ],
    1,
  );
}

/** L(x) = clip(ln(1e-8 + |10 x|), -5, 5) / 2 */
export function logMagnitude<T extends Tensor>(backend: Backend<T>, x: T): T {
  const { abs, add, clip, log, mul } = operations(backend);
  return mul(clip(log(add(LOG_EPSILON, abs(mul(x, 10)))), -5, 5), 0.5);
}
