import { describe, expect, it } from 'vitest';
import { keyOf, Random } from '../random.ts';
import { createBootstrap, interquartileMean, mean, median, quantile } from './statistics.ts';

describe('summaries', () => {
  it('median', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([1, Infinity, Infinity])).toBe(Infinity);
  });
  // What scipy.stats.trim_mean(values, 0.25) gives.
  it.each([
    [[1, 2, 3, 4], 2.5],
    [[1, 2, 3, 4, 100], 3],
    [[0, 10, 20, 30, 40, 50, 60, 1000], 35],
    [[7], 7],
    [[-Infinity, 1, 2, Infinity], 1.5],
  ])('interquartile mean of %o', (values, expected) => {
    expect(interquartileMean(values)).toBe(expected);
  });
  // What numpy.quantile gives.
  it('quantiles', () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantile([10, 0], 0.9)).toBe(9);
    expect(quantile([3, 1, 2], 1)).toBe(3);
    expect(quantile([1, Infinity, Infinity], 0.75)).toBe(Infinity);
  });
});

describe('bootstrap', () => {
  it('of a mean is as wide as the standard error says', () => {
    const random = new Random(keyOf(1));
    const values = Array.from({ length: 400 }, () => random.normal());
    const cells = values.map(() => ({ group: 'all', seeds: 1 }));
    const { value, low, high } = createBootstrap(cells)((sample) => mean(sample.map(({ task }) => values[task]!)));
    const deviation = Math.sqrt(mean(values.map((x) => (x - value) ** 2)));
    const error = deviation / Math.sqrt(values.length);
    expect(value).toBeCloseTo(mean(values), 12);
    expect((high - low) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
    expect((high + low) / 2).toBeCloseTo(value, 1);
  });
  it('counts the seeds of a task as one draw each', () => {
    // All variance is between the two seeds of a task: resampling tasks alone would show none.
    const cells = Array.from({ length: 100 }, () => ({ group: 'all', seeds: 2 }));
    const { value, low, high } = createBootstrap(cells)((sample) =>
      mean(sample.map(({ seeds }) => mean(seeds.map((seed) => (seed === 0 ? -1 : 1))))),
    );
    expect(value).toBe(0);
    // 200 coins: standard error 1 / sqrt(200).
    expect((high - low) / (2 * 1.96 * Math.sqrt(1 / 200))).toBeCloseTo(1, 1);
  });
  it('keeps the number of tasks of every group', () => {
    const cells = [...Array(5).fill({ group: 'a', seeds: 1 }), ...Array(3).fill({ group: 'b', seeds: 1 })];
    const count = createBootstrap(cells)((sample) => sample.filter(({ task }) => task < 5).length);
    expect(count).toEqual({ value: 5, low: 5, high: 5 });
  });
  it('is the same every time', () => {
    const cells = Array(9).fill({ group: 'a', seeds: 3 });
    const once = () =>
      createBootstrap(cells)((sample) => mean(sample.flatMap(({ task, seeds }) => seeds.map((s) => task * s))));
    expect(once()).toEqual(once());
  });
});
