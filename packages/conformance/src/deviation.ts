/** How far results may be from what they should be. The suite owns this; a backend only says what it computes in. */
import type { Backend } from '@velojs/core';

/** Relative to the tensor's rms, per tensor and step; whole trajectories (SPEC section 10). */
export const TOLERANCES: Readonly<Record<Backend['arithmetic'], number>> = { float64: 1e-5, float32: 1e-3 };

/** Keeps the deviation finite for tensors that should be zero. */
const SMALLEST_RMS = 1e-12;

/**
 * `max |actual - expected| / max(rms(expected), 1e-12)`; NaN where a value is missing or not a number.
 *
 * @example
 * ```ts
 * deviation([1.001, 1], [1, 1]); // 0.001
 * ```
 */
export function deviation(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.NaN;
  let squares = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    squares += expected[i]! ** 2;
    // Math.max, unlike a comparison, lets NaN through.
    largest = Math.max(largest, Math.abs(actual[i]! - expected[i]!));
  }
  return largest / Math.max(Math.sqrt(squares / Math.max(1, expected.length)), SMALLEST_RMS);
}
