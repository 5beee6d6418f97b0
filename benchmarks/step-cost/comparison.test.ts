import { describe, expect, it } from 'vitest';
import { compareResults } from './comparison.ts';
import { group, processOf, results, timing } from './testing.ts';

const run = (velo: number[], adam: number[], name = 'tfjs-wasm Adam') =>
  results(processOf(group('g', timing('VeLO wasm', velo), timing(name, adam))));

describe('compareResults', () => {
  it('compares ratios, not times', () => {
    // The second machine is ten times slower at everything; VeLO twice as fast beside Adam.
    const [change] = compareResults(run([40, 44, 48], [10, 11, 12]), run([200, 220, 240], [100, 110, 120]));
    expect(change).toMatchObject({ group: 'g', opponent: 'tfjs-wasm Adam', change: 0.5, verdict: 'faster' });
    expect(change!.before.median).toBe(4);
    expect(change!.after.median).toBe(2);
  });

  it.each([
    [[10, 20, 30], 'same'],
    [[14, 15, 16], 'same'],
    [[40, 41, 42], 'slower'],
    [[5, 6, 7], 'faster'],
  ])('rounds of 10, 15 and 20 against %j are %s: quartiles decide', (after, verdict) => {
    const [change] = compareResults(run([10, 15, 20], [1, 1, 1]), run(after, [1, 1, 1]));
    expect(change!.verdict).toBe(verdict);
  });

  it('divides by an opponent that both runs have', () => {
    const both = (name: string) =>
      results(processOf(group('g', timing('VeLO wasm', [4]), timing(name, [1]), timing('JavaScript Adam', [2]))));
    const [change] = compareResults(both('tfjs-wasm Adam'), both('our WASM Adam'));
    expect(change).toMatchObject({ opponent: 'JavaScript Adam', change: 1 });
    expect(compareResults(run([1], [1]), run([1], [1], 'our WASM Adam'))).toEqual([]);
  });

  it('lists every step of VeLO once, and no step of Adam', () => {
    const step = timing('VeLO wasm', [4]);
    const network = timing('VeLO wasm', [1], { part: 'network' });
    const one = processOf(group('g', step, network, timing('tfjs-wasm Adam', [1])));
    const changes = compareResults(results(one, one), results(one, one));
    expect(changes).toHaveLength(1);
  });
});
