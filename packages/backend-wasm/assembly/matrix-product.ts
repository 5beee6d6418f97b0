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

/** Rows of the highest block: the most whose sums fit in 15 vector registers beside weights and products. */
const HIGHEST: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/** Height of the next block where `left` rows are left. */
@inline
export function blockHeight(left: i32): i32 {
  return min(left, HIGHEST);
}

/**
 * output = start + rows x panel
 *
 * @param blocks `rows` rows, packed; a block has `blockDepth` entries per row, of which the first `depth` count.
 * @param depth a multiple of `DEPTH_STEP`
 * @param start a row of eight that is added to each row of the product
 * @param output address of the first row of eight, the others `stride` bytes apart
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
  for (; rows >= HIGHEST; rows -= HIGHEST) {
    multiplyHighestBlock(blocks, panel, depth, start, output, stride);
    blocks += <usize>(HIGHEST * blockDepth) << 2;
    output += <usize>HIGHEST * stride;
  }
  if (rows == 1) multiplyLowBlock(1, false, blocks, panel, depth, start, output, stride, 0, 0, 0);
  else if (rows == 2) multiplyLowBlock(2, false, blocks, panel, depth, start, output, stride, 0, 0, 0);
  else if (rows == 3) multiplyBlock(3, false, blocks, panel, depth, start, output, stride, 0, 0, 0);
  else if (rows == 4) multiplyBlock(4, false, blocks, panel, depth, start, output, stride, 0, 0, 0);
  else if (HIGHEST > 5 && rows == 5) multiplyBlock(5, false, blocks, panel, depth, start, output, stride, 0, 0, 0);
}

/**
 * The same, and one more row with a panel of its own: lone += row x lonePanel. Beside the last block, where the one
 * product's work hides the wait for the other's weights.
 *
 * @param row `depth` entries
 * @param lone address of a row of eight
 */
export function multiplyPanels(
  blocks: usize,
  rows: i32,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
  row: usize,
  lonePanel: usize,
  lone: usize,
): void {
  for (; rows >= HIGHEST; rows -= HIGHEST) {
    multiplyHighestBlock(blocks, panel, depth, start, output, stride);
    blocks += <usize>(HIGHEST * depth) << 2;
    output += <usize>HIGHEST * stride;
  }
  if (rows == 0) multiplyPanel(row, 1, depth, lonePanel, depth, lone, lone, 0);
  else if (rows == 1) multiplyLowBlock(1, true, blocks, panel, depth, start, output, stride, row, lonePanel, lone);
  else if (rows == 2) multiplyBlock(2, true, blocks, panel, depth, start, output, stride, row, lonePanel, lone);
  else if (rows == 3) multiplyBlock(3, true, blocks, panel, depth, start, output, stride, row, lonePanel, lone);
  else if (rows == 4) multiplyBlock(4, true, blocks, panel, depth, start, output, stride, row, lonePanel, lone);
  else if (HIGHEST > 5 && rows == 5) {
    multiplyBlock(5, true, blocks, panel, depth, start, output, stride, row, lonePanel, lone);
  }
}

function multiplyHighestBlock(
  block: usize,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
): void {
  multiplyBlock(HIGHEST, false, block, panel, depth, start, output, stride, 0, 0, 0);
}

// How the loops below are written decides what V8 makes of them; measure before you change it.
// - The condition comes first: so the body is a block of its own, in which V8 places every load right before its use.
//   With the condition at the end all loads come first, more than registers hold.
// - No loop is around them in their function (hence `multiplyHighestBlock`): V8 would unroll them, to the same harm.
// - The panel's first row is done before the loop: so the addresses of a block's entries stay in registers.

/**
 * One block of 2 to 6 rows, with a lone row beside it or without. Both are constants: the branches on them are decided
 * when compiling.
 */
@inline
function multiplyBlock(
  height: i32,
  withLone: bool,
  block: usize,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
  row: usize,
  lonePanel: usize,
  lone: usize,
): void {
  const end = panel + <usize>depth * PANEL_ROW_BYTES;
  const startLeft = v128.load(start);
  const startRight = v128.load(start, 16);
  let left2 = startLeft;
  let right2 = startRight;
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
  if (height > 2) {
    x = v128.load32_splat(block, 8);
    left2 = madd(x, left, startLeft);
    right2 = madd(x, right, startRight);
  }
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
  let loneLeft = startLeft;
  let loneRight = startRight;
  if (withLone) {
    x = v128.load32_splat(row);
    loneLeft = madd(x, v128.load(lonePanel), v128.load(lone));
    loneRight = madd(x, v128.load(lonePanel, 16), v128.load(lone, 16));
    row += 4;
    lonePanel += PANEL_ROW_BYTES;
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
    if (height > 2) {
      x = v128.load32_splat(block, 8);
      left2 = madd(x, left, left2);
      right2 = madd(x, right, right2);
    }
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
    if (withLone) {
      x = v128.load32_splat(row);
      loneLeft = madd(x, v128.load(lonePanel), loneLeft);
      loneRight = madd(x, v128.load(lonePanel, 16), loneRight);
      row += 4;
      lonePanel += PANEL_ROW_BYTES;
    }
    block += <usize>height << 2;
    panel += PANEL_ROW_BYTES;
  }
  storeRow(output, left0, right0);
  storeRow(output + stride, left1, right1);
  if (height > 2) storeRow(output + 2 * stride, left2, right2);
  if (height > 3) storeRow(output + 3 * stride, left3, right3);
  if (height > 4) storeRow(output + 4 * stride, left4, right4);
  if (height > 5) storeRow(output + 5 * stride, left5, right5);
  if (withLone) storeRow(lone, loneLeft, loneRight);
}

/**
 * One or two rows, two rows of the panel at a time. Too few sums to hide how long an addition takes: products are
 * added in pairs first.
 */
@inline
function multiplyLowBlock(
  height: i32,
  withLone: bool,
  block: usize,
  panel: usize,
  depth: i32,
  start: usize,
  output: usize,
  stride: usize,
  row: usize,
  lonePanel: usize,
  lone: usize,
): void {
  const end = panel + <usize>depth * PANEL_ROW_BYTES;
  let left0 = v128.load(start);
  let right0 = v128.load(start, 16);
  let left1 = left0;
  let right1 = right0;
  let loneLeft = left0;
  let loneRight = right0;
  if (withLone) {
    loneLeft = v128.load(lone);
    loneRight = v128.load(lone, 16);
  }
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
    if (withLone) {
      first = v128.load32_splat(row);
      second = v128.load32_splat(row, 4);
      const product = f32x4.mul(first, v128.load(lonePanel));
      loneLeft = f32x4.add(loneLeft, madd(second, v128.load(lonePanel, PANEL_ROW_BYTES), product));
      const other = f32x4.mul(first, v128.load(lonePanel, 16));
      loneRight = f32x4.add(loneRight, madd(second, v128.load(lonePanel, PANEL_ROW_BYTES + 16), other));
      row += 8;
      lonePanel += 2 * PANEL_ROW_BYTES;
    }
    block += <usize>height << 3;
    panel += 2 * PANEL_ROW_BYTES;
  }
  storeRow(output, left0, right0);
  if (height > 1) storeRow(output + stride, left1, right1);
  if (withLone) storeRow(lone, loneLeft, loneRight);
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
