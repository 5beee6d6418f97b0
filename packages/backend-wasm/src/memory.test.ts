import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROCESS = fileURLToPath(new URL('testing-memory.ts', import.meta.url));

it('makes 100,000 steps in constant memory', { timeout: 180_000 }, () => {
  const args = ['--expose-gc', '--conditions=@velojs/source', '--import', 'tsx', PROCESS];
  const growth = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as number[][];
  expect(growth).toHaveLength(5);
  // The engine's own memory grows in jumps, a leak grows in every part: one number kept per step would be 160 kB each.
  expect(Math.min(...growth.map(([host]) => host!))).toBeLessThan(80_000);
  // Working memory is made in the first part.
  for (const [, ...webAssembly] of growth.slice(1)) expect(webAssembly).toEqual([0, 0, 0]);
});
