/**
 * Products of small row-major matrices that are added to what is there. Four terms at a time: loading and storing costs
 * more than multiplying.
 */

/** `out [rows, columns] += a [rows, inner] b [inner, columns]`; each begins at its place in its array. */
export function addProduct(
  out: Float64Array,
  outAt: number,
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  rows: number,
  inner: number,
  columns: number,
): void {
  const blocks = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    const to = outAt + row * columns;
    const from = aAt + row * inner;
    let b0 = bAt;
    for (let k = 0; k < blocks; k += 4, b0 += 4 * columns) {
      const a0 = a[from + k]!;
      const a1 = a[from + k + 1]!;
      const a2 = a[from + k + 2]!;
      const a3 = a[from + k + 3]!;
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      for (let c = 0; c < columns; c++) {
        out[to + c]! += a0 * b[b0 + c]! + a1 * b[b1 + c]! + a2 * b[b2 + c]! + a3 * b[b3 + c]!;
      }
    }
    for (let k = blocks; k < inner; k++, b0 += columns) {
      const a0 = a[from + k]!;
      for (let c = 0; c < columns; c++) out[to + c]! += a0 * b[b0 + c]!;
    }
  }
}

/** `out [inner, columns] += a [rows, inner]^T b [rows, columns]`: the gradient of weights. */
export function addTransposedProduct(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): void {
  const blocks = rows - (rows % 4);
  for (let row = 0; row < blocks; row += 4) {
    const from = row * inner;
    const b0 = row * columns;
    const b1 = b0 + columns;
    const b2 = b1 + columns;
    const b3 = b2 + columns;
    for (let k = 0, to = 0; k < inner; k++, to += columns) {
      const a0 = a[from + k]!;
      const a1 = a[from + inner + k]!;
      const a2 = a[from + 2 * inner + k]!;
      const a3 = a[from + 3 * inner + k]!;
      for (let c = 0; c < columns; c++) {
        out[to + c]! += a0 * b[b0 + c]! + a1 * b[b1 + c]! + a2 * b[b2 + c]! + a3 * b[b3 + c]!;
      }
    }
  }
  for (let row = blocks; row < rows; row++) {
    const b0 = row * columns;
    for (let k = 0, to = 0; k < inner; k++, to += columns) {
      const a0 = a[row * inner + k]!;
      for (let c = 0; c < columns; c++) out[to + c]! += a0 * b[b0 + c]!;
    }
  }
}

/** `out [rows, inner] += a [rows, columns] b [inner, columns]^T`: the gradient of what weights are multiplied with. */
export function addProductTransposed(
  out: Float64Array,
  outAt: number,
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): void {
  const blocks = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    const to = outAt + row * inner;
    const from = aAt + row * columns;
    let b0 = 0;
    for (let k = 0; k < blocks; k += 4, b0 += 4 * columns) {
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let c = 0; c < columns; c++) {
        const value = a[from + c]!;
        sum0 += value * b[b0 + c]!;
        sum1 += value * b[b1 + c]!;
        sum2 += value * b[b2 + c]!;
        sum3 += value * b[b3 + c]!;
      }
      out[to + k]! += sum0;
      out[to + k + 1]! += sum1;
      out[to + k + 2]! += sum2;
      out[to + k + 3]! += sum3;
    }
    for (let k = blocks; k < inner; k++, b0 += columns) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += a[from + c]! * b[b0 + c]!;
      out[to + k]! += sum;
    }
  }
}
