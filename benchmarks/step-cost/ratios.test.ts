import { describe, expect, it } from 'vitest';
import { findRatio, quantile, ratioOf } from './ratios.ts';
import { group, processOf, timing } from './testing.ts';

describe('ratioOf', () => {
  it('is the median of the ratios of the rounds, not the ratio of the medians', () => {
    const ratio = ratioOf(timing('a', [10, 40, 90]), timing('b', [10, 20, 10]));
    expect(ratio).toEqual({ median: 2, low: 1.5, high: 5.5, clock: 'cpu' });
  });

  it('takes the clock on the wall on both sides where one has threads', () => {
    const threaded = timing('a', [8, 8], { wall: [4, 4], threads: 2 });
    const single = timing('b', [7, 7], { wall: [8, 8] });
    expect(ratioOf(threaded, single)).toMatchObject({ median: 0.5, clock: 'wall' });
    expect(ratioOf(single, threaded)).toMatchObject({ median: 2, clock: 'wall' });
    expect(ratioOf(single, single)).toMatchObject({ median: 1, clock: 'cpu' });
  });
});

describe('quantile', () => {
  it.each([
    [[3], 0.25, 3],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[5, 1, 3], 0.5, 3],
    [[5, 1, 3, 2, 4], 0.25, 2],
    [[1, 2], 1, 2],
  ])('of %j at %d is %d', (values, share, expected) => {
    expect(quantile(values, share)).toBe(expected);
  });
});

describe('findRatio', () => {
  const velo = { contender: 'VeLO wasm', theta: 'starter' } as const;
  const adam = { contender: 'tfjs-wasm Adam', theta: null };

  it('takes both sides from the first process that has them', () => {
    const processes = [
      processOf(group('g', timing('tfjs-wasm Adam', [1]))),
      processOf(group('g', timing('VeLO wasm', [30]), timing('tfjs-wasm Adam', [10]))),
      processOf(group('g', timing('VeLO wasm', [40]), timing('tfjs-wasm Adam', [10]))),
    ];
    expect(findRatio(processes, 'g', velo, adam)?.median).toBe(3);
  });

  it('is null across processes, across groups and between parts', () => {
    const separate = [
      processOf(group('g', timing('tfjs-wasm Adam', [1])), group('h', timing('VeLO wasm', [3]))),
      processOf(group('g', timing('VeLO wasm', [3]), timing('tfjs-wasm Adam', [1], { part: 'network' }))),
    ];
    expect(findRatio(separate, 'g', velo, adam)).toBeNull();
    expect(findRatio(separate, 'none', velo, adam)).toBeNull();
  });
});
