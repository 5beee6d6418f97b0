import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Results } from './step-cost/results.ts';

const CLI = fileURLToPath(new URL('./step-cost.ts', import.meta.url));
/** It shares the machine with other tests. */
const TIMEOUT = 180_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-benchmark-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=@velojs/source', '--import', 'tsx', CLI, ...args], { encoding: 'utf8' });

describe('npm run bench', () => {
  it(
    'checks, measures and reports a workload, and compares the report with itself',
    () => {
      const json = join(folder, 'results.json');
      const html = join(folder, 'results.html');
      const { status, stdout, stderr } = bench('--rounds', '1', '--only', 'tiny-mlp', '--json', json, '--html', html);
      expect(status, stderr).toBe(0);
      expect(stdout).toMatch(/tiny MLP 2-16-16-2: 6 tensors, 354 parameters/);
      expect(stdout.slice(stdout.lastIndexOf('Goals'))).toContain('not measured');
      expect(readFileSync(html, 'utf8')).toContain('<svg');

      const results = JSON.parse(readFileSync(json, 'utf8')) as Results;
      expect(results).toMatchObject({ format: 'velojs-step-cost', version: 1, rounds: 1 });
      expect(results.versions.node).toBe(process.versions.node);
      expect(results.machine.threads).toBeGreaterThanOrEqual(1);
      const [group] = results.processes[0]!.groups;
      expect(group).toMatchObject({ name: 'tiny-mlp', tensors: 6, parameters: 354 });
      const steps = group!.timings.filter(({ part }) => part === 'step').map(({ contender }) => contender);
      expect(steps).toEqual(
        expect.arrayContaining([
          'VeLO cpu',
          'VeLO wasm',
          'VeLO tfjs-cpu',
          'VeLO tfjs-wasm',
          'tfjs-wasm Adam',
          'tfjs-cpu Adam',
          'JavaScript Adam',
          'our WASM Adam',
        ]),
      );
      for (const { cpu, wall } of results.processes.flatMap(({ groups }) => groups).flatMap(({ timings }) => timings)) {
        expect([cpu.length, wall.length]).toEqual([1, 1]);
        expect(Math.min(...cpu, ...wall)).toBeGreaterThan(0);
      }

      const comparison = bench('--compare', json, json);
      expect(comparison.status, comparison.stderr).toBe(0);
      expect(comparison.stdout).toMatch(/VeLO wasm +starter +tiny-mlp +tfjs-wasm Adam .* 1\.00 +same/);
    },
    TIMEOUT,
  );

  it(
    'refuses what it does not understand',
    () => {
      const other = join(folder, 'other.json');
      writeFileSync(other, '{"format":"something"}');
      for (const [args, message] of [
        [['--rounds', '0'], '--rounds'],
        [['--only', 'none'], 'tiny-mlp'],
        [['--json', join(folder, 'none', 'results.json')], 'no folder'],
        [['--compare', other], 'two files'],
        [['--fast'], '--fast'],
      ] as const) {
        const { status, stderr } = bench(...args);
        expect(stderr).toContain(message);
        expect(status).toBe(2);
      }
      const { status, stderr } = bench('--compare', other, other);
      expect(stderr).toContain('is not a result of this benchmark');
      expect(status).toBe(1);
    },
    TIMEOUT,
  );
});
