/** exp, log, sigmoid and tanh of four float32 at a time: errors of a few units in the last place; NaN gives NaN. */

const LOG2_E: f32 = 1.4426950408889634;
/** ln 2 in two parts: the first is short, so that its product with a small whole number is exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440054690583e-4;
/** Adding 1.5 * 2^23 rounds a small float32 to a whole number and leaves that number in the low bits of the sum. */
const ROUNDER: f32 = 12582912;
const EXPONENT_SHIFT: i32 = 23;
const ONE_BITS: i32 = 0x3f800000;

@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** e^x for x <= 0; below -87 what e^-87 is, 2e-38. */
@inline
export function expOfNegative(x: v128): v128 {
  const bounded = f32x4.pmax(x, f32x4.splat(-87));
  const rounded = rounding(bounded);
  const scale = powerOfTwo(rounded);
  return madd(scale, expMinusOneReduced(reduce(bounded, rounded)), scale);
}

/** 1 / (1 + e^-x), from 2e-38 to 1. */
@inline
export function sigmoid(x: v128): v128 {
  // e^-|x|, so that neither end overflows: the order of arguments lets a NaN through.
  const e = expOfNegative(f32x4.neg(f32x4.abs(x)));
  const numerator = v128.bitselect(e, f32x4.splat(1), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.div(numerator, f32x4.add(e, f32x4.splat(1)));
}

/** Near 0 its error is relative too. */
@inline
export function tanh(x: v128): v128 {
  // t / (t + 2) with t = e^2x - 1
  const bounded = f32x4.pmax(f32x4.pmin(x, f32x4.splat(12)), f32x4.splat(-12));
  const t = expMinusOne(f32x4.add(bounded, bounded));
  return f32x4.div(t, f32x4.add(t, f32x4.splat(2)));
}

/** ln(1 + x) for x from 0 to the largest numbers, with a relative error near 0. */
@inline
export function logOnePlus(x: v128): v128 {
  const one = f32x4.splat(1);
  const y = f32x4.add(x, one);
  // What rounding took away from 1 + x; y is near x where that is much.
  const lost = f32x4.sub(x, f32x4.sub(y, one));
  return f32x4.add(log(y), f32x4.div(lost, y));
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

/** 2^n of `ROUNDER` + n, for n from -126 to 127: the shift drops the bits of `ROUNDER`. */
@inline
function powerOfTwo(rounded: v128): v128 {
  return i32x4.add(i32x4.shl(rounded, EXPONENT_SHIFT), i32x4.splat(ONE_BITS));
}

/** e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), q fitted for least relative error (1.4e-8). */
@inline
function expMinusOneReduced(r: v128): v128 {
  const square = f32x4.mul(r, r);
  const low = madd(f32x4.splat(0.16666541993618011), r, f32x4.splat(0.5));
  const middle = madd(f32x4.splat(0.008366691879928112), r, f32x4.splat(0.04166720435023308));
  const high = madd(f32x4.splat(0.00138824840541929), square, middle);
  return madd(square, madd(high, square, low), r);
}

/** ln x for normal x > 0. */
@inline
function log(x: v128): v128 {
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
  const result = madd(k, f32x4.splat(LN2_HIGH), f32x4.add(madd(k, f32x4.splat(LN2_LOW), tail), f32x4.add(s, s)));
  // The bits of a NaN are no number's.
  return v128.bitselect(x, result, f32x4.ne(x, x));
}
