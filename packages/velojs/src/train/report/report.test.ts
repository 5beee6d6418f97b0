import { describe, expect, it } from 'vitest';
import { paletteFor } from '../../palette.ts';
import type { Comparison } from '../comparison.ts';
import { createTask } from '../tasks/index.ts';
import type { Run } from '../training.ts';
import { chart } from './chart.ts';
import { formatLoss, formatTest } from './format.ts';
import { escapeHtml } from './html-text.ts';
import { jsonReport } from './json.ts';
import { formatTick, logTicks } from './scale.ts';
import { lossSvg } from './svg.ts';
import { comparisonText } from './text.ts';

const task = createTask('spirals', { seed: 0, steps: 100 });
const plain = paletteFor({ isTTY: false }, {});
const colourful = paletteFor({ isTTY: true }, {});

const run = (learningRate: number | null, losses: number[], trainLoss: number): Run => ({
  optimizer: learningRate === null ? { name: 'velo' } : { name: 'adam', learningRate },
  trainLoss,
  testLoss: trainLoss,
  testAccuracy: Number.isFinite(trainLoss) ? 0.875 : null,
  curve: losses.map((loss, i) => ({ step: (i * 100) / losses.length, loss })),
  time: { step: 2, optimizer: 0.5 },
});
const comparison: Comparison = {
  task,
  runs: [run(null, [1, 0.3, 0.1], 0.05), run(0.001, [1, 0.5, 0.4], 0.4), run(0.03, [1], Infinity)],
};

describe('numbers', () => {
  it.each([
    [0.051234, '0.0512'],
    [0.00051234, '5.12e-4'],
    [12.3456, '12.3'],
    [5834.5, '5,830'],
    [58_345_678, '58,300,000'],
    [0, '0'],
    [Infinity, 'diverged'],
  ])('writes the loss %d as %s', (loss, text) => {
    expect(formatLoss(loss)).toBe(text);
  });

  it('writes the test error of a regression in the units of its target', () => {
    const regression = { ...task, kind: 'regression' as const, targetScale: 10 };
    expect(formatTest(regression, { ...run(null, [], 0.04), testAccuracy: null })).toBe('2.00');
  });

  it('finds at least three ticks', () => {
    expect(logTicks(0.004, 3).map(formatTick)).toEqual(['0.01', '0.1', '1']);
    expect(logTicks(0.04, 0.6).map(formatTick)).toEqual(['0.05', '0.1', '0.2', '0.5']);
    expect(logTicks(0.25, 0.65).map(formatTick)).toEqual(['0.3', '0.4', '0.5', '0.6']);
  });
});

describe('terminal', () => {
  it('colours for terminals only, and not against NO_COLOR', () => {
    expect(colourful.isColorSupported).toBe(true);
    expect(plain.isColorSupported).toBe(false);
    expect(paletteFor({ isTTY: true }, { NO_COLOR: '1' }).isColorSupported).toBe(false);
    expect(paletteFor({ isTTY: true }, { TERM: 'dumb' }).isColorSupported).toBe(false);
  });

  it('aligns the table and names a diverged run', () => {
    const lines = comparisonText({ ...comparison, runs: comparison.runs.slice(0, 2) }, 80, plain)
      .split('\n')
      .slice(-3);
    expect(lines).toEqual([
      '                      final loss  test accuracy  steps  ms per step  of it optimizer',
      'VeLO                      0.0500         87.5 %    100         2.00             0.50',
      'Adam 0.001 (default)       0.400         87.5 %    100         2.00             0.50',
    ]);
  });

  it('draws letters without colour, lines with it', () => {
    const letters = chart(comparison, 80, plain)!;
    expect(letters).toMatch(/│ *V/);
    expect(letters).toMatch(/│ *a/);
    expect(letters).toContain('V = VeLO');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it is about.
    expect(chart(comparison, 80, colourful)).toMatch(/\x1b\[32m━/);
  });

  it('stays within the width of the terminal', () => {
    for (const columns of [60, 80, 200]) {
      const widths = chart(comparison, columns, plain)!
        .split('\n')
        .map((line) => line.length);
      expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    }
  });

  it('draws nothing where there is nothing', () => {
    expect(chart({ task, runs: [run(null, [1], 1)] }, 80, plain)).toBeNull();
  });
});

describe('page', () => {
  it('escapes text', () => {
    expect(escapeHtml(`<a href="x">&'`)).toBe('&lt;a href=&quot;x&quot;&gt;&amp;&#39;');
  });

  it('draws every run that has points, within the drawing', () => {
    const svg = lossSvg(comparison)!;
    const points = [...svg.matchAll(/points="([^"]+)"/g)].map(([, list]) =>
      list!.split(' ').map((pair) => pair.split(',').map(Number)),
    );
    expect(points).toHaveLength(2);
    for (const [x, y] of points.flat() as [number, number][]) {
      expect(x).toBeGreaterThanOrEqual(64);
      expect(x).toBeLessThanOrEqual(704);
      expect(y).toBeGreaterThanOrEqual(12);
      expect(y).toBeLessThanOrEqual(316);
    }
  });
});

it('writes null for what JSON cannot hold', () => {
  const report = JSON.parse(jsonReport({ version: '1.2.3', seed: 0, interrupted: false, comparisons: [comparison] }));
  expect(report.tasks[0].runs[2]).toMatchObject({
    learningRate: 0.03,
    trainLoss: null,
    testLoss: null,
    testAccuracy: null,
  });
});
