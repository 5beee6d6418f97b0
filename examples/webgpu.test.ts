import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

// Few steps: drivers that do the work of a GPU on a processor take their time.
it.for([
  ['webgpu-buffers.ts', 100, 0.03],
  ['tfjs-webgpu.ts', 24, 0.1],
] as const)('%s trains', { timeout: 300_000 }, ([file, steps, goal], { skip }) => {
  const example = fileURLToPath(new URL(file, import.meta.url));
  const command = ['--conditions=@velojs/source', '--import', 'tsx', example, String(steps)];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  if (stderr.includes('BACKEND_UNAVAILABLE') && !process.env.CI) {
    const reason = `${file} was not run: there is no GPU here, nor a driver that does its work.`;
    console.warn(reason);
    skip(reason);
  }
  expect(status, stderr).toBe(0);
  const losses = [...stdout.matchAll(/loss ([\d.]+)/g)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(5);
  expect(losses[0]).toBeGreaterThan(0.15);
  expect(losses.at(-1)).toBeLessThan(goal);
});
