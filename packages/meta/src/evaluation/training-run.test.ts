import { starterTheta } from '@velojs/weights';
import { describe, expect, it } from 'vitest';
import { createBaseline } from '../baselines/index.ts';
import { derive, keyOf } from '../random.ts';
import type { Task } from '../task.ts';
import { regressionTask } from './testing-suite.ts';
import { curveSteps, trainingRun } from './training-run.ts';

const task = regressionTask(5);
const velo = { name: 'velo', theta: starterTheta() } as const;
const adam = { name: 'adam', learningRate: 0.1 } as const;
const run = (settings: Partial<Parameters<typeof trainingRun>[0]>) =>
  trainingRun({ task, optimizer: velo, seed: 0, steps: 50, extent: 0, ...settings });

describe('where curves have points', () => {
  it.each([1, 7, 100, 500, 1500, 10_000])('up to %i steps', (steps) => {
    const grid = curveSteps(steps);
    expect(grid.at(-1)).toBe(steps);
    expect(grid.length).toBeLessThanOrEqual(65);
    expect(grid).toEqual([...new Set(grid)].sort((a, b) => a - b));
    expect(grid[0]).toBeGreaterThanOrEqual(1);
    // A longer one goes on where it ends.
    const extended = curveSteps(steps, 4);
    expect(extended.slice(0, grid.length)).toEqual(grid);
    expect(extended.at(-1)).toBe(4 * steps);
  });
});

describe('a run', () => {
  it('of a baseline is what its steps give', async () => {
    const parameters = task.initialParameters(derive(keyOf(3), 0));
    const gradients = parameters.map(({ length }) => new Float32Array(length));
    const initialLoss = task.trainingLoss(parameters);
    const baseline = createBaseline(adam, [5, 1], 50);
    const losses = Array.from({ length: 50 }, (_, step) => {
      const loss = task.lossAndGradients(parameters, gradients, derive(keyOf(3), 1), step);
      baseline.step(parameters, gradients);
      return loss;
    });
    const result = await run({ optimizer: adam, seed: 3 });
    expect(result).toMatchObject({
      initialLoss,
      trainingLoss: task.trainingLoss(parameters),
      validationLoss: task.validationLoss(parameters),
      trainingCurve: [],
    });
    // The average by its definition: weights 0.95^age, which sum to 1.
    const weights = losses.map((_, i) => 0.95 ** (49 - i));
    const weighted = losses.reduce((sum, loss, i) => sum + loss * weights[i]!, 0);
    expect(result.curve.at(-1)).toBeCloseTo(weighted / weights.reduce((sum, weight) => sum + weight, 0), 10);
    expect(result.curve).toHaveLength(curveSteps(50).length);
  });

  it('goes on beyond what it is judged by', async () => {
    const short = await run({ optimizer: adam });
    const long = await run({ optimizer: adam, extent: 4 });
    expect(long).toMatchObject({ trainingLoss: short.trainingLoss, validationLoss: short.validationLoss });
    expect(long.trainingCurve).toHaveLength(curveSteps(50, 4).length);
    expect(long.trainingCurve[curveSteps(50).length - 1]).toBe(short.trainingLoss);
    expect(long.trainingCurve.at(-1)).toBeLessThan(short.trainingLoss!);
  });

  it('of VeLO trains, the same way every time, from where the others start', async () => {
    const result = await run({ seed: 1 });
    expect(result.trainingLoss).toBeLessThan(result.initialLoss / 10);
    expect(await run({ seed: 1 })).toEqual(result);
    expect((await run({ seed: 2 })).initialLoss).not.toBe(result.initialLoss);
    expect((await run({ seed: 1, optimizer: adam })).initialLoss).toBe(result.initialLoss);
  });

  it('tells VeLO another number of steps, fewer than it takes too', async () => {
    const losses = await Promise.all(
      [0.5, 1, 2].map(async (told) => (await run({ optimizer: { ...velo, told } })).trainingLoss),
    );
    expect(new Set(losses).size).toBe(3);
    expect(losses.every(Number.isFinite)).toBe(true);
  });

  it('ends where the loss leaves the finite', async () => {
    const result = await run({ optimizer: { name: 'sgd', learningRate: 1e30 }, extent: 4 });
    expect(result).toMatchObject({ trainingLoss: null, validationLoss: null });
    expect(result.curve.length).toBeLessThan(curveSteps(50).length);
    expect(result.curve.every(Number.isFinite)).toBe(true);
    const broken: Task = {
      ...task,
      lossAndGradients(parameters, gradients, key, step) {
        const loss = task.lossAndGradients(parameters, gradients, key, step);
        if (step === 20) gradients[0]!.fill(Number.NaN);
        return loss;
      },
    };
    const lost = await run({ task: broken });
    expect(lost.trainingLoss).toBeNull();
    expect(lost.curve.length).toBe(curveSteps(50).filter((step) => step <= 20).length);
  });
});
