/** The bytes that docs/webgpu.md promises, counted from the shaders. */
import { readFileSync } from 'node:fs';
import { geometryOf } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { gradientsProgram } from './gradients.ts';
import { momentsProgram } from './moments.ts';
import { planOf } from './slots.ts';
import { stepProgram } from './step.ts';

const PASSES = { gradients: gradientsProgram, moments: momentsProgram, step: stepProgram };

/** The code that is run for matrices, and the more that is run for vectors. */
function branches(code: string): { matrix: string; vector: string } {
  const begin = code.indexOf('if (slot.kind == 0u) {');
  const middle = code.indexOf('} else {', begin);
  if (begin < 0 || middle < 0) return { matrix: code, vector: '' };
  return { matrix: code.slice(0, begin) + code.slice(middle), vector: code.slice(begin, middle) };
}

const count = (code: string, pattern: RegExp): number => code.match(pattern)?.length ?? 0;

/** Arrays with an entry per parameter that `code` reads and writes, four entries at a time. */
const arrays = (code: string): number =>
  // `load` and `store` of the state, which are defined once,
  count(code, /(?<!fn )\b(load|store)\(/g) +
  // and the first of four entries of the others.
  count(code, /\b(gradients|parameters)\[\w+\.x\]/g);

describe('bytes per parameter and step', () => {
  const bytes = Object.fromEntries(
    Object.entries(PASSES).map(([name, { code }]) => {
      const { matrix, vector } = branches(code);
      return [name, { matrix: 4 * arrays(matrix), vector: 4 * (arrays(matrix) + arrays(vector)) }];
    }),
  );
  const together = (kind: 'matrix' | 'vector') => Object.values(bytes).reduce((sum, pass) => sum + pass[kind], 0);

  it('are 68 for matrices', () => expect(together('matrix')).toBe(68));

  it('are those of the documentation', () => {
    const text = readFileSync(new URL('../../../../docs/webgpu.md', import.meta.url), 'utf8');
    for (const [name, { matrix, vector }] of Object.entries(bytes)) {
      expect(text).toMatch(new RegExp(`\\| \`${name}\` \\|[^\n]*\\| ${matrix} \\| ${vector} \\|\n`));
    }
    expect(text).toContain(`| together | | | ${together('matrix')} | ${together('vector')} |`);
  });

  it.each([
    [[1024, 1024], 69],
    [[768, 3072], 69],
    [[3072, 768], 69],
    [[50_257, 768], 69],
    [[3, 3, 512, 512], 70],
    [[512, 512, 3, 3], 70],
    [[128, 128], 71],
  ])('are, for %s, at most %i with what passes leave for each other', (shape, most) => {
    const { size, sums, fours, words } = planOf(geometryOf(shape));
    // Sums and partials are written and read; tables written, read, written and read again.
    const between = 4 * (2 * sums + 2 * words + 4 * 4 * fours);
    expect(together('matrix') + between / size).toBeLessThanOrEqual(most);
  });
});
