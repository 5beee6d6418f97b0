/** Moving and filling matrices. Counts are rounded up to whole fours, for which memory has room; strides are in bytes. */

@inline
export function padded(count: i32): i32 {
  return (count + 3) & -4;
}

/** Bytes of a row of so many float32, rounded up. */
@inline
export function rowBytes(count: i32): usize {
  return <usize>padded(count) << 2;
}

/** to `[columns, rows]` = from `[rows, columns]`, transposed. */
export function transpose(
  from: usize,
  fromStride: usize,
  rows: i32,
  columns: i32,
  to: usize,
  toStride: usize,
): void {
  for (let row = 0; row < rows; row += 4) {
    let source = from + <usize>row * fromStride;
    let target = to + (<usize>row << 2);
    for (let column = 0; column < columns; column += 4) {
      const a = v128.load(source);
      const b = v128.load(source + fromStride);
      const c = v128.load(source + 2 * fromStride);
      const d = v128.load(source + 3 * fromStride);
      const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
      const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
      const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
      const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<i64>(ab, cd, 0, 2));
      v128.store(target + toStride, v128.shuffle<i64>(ab, cd, 1, 3));
      v128.store(target + 2 * toStride, v128.shuffle<i64>(abHigh, cdHigh, 0, 2));
      v128.store(target + 3 * toStride, v128.shuffle<i64>(abHigh, cdHigh, 1, 3));
      source += 16;
      target += 4 * toStride;
    }
  }
}

/** Each row of `[rows, columns]` is filled with the number that `values` has for it. */
export function fillRows(values: usize, rows: i32, columns: i32, to: usize): void {
  for (let row = 0; row < rows; row++) {
    const value = v128.load32_splat(values);
    for (let column = 0; column < columns; column += 4) {
      v128.store(to, value);
      to += 16;
    }
    values += 4;
  }
}

/** to `[columns]` = the sums of the columns of `[rows, columns]`. */
export function sumRows(from: usize, stride: usize, rows: i32, columns: i32, to: usize): void {
  for (let column = 0; column < columns; column += 4) {
    let sum = f32x4.splat(0);
    let at = from + (<usize>column << 2);
    for (let row = 0; row < rows; row++) {
      sum = f32x4.add(sum, v128.load(at));
      at += stride;
    }
    v128.store(to + (<usize>column << 2), sum);
  }
}

export function clear(at: usize, bytes: usize): void {
  for (const end = at + bytes; at < end; at += 16) v128.store(at, i32x4.splat(0));
}

/** Takes the space between the rows of a padded matrix away, in place. */
export function closeRows(matrix: usize, rows: i32, columns: i32): void {
  let from = matrix;
  let to = matrix;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      store<f32>(to, load<f32>(from + (<usize>column << 2)));
      to += 4;
    }
    from += rowBytes(columns);
  }
}
