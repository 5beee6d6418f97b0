/**
 * Products of a few rows with a wide matrix, as the controller needs them.
 *
 * The matrix is packed in panels of eight columns, one row of eight after another, so that its memory is read once and
 * in order. The rows are packed in blocks of a few rows, all rows' first entries, then all rows' second ones, and so
 * on: a block and a panel of a wide theta lie in the first-level cache together, and each has one pointer.
 *
 *     panel [depth][8]      block [depth][height]
 *
 * Depths are multiples of `DEPTH_STEP`; what is added to get there is 0 in both.
 */
import { madd } from './vector-math';

/** Columns of a panel. */
export const PANEL_WIDTH: i32 = 8;
/** Bytes of a panel's row. */
export const PANEL_ROW_BYTES: usize = 32;
const DEPTH_STEP: i32 = 4;

@inline
export function paddedDepth(depth: i32): i32 {
  return (depth + DEPTH_STEP - 1) & -DEPTH_STEP;
}

@inline
export function panelBytes(depth: i32): usize {
  return <usize>paddedDepth(depth) * PANEL_ROW_BYTES;
}

/** Height of the next block where `left` rows are left: as many as registers hold, and never one row beside others. */
@inline
export function blockHeight(left: i32): i32 {
  if (ASC_FEATURE_RELAXED_SIMD) return left > 8 ? 6 : left > 6 ? 4 : left;
  return left == 5 ? 5 : min(left, 4);
}

/**
 * output = start + rows x panel; `start` is a row of eight that is added to each of them.
 *
 * @param blocks `rows` rows, packed; a block has `blockDepth` entries per row, of which the first `depth` count.
 * @param output address of the first row of eight, the others `stride` bytes apart.
 */
export function multiplyPanel(
  blocks: usize,
  rows: i32,
  blockDepth: i32,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
): void {
  const rowBytes = <usize>blockDepth << 2;
  let left = rows;
  if (ASC_FEATURE_RELAXED_SIMD) {
    for (; left > 8; left -= 6) {
      multiplySix(blocks, panel, depth, start, output, stride);
      blocks += 6 * rowBytes;
      output += 6 * stride;
    }
    if (left > 6) {
      multiplyFour(blocks, panel, depth, start, output, stride);
      left -= 4;
      blocks += 4 * rowBytes;
      output += 4 * stride;
    }
    if (left == 6) return multiplySix(blocks, panel, depth, start, output, stride);
    if (left == 4) return multiplyFour(blocks, panel, depth, start, output, stride);
  } else {
    for (; left > 5; left -= 4) {
      multiplyFourByTwo(blocks, panel, depth, start, output, stride);
      blocks += 4 * rowBytes;
      output += 4 * stride;
    }
    if (left == 4) return multiplyFourByTwo(blocks, panel, depth, start, output, stride);
  }
  if (left == 5) multiplyBlock(5, blocks, panel, depth, start, output, stride);
  else if (left == 3) multiplyBlock(3, blocks, panel, depth, start, output, stride);
  else if (left == 2) multiplyFew(2, blocks, panel, depth, start, output, stride);
  else multiplyFew(1, blocks, panel, depth, start, output, stride);
}

function multiplySix(block: usize, panel: usize, depth: i32, start: usize, output: usize, stride: usize): void {
  multiplyBlock(6, block, panel, depth, start, output, stride);
}

function multiplyFour(block: usize, panel: usize, depth: i32, start: usize, output: usize, stride: usize): void {
  multiplyBlock(4, block, panel, depth, start, output, stride);
}

// How the loops below are written decides what V8 makes of them; measure before you change it.
// - The condition comes first: so the body is a block of its own, in which V8 places every load right before its use.
//   With the condition at the end all loads come first, more than registers hold.
// - The loops are not nested, or too long to be unrolled: V8's unrolling does the same harm.
// - The first row is done before the loop: so the addresses of a block's entries stay in registers.

/** One block of 3 to 6 rows. `height` is a constant: the branches on it are decided when compiling. */
@inline
function multiplyBlock(
  height: i32,
  block: usize,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
): void {
  const end = panel + <usize>depth * PANEL_ROW_BYTES;
  const startLeft = v128.load(start);
  const startRight = v128.load(start, 16);
  let left3 = startLeft;
  let right3 = startRight;
  let left4 = startLeft;
  let right4 = startRight;
  let left5 = startLeft;
  let right5 = startRight;
  let left = v128.load(panel);
  let right = v128.load(panel, 16);
  let x = v128.load32_splat(block);
  let left0 = madd(x, left, startLeft);
  let right0 = madd(x, right, startRight);
  x = v128.load32_splat(block, 4);
  let left1 = madd(x, left, startLeft);
  let right1 = madd(x, right, startRight);
  x = v128.load32_splat(block, 8);
  let left2 = madd(x, left, startLeft);
  let right2 = madd(x, right, startRight);
  if (height > 3) {
    x = v128.load32_splat(block, 12);
    left3 = madd(x, left, startLeft);
    right3 = madd(x, right, startRight);
  }
  if (height > 4) {
    x = v128.load32_splat(block, 16);
    left4 = madd(x, left, startLeft);
    right4 = madd(x, right, startRight);
  }
  if (height > 5) {
    x = v128.load32_splat(block, 20);
    left5 = madd(x, left, startLeft);
    right5 = madd(x, right, startRight);
  }
  block += <usize>height << 2;
  panel += PANEL_ROW_BYTES;
  while (panel != end) {
    left = v128.load(panel);
    right = v128.load(panel, 16);
    x = v128.load32_splat(block);
    left0 = madd(x, left, left0);
    right0 = madd(x, right, right0);
    x = v128.load32_splat(block, 4);
    left1 = madd(x, left, left1);
    right1 = madd(x, right, right1);
    x = v128.load32_splat(block, 8);
    left2 = madd(x, left, left2);
    right2 = madd(x, right, right2);
    if (height > 3) {
      x = v128.load32_splat(block, 12);
      left3 = madd(x, left, left3);
      right3 = madd(x, right, right3);
    }
    if (height > 4) {
      x = v128.load32_splat(block, 16);
      left4 = madd(x, left, left4);
      right4 = madd(x, right, right4);
    }
    if (height > 5) {
      x = v128.load32_splat(block, 20);
      left5 = madd(x, left, left5);
      right5 = madd(x, right, right5);
    }
    block += <usize>height << 2;
    panel += PANEL_ROW_BYTES;
  }
  storeRow(output, left0, right0);
  storeRow(output + stride, left1, right1);
  storeRow(output + 2 * stride, left2, right2);
  if (height > 3) storeRow(output + 3 * stride, left3, right3);
  if (height > 4) storeRow(output + 4 * stride, left4, right4);
  if (height > 5) storeRow(output + 5 * stride, left5, right5);
}

/** Four rows, two rows of the panel at a time: fills the registers exactly where products and sums are apart. */
function multiplyFourByTwo(block: usize, panel: usize, depth: i32, start: usize, output: usize, stride: usize): void {
  const end = panel + <usize>depth * PANEL_ROW_BYTES;
  const startLeft = v128.load(start);
  const startRight = v128.load(start, 16);
  let left = v128.load(panel);
  let right = v128.load(panel, 16);
  let x = v128.load32_splat(block);
  let left0 = madd(x, left, startLeft);
  let right0 = madd(x, right, startRight);
  x = v128.load32_splat(block, 4);
  let left1 = madd(x, left, startLeft);
  let right1 = madd(x, right, startRight);
  x = v128.load32_splat(block, 8);
  let left2 = madd(x, left, startLeft);
  let right2 = madd(x, right, startRight);
  x = v128.load32_splat(block, 12);
  let left3 = madd(x, left, startLeft);
  let right3 = madd(x, right, startRight);
  // The second row too, since the rest is even.
  left = v128.load(panel, PANEL_ROW_BYTES);
  right = v128.load(panel, PANEL_ROW_BYTES + 16);
  x = v128.load32_splat(block, 16);
  left0 = madd(x, left, left0);
  right0 = madd(x, right, right0);
  x = v128.load32_splat(block, 20);
  left1 = madd(x, left, left1);
  right1 = madd(x, right, right1);
  x = v128.load32_splat(block, 24);
  left2 = madd(x, left, left2);
  right2 = madd(x, right, right2);
  x = v128.load32_splat(block, 28);
  left3 = madd(x, left, left3);
  right3 = madd(x, right, right3);
  block += 32;
  panel += 2 * PANEL_ROW_BYTES;
  while (panel != end) {
    left = v128.load(panel);
    right = v128.load(panel, 16);
    x = v128.load32_splat(block);
    left0 = madd(x, left, left0);
    right0 = madd(x, right, right0);
    x = v128.load32_splat(block, 4);
    left1 = madd(x, left, left1);
    right1 = madd(x, right, right1);
    x = v128.load32_splat(block, 8);
    left2 = madd(x, left, left2);
    right2 = madd(x, right, right2);
    x = v128.load32_splat(block, 12);
    left3 = madd(x, left, left3);
    right3 = madd(x, right, right3);
    left = v128.load(panel, PANEL_ROW_BYTES);
    right = v128.load(panel, PANEL_ROW_BYTES + 16);
    x = v128.load32_splat(block, 16);
    left0 = madd(x, left, left0);
    right0 = madd(x, right, right0);
    x = v128.load32_splat(block, 20);
    left1 = madd(x, left, left1);
    right1 = madd(x, right, right1);
    x = v128.load32_splat(block, 24);
    left2 = madd(x, left, left2);
    right2 = madd(x, right, right2);
    x = v128.load32_splat(block, 28);
    left3 = madd(x, left, left3);
    right3 = madd(x, right, right3);
    block += 32;
    panel += 2 * PANEL_ROW_BYTES;
  }
  storeRow(output, left0, right0);
  storeRow(output + stride, left1, right1);
  storeRow(output + 2 * stride, left2, right2);
  storeRow(output + 3 * stride, left3, right3);
}

/**
 * One or two rows, two rows of the panel at a time. Too few sums to hide how long an addition takes: products are
 * added in pairs first.
 */
@inline
function multiplyFew(
  height: i32,
  block: usize,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
): void {
  const end = panel + <usize>depth * PANEL_ROW_BYTES;
  let left0 = v128.load(start);
  let right0 = v128.load(start, 16);
  let left1 = left0;
  let right1 = right0;
  while (panel != end) {
    const firstLeft = v128.load(panel);
    const firstRight = v128.load(panel, 16);
    const secondLeft = v128.load(panel, PANEL_ROW_BYTES);
    const secondRight = v128.load(panel, PANEL_ROW_BYTES + 16);
    let first = v128.load32_splat(block);
    let second = height > 1 ? v128.load32_splat(block, 8) : v128.load32_splat(block, 4);
    left0 = f32x4.add(left0, madd(second, secondLeft, f32x4.mul(first, firstLeft)));
    right0 = f32x4.add(right0, madd(second, secondRight, f32x4.mul(first, firstRight)));
    if (height > 1) {
      first = v128.load32_splat(block, 4);
      second = v128.load32_splat(block, 12);
      left1 = f32x4.add(left1, madd(second, secondLeft, f32x4.mul(first, firstLeft)));
      right1 = f32x4.add(right1, madd(second, secondRight, f32x4.mul(first, firstRight)));
    }
    block += <usize>height << 3;
    panel += 2 * PANEL_ROW_BYTES;
  }
  storeRow(output, left0, right0);
  if (height > 1) storeRow(output + stride, left1, right1);
}

@inline
function storeRow(address: usize, left: v128, right: v128): void {
  v128.store(address, left);
  v128.store(address, right, 16);
}

/**
 * Packs four columns of a row-major matrix as the left (`panel`) or right (`panel + 16`) half of a panel.
 *
 * @param rows rows to pack from `source` on; the caller has cleared the panel.
 * @param sourceStride bytes from row to row of the source.
 * @param columns how many of the four exist.
 */
export function packHalfPanel(panel: usize, source: usize, rows: i32, sourceStride: usize, columns: i32): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      store<f32>(panel + (<usize>column << 2), load<f32>(source + (<usize>column << 2)));
    }
    panel += PANEL_ROW_BYTES;
    source += sourceStride;
  }
}
