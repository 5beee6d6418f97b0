/** Matrix product in double precision. */
import type { Values } from './operations.ts';

/**
 * `c += a b` for row-major a `[n, k]`, b `[k, m]`, c `[n, m]`.
 *
 * Rows of b stream through a block of 4 rows of c, 4 at a time: 16 multiply-adds per 8 numbers loaded, and all memory
 * is read in its own order, which b (4 MB in the LSTM) needs more than the accumulators need registers.
 */
export function matmul(a: Values, b: Values, c: Float64Array, n: number, k: number, m: number): void {
  const blocked = k - (k % 4);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    for (let p = 0; p < blocked; p += 4) addFourRows(a, b, c, i, p, k, m);
  }
  for (; i < n; i++) {
    for (let p = 0; p < blocked; p += 4) addRow(a, b, c, i, p, k, m);
  }
  for (let p = blocked; p < k; p++) {
    for (let row = 0; row < n; row++) addProduct(a, b, c, row, p, k, m);
  }
}

/** Rows p to p + 3 of b, into rows i to i + 3 of c. */
function addFourRows(a: Values, b: Values, c: Float64Array, i: number, p: number, k: number, m: number): void {
  const [a0, a1, a2, a3] = [i * k + p, (i + 1) * k + p, (i + 2) * k + p, (i + 3) * k + p];
  const [a00, a01, a02, a03] = [a[a0]!, a[a0 + 1]!, a[a0 + 2]!, a[a0 + 3]!];
  const [a10, a11, a12, a13] = [a[a1]!, a[a1 + 1]!, a[a1 + 2]!, a[a1 + 3]!];
  const [a20, a21, a22, a23] = [a[a2]!, a[a2 + 1]!, a[a2 + 2]!, a[a2 + 3]!];
  const [a30, a31, a32, a33] = [a[a3]!, a[a3 + 1]!, a[a3 + 2]!, a[a3 + 3]!];
  const [b0, b1, b2, b3] = [p * m, (p + 1) * m, (p + 2) * m, (p + 3) * m];
  const [c0, c1, c2, c3] = [i * m, (i + 1) * m, (i + 2) * m, (i + 3) * m];
  for (let j = 0; j < m; j++) {
    const x0 = b[b0 + j]!;
    const x1 = b[b1 + j]!;
    const x2 = b[b2 + j]!;
    const x3 = b[b3 + j]!;
    c[c0 + j] = c[c0 + j]! + (a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3);
    c[c1 + j] = c[c1 + j]! + (a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3);
    c[c2 + j] = c[c2 + j]! + (a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3);
    c[c3 + j] = c[c3 + j]! + (a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3);
  }
}

/** Rows p to p + 3 of b, into row i of c. */
function addRow(a: Values, b: Values, c: Float64Array, i: number, p: number, k: number, m: number): void {
  const at = i * k + p;
  const [a0, a1, a2, a3] = [a[at]!, a[at + 1]!, a[at + 2]!, a[at + 3]!];
  const [b0, b1, b2, b3] = [p * m, (p + 1) * m, (p + 2) * m, (p + 3) * m];
  const to = i * m;
  for (let j = 0; j < m; j++) {
    c[to + j] = c[to + j]! + (a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!);
  }
}

/** Row p of b, into row i of c. */
function addProduct(a: Values, b: Values, c: Float64Array, i: number, p: number, k: number, m: number): void {
  const factor = a[i * k + p]!;
  const [from, to] = [p * m, i * m];
  for (let j = 0; j < m; j++) c[to + j] = c[to + j]! + factor * b[from + j]!;
}
