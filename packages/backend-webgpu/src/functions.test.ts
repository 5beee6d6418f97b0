import type { UnaryOp } from '@velojs/core';
import { expect, it } from 'vitest';
import { webgpu } from './index.ts';
import { describeOnGpu } from './testing.ts';

/** From `from` to `to` in even steps, with neither end. */
const even = (from: number, to: number, count = 4000) =>
  Float32Array.from({ length: count }, (_, i) => from + ((to - from) * (i + 0.5)) / count);
/** Of either sign, in even steps of the exponent. */
const exponents = (low: number, high: number) =>
  even(low, high).map((exponent, i) => (i % 2 === 0 ? 1 : -1) * 2 ** exponent);

const definitions = {
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
} as const satisfies Partial<Record<UnaryOp, (x: number) => number>>;

describeOnGpu('functions in WGSL', (gpu) => {
  const ranges: readonly (readonly [keyof typeof definitions, string, Float32Array])[] = [
    ['exp', 'next to 0', exponents(-30, 0)],
    ['exp', 'from end to end', even(-87, 88.7)],
    ['log', 'of all normal numbers', exponents(-126, 127).map(Math.abs)],
    ['log', 'next to 1', even(0.9, 1.1)],
    ['log', 'closer to 1', even(1 - 1e-5, 1 + 1e-5)],
    ['tanh', 'next to 0', exponents(-60, 0)],
    ['tanh', 'from end to end', even(-12, 12)],
    ['sigmoid', 'next to 0', exponents(-60, 0)],
    ['sigmoid', 'from end to end', even(-87, 87)],
  ];
  it.each(ranges)('%s %s is exact to 1e-6 of itself', async (op, _, values) => {
    const backend = await webgpu({ gpu });
    const [actual] = await backend.read([backend.unary(op, backend.tensor(values, [values.length]))]);
    let worst = 0;
    for (const [i, value] of values.entries()) {
      const expected = definitions[op](value);
      // Math.max, unlike a comparison, lets NaN through; numbers next to 0 may be 0.
      worst = Math.max(worst, Math.abs(actual![i]! - expected) / Math.max(Math.abs(expected), 2 ** -126));
    }
    expect(worst).toBeLessThan(1e-6);
    backend.close();
  });

  it('is right where float32 ends', async () => {
    const backend = await webgpu({ gpu });
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    const values = [nan, infinity, -infinity, 0, -1, 1000, -1000];
    const expected: Record<keyof typeof definitions, readonly number[]> = {
      exp: [nan, infinity, 0, 1, Math.fround(Math.exp(-1)), infinity, 0],
      log: [nan, infinity, nan, -infinity, nan, Math.fround(Math.log(1000)), nan],
      tanh: [nan, 1, -1, 0, Math.fround(Math.tanh(-1)), 1, -1],
      sigmoid: [nan, 1, 0, 0.5, Math.fround(1 / (1 + Math.E)), 1, 0],
    };
    for (const op of Object.keys(expected) as (keyof typeof definitions)[]) {
      const [actual] = await backend.read([backend.unary(op, backend.tensor(values, [values.length]))]);
      for (const [i, value] of expected[op].entries()) {
        if (Number.isFinite(value)) expect(actual![i]! - value, `${op}(${values[i]})`).toBeCloseTo(0, 6);
        else expect(actual![i], `${op}(${values[i]})`).toBe(value);
      }
    }
    backend.close();
  });
});
