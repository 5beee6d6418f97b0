import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('the linear regression finds the line', () => {
  const example = fileURLToPath(new URL('linear-regression.ts', import.meta.url));
  const command = ['--conditions=@velojs/source', '--import', 'tsx', example];
  const lines = execFileSync(process.execPath, command, { encoding: 'utf8' }).trim().split('\n');
  expect(Number(/loss ([\d.]+)/.exec(lines[0]!)![1])).toBeGreaterThan(1);
  expect(Number(/loss ([\d.]+)/.exec(lines.at(-1)!)![1])).toBeLessThan(1e-3);
});
