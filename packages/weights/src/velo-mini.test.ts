import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { fetchWeights, loadTheta } from './load-theta.ts';
import { listWeights } from './registry.ts';
import { starterTheta } from './starter-theta.ts';
import { veloMini, veloMiniFile } from './velo-mini.ts';

const entry = listWeights().find(({ name }) => name === 'velo-mini')!;

it('is part of the package: by name or entry, without network or cache', async () => {
  const options = { offline: true, cacheDir: '/dev/null/nowhere' };
  expect(await loadTheta('velo-mini', options)).toEqual(veloMini());
  const { theta, files, format, entry: found } = await fetchWeights(entry, options);
  expect(theta).toEqual(veloMini());
  expect(found).toBe(entry);
  expect(format).toBe('velojs-float16');
  expect(files).toMatchObject([{ name: 'velo-mini.theta', origin: null, cached: null }]);
  await expect(loadTheta('velo-mini', { sha256: '0'.repeat(64) })).rejects.toMatchObject({
    code: 'WEIGHTS_UNVERIFIED',
  });
});

it('is what the list says, small, and not the theta that it started from', () => {
  const { hiddenSize, bankSize, leaves } = veloMini();
  expect({ hiddenSize, bankSize }).toEqual({ hiddenSize: entry.hiddenSize, bankSize: entry.bankSize });
  expect(gzipSync(veloMiniFile()).length).toBeLessThan(150_000);
  const start = starterTheta({ hiddenSize, bankSize }).leaves;
  const moved = Object.keys(leaves).filter((leaf) => {
    const name = leaf as keyof typeof leaves;
    return leaves[name].some((value, i) => Math.abs(value - start[name][i]!) > 1e-3);
  });
  expect(moved).toContain('bankWeight0');
  expect(moved).toContain('stepWeight');
});

it('gives everyone a copy of their own', () => {
  veloMini().leaves.stepBias[0] = 0;
  expect(veloMini().leaves.stepBias[0]).not.toBe(0);
});
