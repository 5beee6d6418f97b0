import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VeloError } from '@velojs/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RunCache } from './cache.ts';
import { runKey } from './plan.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const result = { initialLoss: 1 / 3, trainingLoss: 0.25, validationLoss: null, curve: [0.5, 0.4], trainingCurve: [] };
const key = (seed: number) => runKey('a task, with a comma', 1e-6, seed, 100);

it('keeps what was added, exactly but for curves', () => {
  const cache = new RunCache(join(folder, 'deep', 'er'));
  cache.add('adam', key(0), { ...result, curve: [1 / 3] });
  cache.add('adam', key(1), result);
  const again = new RunCache(join(folder, 'deep', 'er'));
  expect(again.get('adam', key(0))).toEqual({ ...result, curve: [0.33333] });
  expect(again.get('adam', key(1))).toEqual(result);
  expect(again.get('adam', key(2))).toBeUndefined();
  expect(again.get('sgd', key(0))).toBeUndefined();
  expect(again.dropped).toBe(0);
});

it('drops a last line that was cut off, and goes on after it', () => {
  const path = join(folder, 'adam.jsonl');
  const cache = new RunCache(folder);
  for (const seed of [0, 1, 2]) cache.add('adam', key(seed), result);
  truncateSync(path, readFileSync(path).length - 20);
  const again = new RunCache(folder);
  expect([0, 1, 2].map((seed) => again.get('adam', key(seed)) !== undefined)).toEqual([true, true, false]);
  expect(again.dropped).toBe(1);
  again.add('adam', key(2), result);
  again.add('adam', key(3), result);
  const third = new RunCache(folder);
  expect([0, 1, 2, 3].every((seed) => third.get('adam', key(seed)))).toBe(true);
});

it('drops whatever is no result', () => {
  new RunCache(folder).add('adam', key(0), result);
  appendFileSync(join(folder, 'adam.jsonl'), '{"run":["t",1,0,5],"initialLoss":"x"}\n\u0000\u0000\n[]\nnull\n');
  const cache = new RunCache(folder);
  expect(cache.get('adam', key(0))).toEqual(result);
  expect(cache.get('adam', runKey('t', 1, 0, 5))).toBeUndefined();
  expect(cache.dropped).toBe(4);
});

it('says so where it cannot write', () => {
  writeFileSync(join(folder, 'file'), '');
  const failing = [
    () => new RunCache(join(folder, 'file')),
    () => {
      const cache = new RunCache(join(folder, 'gone'));
      rmSync(join(folder, 'gone'), { recursive: true });
      cache.add('adam', key(0), result);
    },
  ];
  for (const fail of failing) {
    expect(fail).toThrow(VeloError);
    expect(fail).toThrow(expect.objectContaining({ code: 'WRITE_FAILED' }));
  }
});
