/** The golden trajectories, on every path and with the loss as a number and as a tensor. */
import type { Tensor } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import {
  type GoldenResult,
  loadGoldenCase,
  loadGoldenUnits,
  PACKED_CASES,
  runGoldenCase,
  runGoldenUnits,
} from '../golden.ts';
import { expectNoLeak, type Suite } from './suite.ts';

/** Short, of few shapes, and one of each loss. */
const QUICK: readonly string[] = ['01-basic, loss on the host', '03-edges, loss on the device'];

export function describeGolden<T extends Tensor>(suite: Suite<T>): void {
  const { backend, paths } = suite;
  const check = async (run: () => Promise<GoldenResult>) => {
    await expectNoLeak(suite, async () => {
      const { maxDeviation, tolerance, worst } = await run();
      expect(maxDeviation, worst).toBeLessThanOrEqual(tolerance);
    });
  };

  for (const { mode: kernels } of paths) {
    describe(`golden cases, ${kernels}`, () => {
      for (const name of PACKED_CASES) {
        for (const loss of ['host', 'device'] as const) {
          const title = `${name}, loss on the ${loss}`;
          (QUICK.includes(title) ? it : suite.slow)(title, () =>
            check(async () => runGoldenCase(await loadGoldenCase(name), backend, { kernels, loss })),
          );
        }
      }
      it('units', () => check(async () => runGoldenUnits(await loadGoldenUnits(), backend, { kernels })));
    });
  }
}
