/**
 * The one product that forward and backward passes are made of: c += a' b, for row-major a `[depth, rows]`,
 * b `[depth, columns]` and c `[rows, columns]`.
 *
 * Rows and columns are counted in whole fours: memory has room for them, and what is computed beyond the real ones
 * depends on numbers beyond the real ones, which nobody reads. Strides are in bytes.
 */
import { madd } from './functions';

/** Rows of a and b that are taken at a time, so that those of b stay in the first-level cache. */
const DEPTH: i32 = 32;

export function addProduct(
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
  c: usize,
  cStride: usize,
  depth: i32,
  rows: i32,
  columns: i32,
): void {
  for (; depth > 0; depth -= DEPTH) {
    const some = min(depth, DEPTH);
    for (let row = 0; row < rows; row += 4) {
      const aColumn = a + (<usize>row << 2);
      const cRow = c + <usize>row * cStride;
      let column = 0;
      for (; column <= columns - 8; column += 8) {
        const at = <usize>column << 2;
        addBlock(aColumn, aStride, b + at, bStride, some, cRow + at, cStride);
      }
      if (column < columns) {
        const at = <usize>column << 2;
        addNarrowBlock(aColumn, aStride, b + at, bStride, some, cRow + at, cStride);
      }
    }
    a += <usize>DEPTH * aStride;
    b += <usize>DEPTH * bStride;
  }
}

/** Four rows and eight columns. */
function addBlock(a: usize, aStride: usize, b: usize, bStride: usize, depth: i32, c: usize, cStride: usize): void {
  const end = a + <usize>depth * aStride;
  let left0 = v128.load(c);
  let right0 = v128.load(c, 16);
  let left1 = v128.load(c + cStride);
  let right1 = v128.load(c + cStride, 16);
  let left2 = v128.load(c + 2 * cStride);
  let right2 = v128.load(c + 2 * cStride, 16);
  let left3 = v128.load(c + 3 * cStride);
  let right3 = v128.load(c + 3 * cStride, 16);
  while (a != end) {
    const left = v128.load(b);
    const right = v128.load(b, 16);
    let x = v128.load32_splat(a);
    left0 = madd(x, left, left0);
    right0 = madd(x, right, right0);
    x = v128.load32_splat(a, 4);
    left1 = madd(x, left, left1);
    right1 = madd(x, right, right1);
    x = v128.load32_splat(a, 8);
    left2 = madd(x, left, left2);
    right2 = madd(x, right, right2);
    x = v128.load32_splat(a, 12);
    left3 = madd(x, left, left3);
    right3 = madd(x, right, right3);
    a += aStride;
    b += bStride;
  }
  v128.store(c, left0);
  v128.store(c, right0, 16);
  v128.store(c + cStride, left1);
  v128.store(c + cStride, right1, 16);
  v128.store(c + 2 * cStride, left2);
  v128.store(c + 2 * cStride, right2, 16);
  v128.store(c + 3 * cStride, left3);
  v128.store(c + 3 * cStride, right3, 16);
}

/** Four rows and four columns. */
function addNarrowBlock(a: usize, aStride: usize, b: usize, bStride: usize, depth: i32, c: usize, cStride: usize): void {
  const end = a + <usize>depth * aStride;
  let sum0 = v128.load(c);
  let sum1 = v128.load(c + cStride);
  let sum2 = v128.load(c + 2 * cStride);
  let sum3 = v128.load(c + 3 * cStride);
  while (a != end) {
    const row = v128.load(b);
    sum0 = madd(v128.load32_splat(a), row, sum0);
    sum1 = madd(v128.load32_splat(a, 4), row, sum1);
    sum2 = madd(v128.load32_splat(a, 8), row, sum2);
    sum3 = madd(v128.load32_splat(a, 12), row, sum3);
    a += aStride;
    b += bStride;
  }
  v128.store(c, sum0);
  v128.store(c + cStride, sum1);
  v128.store(c + 2 * cStride, sum2);
  v128.store(c + 3 * cStride, sum3);
}
