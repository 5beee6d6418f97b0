import { describe, expect, it } from 'vitest';
import { FLOAT16_MAX, fromFloat16, toFloat16 } from './float16.ts';

const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
const numbers = fromFloat16(all);
/** The bits of the numbers from 0 to `FLOAT16_MAX`, ascending: their order is that of the numbers. */
const FINITE = 0x7c00;
const half = (value: number) => toFloat16(Float32Array.of(value))[0]!;

describe('a number of half precision', () => {
  it('is what its bits say', () => {
    const known: [bits: number, value: number][] = [
      [0x0000, 0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0x3c01, 1 + 2 ** -10],
      [0x7bff, FLOAT16_MAX],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xc000, -2],
      [0xfc00, Number.NEGATIVE_INFINITY],
    ];
    for (const [bits, value] of known) expect(numbers[bits]).toBe(value);
    expect(Object.is(numbers[0x8000], -0)).toBe(true);
    expect(numbers[0x7c01]).toBeNaN();
  });

  it('ascends with its bits, and is mirrored by its sign', () => {
    const positive = all.subarray(1, FINITE + 1);
    expect(positive.filter((bits) => !(numbers[bits]! > numbers[bits - 1]!))).toHaveLength(0);
    expect(positive.filter((bits) => numbers[0x8000 | bits] !== -numbers[bits]!)).toHaveLength(0);
  });

  it('comes back from float32 as it was, all 65536 of them', () => {
    const back = toFloat16(numbers);
    const isSame = (bits: number) =>
      Number.isNaN(numbers[bits]) ? Number.isNaN(numbers[back[bits]!]) : back[bits] === bits;
    expect(all.filter((bits) => !isSame(bits))).toHaveLength(0);
  });
});

describe('rounding', () => {
  /** The next float32 number above or below a positive one. */
  const beside = (value: number, by: 1 | -1) => {
    const bits = new Uint32Array(Float32Array.of(value).buffer);
    bits[0]! += by;
    return new Float32Array(bits.buffer)[0]!;
  };

  it('goes to the nearest, and from the middle to the even one, between all neighbours', () => {
    const isRight = (bits: number) => {
      const middle = (numbers[bits]! + numbers[bits + 1]!) / 2;
      const expected = [bits, bits % 2 === 0 ? bits : bits + 1, bits + 1];
      return [beside(middle, -1), middle, beside(middle, 1)].every(
        (value, i) => half(value) === expected[i] && half(-value) === (0x8000 | expected[i]!),
      );
    };
    expect(all.subarray(0, FINITE - 1).filter((bits) => !isRight(bits))).toHaveLength(0);
  });

  it('ends at the largest number and at zero', () => {
    expect(half(65_519.996)).toBe(0x7bff);
    expect(half(65_520)).toBe(0x7c00);
    expect(half(3.4e38)).toBe(0x7c00);
    expect(half(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
    expect(half(2 ** -25)).toBe(0);
    expect(half(beside(2 ** -25, 1))).toBe(1);
    expect(half(1e-45)).toBe(0);
    expect(half(-1e-45)).toBe(0x8000);
    expect(numbers[half(Number.NaN)]).toBeNaN();
  });
});
