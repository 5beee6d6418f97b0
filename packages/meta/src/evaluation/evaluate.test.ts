import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTheta, type Theta, type ThetaLeaf, thetaShapes } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Evaluation, type EvaluationProgress, evaluate } from './evaluate.ts';
import { meanLoss } from './outcomes.ts';
import { htmlReport } from './report/html.ts';
import { jsonReport } from './report/json.ts';
import { textReport } from './report/text.ts';

const suite = { module: new URL('./testing-suite.ts', import.meta.url).href };
const bare = { module: new URL('./testing-bare-suite.ts', import.meta.url).href };
const starter = { name: 'starter', theta: starterTheta() };
/** 5 baselines at 15 rates, and VeLO told three lengths, on two tasks. */
const RUNS = 2 * (5 * 15 + 3);

let folder: string;
let count = 0;
const another = () => join(folder, String(count++));
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-evaluation-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an evaluation', () => {
  let at: string;
  let first: Evaluation;
  const progress: EvaluationProgress[] = [];
  beforeAll(async () => {
    at = another();
    const onProgress = (now: EvaluationProgress) => progress.push(now);
    first = await evaluate({ optimizers: [starter], suite, seeds: 2, folder: at, threads: 2, onProgress });
  }, 60_000);

  it('does every run once and tells so', () => {
    expect(progress).toHaveLength(2 * RUNS + 1);
    expect(progress[0]).toMatchObject({ runs: { done: 0, total: 2 * RUNS }, finished: null });
    expect(progress.at(-1)!.runs).toEqual({ done: 2 * RUNS, total: 2 * RUNS });
    expect(progress.at(-1)!.steps.done).toBe(progress.at(-1)!.steps.total);
    expect(readdirSync(join(at, 'test-7')).sort()).toEqual([
      'adam-cosine.jsonl',
      'adam.jsonl',
      'adamw.jsonl',
      'rmsprop.jsonl',
      'sgd.jsonl',
      `${first.optimizers[0]!.id}.jsonl`,
    ]);
  });

  it('tunes baselines by their mean final training loss', () => {
    for (const { baselines } of first.tasks) {
      for (const id of ['adam', 'adam-cosine', 'adamw', 'sgd', 'rmsprop']) {
        const { learningRate, rates, trainingLoss } = baselines[id]!;
        const best = rates.reduce((a, b) => ((b.trainingLoss ?? Infinity) < (a.trainingLoss ?? Infinity) ? b : a));
        expect(rates).toHaveLength(15);
        expect(learningRate).toBe(best.learningRate);
        expect(meanLoss(trainingLoss)).toBe(best.trainingLoss);
      }
      expect(baselines['adam-0.001']!.learningRate).toBe(0.001);
      expect(baselines['adam-0.001']!.trainingLoss).not.toEqual(baselines.adam!.trainingLoss);
    }
  });

  it('counts by group what the tasks say', () => {
    const [all, one, two] = first.optimizers[0]!.groups;
    expect([all, one, two].map((group) => [group!.group, group!.tasks, group!.runs])).toEqual([
      [null, 2, 4],
      ['one', 1, 2],
      ['two', 1, 2],
    ]);
    const won = first.tasks.filter(
      ({ candidates, baselines }) =>
        meanLoss(candidates.starter!.trainingLoss) < meanLoss(baselines['adam-0.001']!.trainingLoss),
    );
    expect(all!.against['adam-0.001']!.won).toBe(won.length);
    expect(won.length).toBe(2);
    expect(all!.diverged).toEqual([]);
    expect(all!.told.map(({ factor }) => factor)).toEqual([0.5, 2]);
    for (const { candidates } of first.tasks) {
      for (const value of candidates.starter!.speedUp) expect(value).toBeGreaterThan(0);
    }
  });

  it('is there at once when it is asked for again, whatever the optimizer is called', async () => {
    const again: EvaluationProgress[] = [];
    const renamed = await evaluate({
      optimizers: [{ ...starter, name: 'other' }],
      suite,
      seeds: 2,
      folder: at,
      onProgress: (now) => again.push(now),
    });
    expect(again).toHaveLength(1);
    // But that curves are rounded when they are kept.
    expect(renamed.optimizers[0]!.groups[0]!.score).toEqual(first.optimizers[0]!.groups[0]!.score);
  });

  it('of another theta costs its own runs alone', async () => {
    const { leaves, hiddenSize, bankSize } = starter.theta;
    const shapes = thetaShapes(hiddenSize, bankSize);
    const changed = createTheta(
      Object.fromEntries(
        Object.entries(leaves).map(([leaf, data]) => [
          leaf,
          { shape: shapes[leaf as ThetaLeaf], data: leaf === 'stepBias' ? data.map((x) => x + 1) : data },
        ]),
      ),
    );
    const totals: number[] = [];
    const both = await evaluate({
      optimizers: [starter, { name: 'changed', theta: changed }],
      suite,
      seeds: 2,
      folder: at,
      onProgress: ({ runs }) => totals.push(runs.done),
    });
    expect(totals).toHaveLength(1 + 2 * 2 * 3);
    expect(both.optimizers.map(({ name }) => name)).toEqual(['starter', 'changed']);
    expect(both.tasks[0]!.candidates.changed!.trainingLoss).not.toEqual(
      both.tasks[0]!.candidates.starter!.trainingLoss,
    );
  });

  it('does again what a damaged line held', async () => {
    const path = join(at, 'test-7', 'adam.jsonl');
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${lines.slice(0, -3).join('\n')}\n${lines.at(-3)!.slice(0, 50)}`);
    const done: number[] = [];
    const repaired = await evaluate({
      optimizers: [starter],
      suite,
      seeds: 2,
      folder: at,
      onProgress: ({ runs }) => done.push(runs.done),
    });
    expect(done).toEqual([2 * RUNS - 2, 2 * RUNS - 1, 2 * RUNS]);
    expect(repaired.dropped).toBe(1);
    expect(repaired.tasks).toEqual((await evaluate({ optimizers: [starter], suite, seeds: 2, folder: at })).tasks);
  });

  it('refuses runs of a task that has changed', async () => {
    const path = join(at, 'test-7', 'sgd.jsonl');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/"initialLoss":[\d.]+/, '"initialLoss":123'));
    await expect(evaluate({ optimizers: [starter], suite, seeds: 2, folder: at })).rejects.toMatchObject({
      code: 'DATA_INVALID',
      message: expect.stringContaining('another version of the task'),
    });
    writeFileSync(path, text);
  });

  it('is told in text, JSON and HTML', () => {
    const text = textReport(first);
    expect(text).toMatch(/^test, version 7: 2 tasks, 2 seeds/);
    expect(text).toMatch(/lower training loss than Adam, cosine decay, tuned +\d of 2 \(\d+ %, \d+ to \d+\)/);
    expect(text).toMatch(/speed-up over tuned Adam, median +\d\.\d\d \(\d\.\d\d to \d\.\d\d\)/);
    expect(text).toMatch(/runs that diverged or ended above their start +0 of 12/);
    const json = JSON.parse(jsonReport(first));
    expect(json).toMatchObject({ format: 'velojs-evaluation', version: 1, seeds: 2, optimizer: { name: 'starter' } });
    expect(json.tasks[0].optimizer.trainingLoss[0]).toBeCloseTo(
      first.tasks[0]!.candidates.starter!.trainingLoss[0]!,
      5,
    );
    expect(() => jsonReport(first, 'nobody')).toThrow(/no optimizer "nobody"; it has starter/);
    const html = htmlReport(first);
    expect(html.match(/<polyline/g)).toHaveLength(2 * 3);
    expect(html).not.toMatch(/https?:|<script|NaN|undefined|Infinity/);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

it('gives the same numbers on one thread and on two', async () => {
  const [one, two] = await Promise.all(
    [1, 2].map((threads) => evaluate({ optimizers: [starter], suite, seeds: 1, folder: another(), threads })),
  );
  expect(one).toEqual(two);
});

describe('without baselines', () => {
  afterEach(() => {
    delete process.env.VELOJS_TEST_CRASH;
    delete process.env.VELOJS_TEST_CRASH_AGAIN;
  });
  it('only trains', async () => {
    const evaluation = await evaluate({ optimizers: [starter], suite: bare, seeds: 1, folder: another() });
    expect(evaluation.tasks.map(({ baselines }) => baselines)).toEqual([{}, {}]);
    const [summary] = evaluation.optimizers[0]!.groups;
    expect(summary).toMatchObject({ against: {}, speedUp: null, told: [], runs: 2, diverged: [] });
    expect(summary!.score.value).toBeLessThan(-1);
    for (const report of [textReport(evaluation), htmlReport(evaluation), jsonReport(evaluation)]) {
      expect(report).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it('goes on where it was stopped', async () => {
    const at = another();
    const stop = new AbortController();
    const reason = new Error('enough');
    const settings = { optimizers: [starter], suite: bare, seeds: 5, folder: at, threads: 2 };
    await expect(
      evaluate({
        ...settings,
        signal: stop.signal,
        onProgress: ({ runs }) => runs.done === 3 && stop.abort(reason),
      }),
    ).rejects.toBe(reason);
    const done: number[] = [];
    await evaluate({ ...settings, onProgress: ({ runs }) => done.push(runs.done) });
    expect(done[0]).toBeGreaterThanOrEqual(3);
    expect(done[0]).toBeLessThan(10);
    expect(done.at(-1)).toBe(10);
  });

  it('replaces a thread that dies', async () => {
    const crash = join(folder, 'crash');
    writeFileSync(crash, '');
    process.env.VELOJS_TEST_CRASH = crash;
    const once = () => evaluate({ optimizers: [starter], suite: bare, seeds: 1, folder: another() });
    const survived = await once();
    expect(existsSync(crash)).toBe(false);
    expect(survived).toEqual(await once());
  });

  it('gives up on a run that ends every thread', async () => {
    process.env.VELOJS_TEST_CRASH = join(folder, 'crash');
    process.env.VELOJS_TEST_CRASH_AGAIN = 'true';
    writeFileSync(process.env.VELOJS_TEST_CRASH, '');
    await expect(evaluate({ optimizers: [starter], suite: bare, seeds: 1, folder: another() })).rejects.toMatchObject({
      code: 'WORKER_LOST',
      message: expect.stringContaining('small has ended 3 threads'),
    });
  });
});

describe('refuses', () => {
  const base = { optimizers: [starter], suite, folder: 'nowhere' };
  it.each<[string, object, RegExp]>([
    ['no seeds', { seeds: 0 }, /seeds must be a whole number from 1/],
    ['half a thread', { threads: 1.5 }, /threads must be a whole number/],
    ['no folder', { folder: '' }, /needs a folder/],
    ['two of one name', { optimizers: [starter, starter] }, /"starter"/],
    ['what is no theta', { optimizers: [{ name: 'x', theta: {} as Theta }] }, /theta of "x"/],
    ['an unknown task', { tasks: ['small', 'tiny'] }, /no task "tiny"; it has small, large/],
    ['no tasks', { tasks: [] }, /No task was chosen/],
    ['an unknown suite', { suite: { name: 'easy' } }, /no suite "easy"; there are held-out, validation/],
    [
      'a module that is not there',
      { suite: { module: '/nowhere/suite.mjs' } },
      /nowhere\/suite\.mjs cannot be imported/,
    ],
    ['a module without a suite', { suite: { module: 'data:text/javascript,export default {}' } }, /is no suite/],
  ])('%s', async (_, options, message) => {
    const attempt = evaluate({ ...base, ...options } as Parameters<typeof evaluate>[0]);
    await expect(attempt).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) });
  });
  it('files of MNIST that are not there', async () => {
    await expect(evaluate({ ...base, suite: { name: 'mnist', folder } })).rejects.toMatchObject({
      code: 'DATA_INVALID',
    });
  });
});
