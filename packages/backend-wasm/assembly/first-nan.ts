/** Index of the first NaN of a float32 array, or -1. */
export function firstNaN(values: usize, length: i32): i32 {
  const end = values + (<usize>length << 2);
  const blocksEnd = values + (<usize>(length & -16) << 2);
  let at = values;
  for (; at < blocksEnd; at += 64) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);

    if (v128.any_true(v128.or(unordered(a, b), unordered(c, d)))) break;
  }
  for (; at < end; at += 4) {
    const x = load<f32>(at);
    if (x != x) return <i32>((at - values) >> 2);
  }
  return -1;
}

/** Lanes where a or b is NaN. */
@inline
function unordered(a: v128, b: v128): v128 {
  return v128.or(f32x4.ne(a, a), f32x4.ne(b, b));
}
