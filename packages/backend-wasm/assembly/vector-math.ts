/** What several kernels need of arithmetic on four float32 at a time. */

/** a * b + c */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

@inline
export function clamp(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, low), high);
}

@inline
export function relu(x: v128): v128 {
  return f32x4.pmax(x, f32x4.splat(0));
}

/** 1 / sqrt(x), as exact as division and root are. */
@inline
export function rsqrt(x: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
}

/** Adds four partial sums in float32 to two in float64 at `address`. */
@inline
export function accumulate(address: usize, sums: v128): void {
  v128.store(address, f64x2.add(v128.load(address), widened(sums)));
}

/** Two float64 whose sum is that of the four lanes. */
@inline
function widened(x: v128): v128 {
  return f64x2.add(lowDoubles(x), highDoubles(x));
}

@inline
export function lowDoubles(x: v128): v128 {
  return f64x2.promote_low_f32x4(x);
}

@inline
export function highDoubles(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0));
}

/** Four float32 of four float64 in memory. */
@inline
export function narrowed(address: usize): v128 {
  const low = f32x4.demote_f64x2_zero(v128.load(address));
  const high = f32x4.demote_f64x2_zero(v128.load(address, 16));
  return v128.shuffle<i64>(low, high, 0, 2);
}

/** The sum of two float64 at `address`. */
@inline
export function pairSum(address: usize): f64 {
  return load<f64>(address) + load<f64>(address, 8);
}

/** The sum of the four lanes. */
@inline
export function laneSum(x: v128): f64 {
  const pair = widened(x);
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** All bits set in the first `count` lanes; in none if it is 0 or less, in all from 4 on. */
@inline
export function firstLanes(count: i32): v128 {
  return i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3));
}

/** Zeroes `bytes`, a multiple of 16. */
export function clear(address: usize, bytes: usize): void {
  const end = address + bytes;
  for (; address < end; address += 16) v128.store(address, i32x4.splat(0));
}
