import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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
  'makes 20,000 steps in constant memory',
  () => {
    const args = ['--expose-gc', '--conditions=@velojs/source', '--import', 'tsx', PROCESS, 'memory'];
    const growth = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as number[];
    // The engine's own memory grows in jumps, a leak grows in every part: one number kept per step would be 32 kB each.
    expect(Math.min(...growth)).toBeLessThan(16_000);
    expect(growth).toHaveLength(5);
  },
  TIMEOUT,
);
