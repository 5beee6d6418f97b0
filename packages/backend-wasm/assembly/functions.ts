/**
 * exp, expm1, log, sigmoid and tanh of four float32 at a time: errors of a few units in the last place for every
 * argument, infinities included; NaN gives NaN.
 */

const LOG2_E: f32 = 1.4426950408889634;
/** ln 2 in two parts: the first is short, so that its product with a small whole number is exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440054690583e-4;
/** Adding 1.5 * 2^23 rounds a small float32 to a whole number and leaves that number in the low bits of the sum. */
const ROUNDER: f32 = 12582912;
const ROUNDER_BITS: i32 = 0x4b400000;
const ONE_BITS: i32 = 0x3f800000;
const EXPONENT_SHIFT: i32 = 23;

/** 1 / (1 + e^-x), from 0 to 1. */
@inline
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(x))));
}

/** Right to the last places near 0 too, where tanh(x) is close to x. */
@inline
export function tanh(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  // From 20 on tanh is 1 in float32. The order of arguments lets a NaN through.
  const t = expMinusOne(f32x4.pmin(f32x4.add(magnitude, magnitude), f32x4.splat(40)));
  const size = f32x4.div(t, f32x4.add(t, f32x4.splat(2)));
  return v128.or(size, v128.and(x, i32x4.splat(0x80000000)));
}

/** e^x: 0 below -104, Infinity above 88.8, subnormal numbers in between where they belong. */
@inline
export function exp(x: v128): v128 {
  const bounded = f32x4.pmax(f32x4.pmin(x, f32x4.splat(89)), f32x4.splat(-105));
  const rounded = f32x4.add(f32x4.mul(bounded, f32x4.splat(LOG2_E)), f32x4.splat(ROUNDER));
  const r = reduce(bounded, rounded);
  const exponent = i32x4.sub(rounded, i32x4.splat(ROUNDER_BITS));
  // 2^exponent may lie outside float32 where the result does not: it is applied in two halves.
  const half = i32x4.shr_s(exponent, 1);
  const significand = f32x4.add(expMinusOneReduced(r), f32x4.splat(1));
  return f32x4.mul(f32x4.mul(significand, powerOfTwo(half)), powerOfTwo(i32x4.sub(exponent, half)));
}

/** e^x - 1 for 0 <= x <= 80, with the relative error of float32 down to the smallest x. */
@inline
function expMinusOne(x: v128): v128 {
  const rounded = f32x4.add(f32x4.mul(x, f32x4.splat(LOG2_E)), f32x4.splat(ROUNDER));
  const scale = powerOfTwo(i32x4.sub(rounded, i32x4.splat(ROUNDER_BITS)));
  const reduced = expMinusOneReduced(reduce(x, rounded));
  return f32x4.add(f32x4.mul(scale, reduced), f32x4.sub(scale, f32x4.splat(1)));
}

/** x - n ln 2, at most ln(2) / 2 in size, where n is the whole number that `rounded` holds. */
@inline
function reduce(x: v128, rounded: v128): v128 {
  const n = f32x4.sub(rounded, f32x4.splat(ROUNDER));
  return f32x4.sub(f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HIGH))), f32x4.mul(n, f32x4.splat(LN2_LOW)));
}

/** e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), q fitted for least relative error (1.4e-8). */
@inline
function expMinusOneReduced(r: v128): v128 {
  let q = f32x4.splat(0.00138824840541929);
  q = f32x4.add(f32x4.mul(q, r), f32x4.splat(0.008366691879928112));
  q = f32x4.add(f32x4.mul(q, r), f32x4.splat(0.04166720435023308));
  q = f32x4.add(f32x4.mul(q, r), f32x4.splat(0.16666541993618011));
  q = f32x4.add(f32x4.mul(q, r), f32x4.splat(0.5));
  return f32x4.add(f32x4.mul(f32x4.mul(r, r), q), r);
}

/** 2^n for whole n from -126 to 127. */
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.add(i32x4.shl(n, EXPONENT_SHIFT), i32x4.splat(ONE_BITS));
}

/** ln x for normal x > 0. Infinity gives the logarithm of 2^128, 88.7. */
@inline
export function log(x: v128): v128 {
  // x = 2^n y with y between the root of 1/2 and that of 2.
  const rootOfHalfBits = i32x4.splat(0x3f3504f3);
  const n = i32x4.shr_s(i32x4.sub(x, rootOfHalfBits), EXPONENT_SHIFT);
  const y = i32x4.sub(x, i32x4.shl(n, EXPONENT_SHIFT));
  // ln y = 2 artanh(s), s = (y - 1) / (y + 1), |s| < 0.172: five terms of the series.
  const one = f32x4.splat(1);
  const s = f32x4.div(f32x4.sub(y, one), f32x4.add(y, one));
  const z = f32x4.mul(s, s);
  let series = f32x4.splat(2.0 / 9.0);
  series = f32x4.add(f32x4.mul(series, z), f32x4.splat(2.0 / 7.0));
  series = f32x4.add(f32x4.mul(series, z), f32x4.splat(2.0 / 5.0));
  series = f32x4.add(f32x4.mul(series, z), f32x4.splat(2.0 / 3.0));
  const tail = f32x4.mul(f32x4.mul(series, z), s);
  const k = f32x4.convert_i32x4_s(n);
  const small = f32x4.add(tail, f32x4.mul(k, f32x4.splat(LN2_LOW)));
  const result = f32x4.add(f32x4.add(small, f32x4.add(s, s)), f32x4.mul(k, f32x4.splat(LN2_HIGH)));
  // The bits of a NaN are no number's.
  return v128.bitselect(x, result, f32x4.ne(x, x));
}
