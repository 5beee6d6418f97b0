import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createRandom } from '../packages/velojs/src/train/random.ts';
import { GLYPH_SIDE, glyphs } from '../packages/velojs/src/train/tasks/glyphs.ts';

/** The losses of the epochs, and the accuracy in percent. */
function run(example: string, ...files: string[]) {
  const path = fileURLToPath(new URL(example, import.meta.url));
  const command = ['--conditions=@velojs/source', '--import', 'tsx', path, ...files];
  const output = execFileSync(process.execPath, command, { encoding: 'utf8' });
  return {
    losses: [...output.matchAll(/^epoch \d+ loss (\S+)$/gm)].map(([, loss]) => Number(loss)),
    accuracy: Number(/^test accuracy (\S+) %$/m.exec(output)?.[1]),
  };
}

it('the dense network learns drawn digits', () => {
  const { losses, accuracy } = run('tfjs-dense.ts');
  expect(losses).toHaveLength(10);
  expect(losses[0]).toBeGreaterThan(1);
  expect(losses.at(-1)).toBeLessThan(0.05);
  expect(accuracy).toBeGreaterThan(80);
});

it('the convolutional network learns digits from IDX files', () => {
  const { count, inputs, targets } = glyphs(640, createRandom(1, 'data'));
  const digits = Uint8Array.from({ length: count }, (_, i) => targets.subarray(10 * i, 10 * i + 10).indexOf(1));
  const pixels = Uint8Array.from(inputs, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  const idx = (shape: readonly number[], data: Uint8Array) =>
    Buffer.concat([Buffer.from([0, 0, 8, shape.length]), ...shape.map(bigEndian), data]);
  const folder = mkdtempSync(join(tmpdir(), 'velojs-examples-'));
  const [images, labels] = [join(folder, 'images'), join(folder, 'labels')];
  try {
    writeFileSync(images, idx([count, GLYPH_SIDE, GLYPH_SIDE], pixels));
    writeFileSync(labels, idx([count], digits));
    const { losses, accuracy } = run('tfjs-convnet.ts', images, labels);
    expect(losses).toHaveLength(10);
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
    expect(accuracy).toBeGreaterThan(50);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const bigEndian = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
