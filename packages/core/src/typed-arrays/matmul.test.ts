import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matmul } from './matmul.ts';

it('is the sum of products for sizes around its blocks', () => {
  const size = fc.integer({ min: 1, max: 11 });
  fc.assert(
    fc.property(size, size, size, fc.boolean(), (n, k, m, single) => {
      const a = Float64Array.from({ length: n * k }, (_, i) => Math.sin(i + 1));
      const b = Float64Array.from({ length: k * m }, (_, i) => Math.fround(Math.cos(3 * i)));
      const c = new Float64Array(n * m).fill(2);
      matmul(a, single ? Float32Array.from(b) : b, c, n, k, m);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < m; j++) {
          let sum = 2;
          for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[p * m + j]!;
          expect(c[i * m + j]).toBeCloseTo(sum, 12);
        }
      }
    }),
    { seed: 20221117 },
  );
});
