import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { History } from './history.ts';
import { formatDuration, runView, updateLine } from './text.ts';

const update = (step: number, changes: object = {}) => ({
  ...{ step, updates: 100, objective: -step / 10, dropped: 1, gradientNorm: 1, difference: 0.1 },
  ...{ innerSteps: 500, seconds: 2 * step, lost: 0, ...changes },
});
const plain = pc.createColors(false);

describe('the view of a run', () => {
  it('has figures, validations and a plot, within its width', () => {
    const history = new History('/nowhere/at-all', [100, 400]);
    history.validate({ step: 0, score: -1, horizons: [-0.5, -1.5], isBest: true });
    for (let step = 1; step <= 30; step++) history.update(update(step));
    for (const step of [10, 20, 30]) {
      history.validate({ step, score: step === 20 ? -3 : -2, horizons: [-1, -3], isBest: false });
    }
    const lines = runView(history, 70, plain);
    const text = lines.join('\n');
    expect(text).toContain('update 30 of 100, 2 min 20 s left');
    expect(text).toMatch(/^objective +-2\.050$/m);
    expect(text).toMatch(/^updates\/s +0\.500$/m);
    expect(text).toMatch(/^inner steps\/s +250$/m);
    expect(text).toMatch(/^pairs dropped +30$/m);
    expect(text).toMatch(/^ *20 \* +-3\.000 +-1\.000 +-3\.000$/m);
    expect(text).toContain('objective of the perturbed thetas');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(70);
    for (const line of runView(history, 30, plain)) expect(line.length).toBeLessThanOrEqual(30);
  });

  it('goes on from the log of earlier runs, and forgets what was after the checkpoint', () => {
    const folder = mkdtempSync(join(tmpdir(), 'velojs-history-'));
    const entries = [1, 2, 3, 4].map((step) => ({ step, objective: -step, dropped: 0 }));
    const validations = [0, 2, 4].map((step) => ({ step, validation: 1 - step, horizons: [1 - step], isBest: true }));
    writeFileSync(
      join(folder, 'log.jsonl'),
      `${[...entries, ...validations].map((entry) => `${JSON.stringify(entry)}\n`).join('')}{"step":5,"obj`,
    );
    const history = new History(folder, [100]);
    rmSync(folder, { recursive: true });
    expect(history.objectives).toEqual([-1, -2, -3, -4]);
    expect(history.validations.map(({ step, score }) => [step, score])).toEqual([
      [0, 1],
      [2, -1],
      [4, -3],
    ]);
    history.update(update(3));
    history.validate({ step: 4, score: -7, horizons: [-7], isBest: true });
    expect(history.objectives).toEqual([-1, -2, -0.3]);
    expect(history.validations.map(({ score }) => score)).toEqual([1, -1, -7]);
  });

  it('a line tells of lost workers and dropped pairs', () => {
    const history = new History('/nowhere/at-all', [100]);
    history.update(update(1));
    expect(updateLine(update(1, { dropped: 2, lost: 3, objective: Number.NaN }), history)).toBe(
      'update 1 of 100: objective -, 2 pairs dropped, 3 workers lost',
    );
  });

  it.each([
    [0.2, '1 s'],
    [40, '40 s'],
    [723, '12 min 03 s'],
    [7500, '2 h 05 min'],
    [97200, '1 d 3 h'],
  ])('%d seconds are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});
