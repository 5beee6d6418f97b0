import { describe, expect, it } from 'vitest';
import { derive, keyOf, Random, threefry } from './random.ts';

const blockOf = (key: readonly [number, number], high: number, low: number) => {
  const out = new Uint32Array(2);
  threefry(key, high, low, out);
  return [...out].map((word) => word.toString(16).padStart(8, '0'));
};

describe('threefry2x32, 20 rounds', () => {
  // Known answers published with Random123.
  it.each([
    [
      [0, 0],
      [0, 0],
      ['6b200159', '99ba4efe'],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ['1cb996fc', 'bb002be7'],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      ['c4923a9c', '483df7a0'],
    ],
  ] as const)('key %o, counter %o', (key, [high, low], expected) => {
    expect(blockOf(key, high, low)).toEqual(expected);
  });
});

describe('keys', () => {
  it('keep all bits of a seed', () => {
    expect(keyOf(2 ** 40 + 7)).toEqual([256, 7]);
    expect(keyOf(2 ** 32 - 1)).toEqual([0, 0xffffffff]);
  });
  it('differ by path, and do not depend on what was drawn', () => {
    const keys = [derive(keyOf(1), 2), derive(keyOf(1), 3), derive(keyOf(2), 2), derive(keyOf(1), 2, 0)];
    expect(new Set(keys.map(String)).size).toBe(4);
    const random = new Random(keyOf(5));
    random.uniform();
    expect(derive(keyOf(1), 2)).toEqual(keys[0]);
  });
});

describe('numbers', () => {
  const random = new Random(keyOf(3));
  const draw = (count: number, one: () => number) => Float64Array.from({ length: count }, one);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('uniform', () => {
    const values = draw(20_000, () => random.uniform(2, 4));
    expect(mean(values)).toBeCloseTo(3, 1);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...values)).toBeLessThan(4);
  });
  it('normal, one by one and by the array', () => {
    for (const values of [draw(20_000, () => random.normal()), random.normals(new Float64Array(20_001))]) {
      expect(Math.abs(mean(values))).toBeLessThan(0.03);
      expect(mean(values.map((value) => value ** 2))).toBeCloseTo(1, 1);
      expect(mean(values.map((value) => value ** 4))).toBeGreaterThan(2.7);
    }
  });
  it('log-uniform, whole numbers, chances, choices', () => {
    const decades = draw(10_000, () => Math.log10(random.logUniform(1e-3, 1e3)));
    expect(Math.abs(mean(decades))).toBeLessThan(0.1);
    expect(new Set(draw(200, () => random.integer(5)))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(mean(draw(10_000, () => Number(random.chance(0.3))))).toBeCloseTo(0.3, 1);
    expect(new Set(Array.from({ length: 100 }, () => random.choice(['a', 'b'])))).toEqual(new Set(['a', 'b']));
  });
});
