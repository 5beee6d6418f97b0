import { describe, expect, it } from 'vitest';
import { type Comparison, compare, shownRuns, verdict } from './comparison.ts';
import { loadJax } from './jax.ts';
import { type OptimizerSpec, optimizersFor } from './optimizers.ts';
import { createTask } from './tasks/index.ts';
import type { Run } from './training.ts';

const task = createTask('spirals', { seed: 0, steps: 3, batchSize: 8, hidden: [4] });

const run = (optimizer: OptimizerSpec, trainLoss: number): Run => ({
  optimizer,
  trainLoss,
  testLoss: trainLoss,
  testAccuracy: Number.isFinite(trainLoss) ? 0.5 : null,
  curve: [],
  time: { step: 2, optimizer: 1 },
});
const velo = (loss: number) => run({ name: 'velo' }, loss);
const adam = (learningRate: number, loss: number) => run({ name: 'adam', learningRate }, loss);
const comparison = (...runs: Run[]): Comparison => ({ task, runs });
const sweep = (...losses: number[]) => losses.map((loss, i) => adam([0.001, 0.0003, 0.003, 0.01, 0.03][i]!, loss));

describe('shownRuns', () => {
  it('shows VeLO, the default rate and the best rate', () => {
    const shown = shownRuns(comparison(velo(1), ...sweep(5, 6, 3, 4, Infinity)));
    expect(shown.map(({ role, label }) => [role, label])).toEqual([
      ['velo', 'VeLO'],
      ['default', 'Adam 0.001 (default)'],
      ['best', 'Adam 0.003 (best of 5)'],
    ]);
  });

  it('says so where the default rate is the best', () => {
    const shown = shownRuns(comparison(velo(1), ...sweep(2, 6, 3, 4, 5)));
    expect(shown.map(({ label }) => label)).toEqual(['VeLO', 'Adam 0.001 (default, best of 5)']);
  });

  it('shows what there is of an interrupted comparison', () => {
    expect(shownRuns(comparison(velo(1))).map(({ label }) => label)).toEqual(['VeLO']);
    expect(shownRuns(comparison(velo(1), adam(0.001, 2))).map(({ label }) => label)).toEqual([
      'VeLO',
      'Adam 0.001 (default)',
    ]);
  });
});

describe('verdict', () => {
  it('counts the tasks on which VeLO ended lower', () => {
    expect(verdict([comparison(velo(1), ...sweep(5, 6, 3, 4, 5)), comparison(velo(2), ...sweep(5, 6, 1, 4, 5))])).toBe(
      "VeLO's final loss is below Adam's at its default rate 0.001 on 2 of 2, " +
        "and below Adam's at the best rate of the sweep on 1 of 2 (not on spirals).",
    );
  });

  it('counts a draw and a diverged VeLO as lost, a diverged Adam as won', () => {
    expect(verdict([comparison(velo(1), adam(0.001, 1))])).toContain('0 of 1');
    expect(verdict([comparison(velo(Infinity), adam(0.001, Infinity))])).toContain('0 of 1');
    expect(verdict([comparison(velo(1), adam(0.001, Infinity))])).toContain('1 of 1');
  });

  it('leaves out what was not finished', () => {
    expect(verdict([])).toBe('Nothing to compare yet.');
    expect(verdict([comparison(velo(1))])).toBe('Nothing to compare yet.');
    expect(verdict([comparison(velo(1), ...sweep(5, 6))])).not.toContain('sweep');
  });
});

describe('compare', () => {
  it('trains every optimizer from the same start', async () => {
    const jax = await loadJax();
    const optimizers = optimizersFor({ sweep: true });
    expect(optimizers).toHaveLength(6);
    const { runs } = await compare({ jax, task, optimizers, seed: 0 });
    expect(runs.map(({ optimizer }) => optimizer)).toEqual(optimizers);
    expect(new Set(runs.map(({ curve }) => curve[0]!.loss)).size).toBe(1);
    expect(new Set(runs.map(({ trainLoss }) => trainLoss)).size).toBe(6);
  });

  it('gives the same numbers again', async () => {
    const jax = await loadJax();
    const losses = async () => {
      const { runs } = await compare({ jax, task, optimizers: optimizersFor({ sweep: false }), seed: 3 });
      return runs.map(({ trainLoss, curve }) => [trainLoss, curve]);
    };
    expect(await losses()).toEqual(await losses());
  });

  it('calls a training that leaves the finite diverged', async () => {
    const jax = await loadJax();
    const wild = { ...task, steps: 50 };
    const { runs } = await compare({ jax, task: wild, optimizers: [{ name: 'adam', learningRate: 1e30 }], seed: 0 });
    expect(runs[0]).toMatchObject({ trainLoss: Infinity, testLoss: Infinity, testAccuracy: null });
  });
});
