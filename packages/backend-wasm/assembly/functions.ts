/**
 * exp, log, sigmoid and tanh of four float32 at a time, for the controller: errors of a few units in the last place,
 * infinities included; NaN gives NaN.
 */
import { madd } from './vector-math';

const LOG2_E: f32 = 1.4426950408889634;
/** ln 2 in two parts: the first is short, so that its product with a small whole number is exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440054690583e-4;
/** Adding 1.5 * 2^23 rounds a small float32 to a whole number and leaves that number in the low bits of the sum. */
const ROUNDER: f32 = 12582912;
const ROUNDER_BITS: i32 = 0x4b400000;
const ONE_BITS: i32 = 0x3f800000;
const EXPONENT_SHIFT: i32 = 23;

// Past these the result is the limit to the last place, or below 2e-38. No product of two of them overflows.
const EXP_LOWEST: f32 = -87;
const EXP_HIGHEST: f32 = 30;
const TANH_HIGHEST: f32 = 12;

/** 1 / (1 + e^-x), from 2e-38 to 1. */
@inline
export function sigmoid(x: v128): v128 {
  const e = boundedExp(x);
  return f32x4.div(e, f32x4.add(e, f32x4.splat(1)));
}

/** sigmoid(x) tanh(y) with one division; near y = 0 its error is relative too. */
@inline
export function sigmoidTimesTanh(x: v128, y: v128): v128 {
  const e = boundedExp(x);
  // tanh y = t / (t + 2) with t = e^2y - 1
  const bounded = clampThrough(y, -TANH_HIGHEST, TANH_HIGHEST);
  const t = expMinusOne(f32x4.add(bounded, bounded));
  const denominator = f32x4.mul(f32x4.add(e, f32x4.splat(1)), f32x4.add(t, f32x4.splat(2)));
  return f32x4.div(f32x4.mul(e, t), denominator);
}

/** e^x: 0 below -104, Infinity above 88.8, subnormal numbers in between where they belong. */
@inline
export function exp(x: v128): v128 {
  const bounded = clampThrough(x, -105, 89);
  const rounded = rounding(bounded);
  const significand = f32x4.add(expMinusOneReduced(reduce(bounded, rounded)), f32x4.splat(1));
  // 2^n may lie outside float32 where the result does not: it is applied in two halves.
  const n = i32x4.sub(rounded, i32x4.splat(ROUNDER_BITS));
  const half = i32x4.shr_s(n, 1);
  return f32x4.mul(f32x4.mul(significand, powerOfTwo(half)), powerOfTwo(i32x4.sub(n, half)));
}

/** The order of arguments lets a NaN through. */
@inline
function clampThrough(x: v128, low: f32, high: f32): v128 {
  return f32x4.pmax(f32x4.pmin(x, f32x4.splat(high)), f32x4.splat(low));
}

/** e^x for x between the bounds. */
@inline
function boundedExp(x: v128): v128 {
  const bounded = clampThrough(x, EXP_LOWEST, EXP_HIGHEST);
  const rounded = rounding(bounded);
  const scale = powerOfTwo(rounded);
  return madd(scale, expMinusOneReduced(reduce(bounded, rounded)), scale);
}

/** e^x - 1 for |x| <= 80, with the relative error of float32 down to the smallest x. */
@inline
function expMinusOne(x: v128): v128 {
  const rounded = rounding(x);
  const scale = powerOfTwo(rounded);
  return madd(scale, expMinusOneReduced(reduce(x, rounded)), f32x4.sub(scale, f32x4.splat(1)));
}

/** `ROUNDER` + n, n the whole number nearest to x / ln 2. */
@inline
function rounding(x: v128): v128 {
  return madd(x, f32x4.splat(LOG2_E), f32x4.splat(ROUNDER));
}

/** x - n ln 2, at most ln(2) / 2 in size. */
@inline
function reduce(x: v128, rounded: v128): v128 {
  const n = f32x4.sub(rounded, f32x4.splat(ROUNDER));
  return madd(n, f32x4.splat(-LN2_LOW), madd(n, f32x4.splat(-LN2_HIGH), x));
}

/** 2^n for n from -126 to 127. Of a rounded number it is the same: the shift drops the bits of `ROUNDER`. */
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.add(i32x4.shl(n, EXPONENT_SHIFT), i32x4.splat(ONE_BITS));
}

/** e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), q fitted for least relative error (1.4e-8). */
@inline
function expMinusOneReduced(r: v128): v128 {
  // The two halves of the polynomial do not wait for one another.
  const square = f32x4.mul(r, r);
  const low = madd(f32x4.splat(0.16666541993618011), r, f32x4.splat(0.5));
  const middle = madd(f32x4.splat(0.008366691879928112), r, f32x4.splat(0.04166720435023308));
  const high = madd(f32x4.splat(0.00138824840541929), square, middle);
  return madd(square, madd(high, square, low), r);
}

/** ln x for normal x > 0. Infinity gives the logarithm of 2^128, 88.7. */
@inline
export function log(x: v128): v128 {
  // x = 2^n y with y between the root of 1/2 and that of 2.
  const n = i32x4.shr_s(i32x4.sub(x, i32x4.splat(0x3f3504f3)), EXPONENT_SHIFT);
  const y = i32x4.sub(x, i32x4.shl(n, EXPONENT_SHIFT));
  // ln y = 2 artanh(s), s = (y - 1) / (y + 1), |s| < 0.172: five terms of the series.
  const one = f32x4.splat(1);
  const s = f32x4.div(f32x4.sub(y, one), f32x4.add(y, one));
  const z = f32x4.mul(s, s);
  let series = madd(f32x4.splat(2.0 / 9.0), z, f32x4.splat(2.0 / 7.0));
  series = madd(series, z, f32x4.splat(2.0 / 5.0));
  series = madd(series, z, f32x4.splat(2.0 / 3.0));
  const tail = f32x4.mul(f32x4.mul(series, z), s);
  const k = f32x4.convert_i32x4_s(n);
  const small = madd(k, f32x4.splat(LN2_LOW), tail);
  const result = madd(k, f32x4.splat(LN2_HIGH), f32x4.add(small, f32x4.add(s, s)));
  // The bits of a NaN are no number's.
  return v128.bitselect(x, result, f32x4.ne(x, x));
}
