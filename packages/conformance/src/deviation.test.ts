import { describe, expect, it } from 'vitest';
import { deviation } from './deviation.ts';

describe('deviation', () => {
  it('is the largest error over the root mean square', () => {
    expect(deviation([1, 2, 3], [1, 2, 3])).toBe(0);
    // rms(3, 4, 0, 0) = 2.5
    expect(deviation([3, 4, 0.5, -1], [3, 4, 0, 0])).toBeCloseTo(0.4, 12);
  });

  it('of what should be zero is in units of 1e-12', () => {
    expect(deviation([0, 0], [0, 0])).toBe(0);
    expect(deviation([2e-12], [0])).toBeCloseTo(2, 12);
  });

  it('is NaN, which passes no comparison, where values are missing or not numbers', () => {
    for (const [actual, expected] of [
      [[1], [1, 2]],
      [[1, 2], [1]],
      [
        [Number.NaN, 1],
        [1, 1],
      ],
      [
        [1, Number.NaN],
        [1, 1],
      ],
      [
        [1, 1],
        [Number.NaN, 1],
      ],
      [[Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY]],
    ] as const) {
      expect(deviation(actual, expected)).toBeNaN();
    }
    expect(deviation([Number.POSITIVE_INFINITY], [1])).toBe(Number.POSITIVE_INFINITY);
  });
});
