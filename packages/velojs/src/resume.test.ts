import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVelo } from './index.ts';
import { train } from './resume-process.ts';

const PROCESS = fileURLToPath(new URL('./resume-process.ts', import.meta.url));
const TIMEOUT = 60_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-resume-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a training that is saved and restored in a new process', () => {
  /** `resume-process.ts FROM TO STEPS`: restores FROM unless it is "none", makes steps, saves to TO. */
  const run = (variant: string, from: string, to: string, steps: number) => {
    const args = [
      '--conditions=@velojs/source',
      '--import',
      'tsx',
      PROCESS,
      variant,
      from,
      join(folder, to),
      `${steps}`,
    ];
    execFileSync(process.execPath, args, { stdio: 'inherit' });
    return readFileSync(join(folder, to));
  };

  it.each(['plain', 'accumulating', 'decaying'])(
    'goes on bit for bit: %s',
    (variant) => {
      const uninterrupted = run(variant, 'none', `${variant}-whole`, 13);
      run(variant, 'none', `${variant}-half`, 7);
      const resumed = run(variant, join(folder, `${variant}-half`), `${variant}-resumed`, 6);
      expect(resumed.equals(uninterrupted)).toBe(true);
      expect(resumed.equals(readFileSync(join(folder, `${variant}-half`)))).toBe(false);
    },
    TIMEOUT,
  );
});

it(
  'makes 10,000 steps in constant memory',
  async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const velo = await createVelo({
      parameters: { w: { shape: [8, 5], data: new Float32Array(40).fill(0.1) }, b: new Float32Array(5) },
      totalSteps: 10_000,
    });
    const used = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    train(velo, 2_000);
    const before = used();
    train(velo, 8_000);
    // 8,000 steps that each kept one number would be 64 kB; a tensor handle each, over a megabyte.
    expect(used() - before).toBeLessThan(400_000);
    expect(velo.stepsTaken).toBe(10_000);
  },
  TIMEOUT,
);
