import { setImmediate } from 'node:timers/promises';
import { createVelo, decodeState } from 'velojs';
import { createModel, createTask, loadJax, type OptimizerSpec } from 'velojs/training';
import { describe, expect, it } from 'vitest';
import { train } from '../../../../packages/velojs/src/train/train.ts';
import type { SessionConfig, SessionMessage } from './protocol.ts';
import { type Session, startSession } from './session.ts';

const spirals: SessionConfig = {
  task: { kind: 'made', name: 'spirals' },
  hidden: [8],
  steps: 100,
  seed: 3,
  backend: 'wasm',
  theta: { kind: 'default' },
  opponents: [
    { name: 'adam', learningRate: 0.001 },
    { name: 'sgd', learningRate: 0.1, momentum: 0.9 },
  ],
};

type Of<Type extends SessionMessage['type']> = Extract<SessionMessage, { type: Type }>;

/** A session whose messages are kept, and its end. */
function run(config: SessionConfig, onMessage: (message: SessionMessage, session: Session) => void = () => {}) {
  const messages: SessionMessage[] = [];
  let over = () => {};
  const finished = new Promise<void>((resolve) => {
    over = resolve;
  });
  const session = startSession(
    config,
    (message) => {
      messages.push(message);
      if (message.type === 'finished' || message.type === 'fault') over();
      void setImmediate().then(() => onMessage(message, session));
    },
    () => setImmediate(),
  );
  const all = <Type extends SessionMessage['type']>(type: Type) =>
    messages.filter((message): message is Of<Type> => message.type === type);
  const curve = (index: number) =>
    all('progress').flatMap(({ runs }) =>
      runs.filter(({ run }) => run === index).flatMap(({ points }) => [...points.loss]),
    );
  return { session, messages, finished, all, curve };
}

describe('a session', () => {
  it('trains as the command does, bit for bit', async () => {
    const { session, finished, all, curve } = run(spirals);
    await finished;
    const task = createTask('spirals', { seed: 3, steps: 100, hidden: [8] });
    const model = createModel(await loadJax(), task.layers, task.kind);
    const results = all('finished')[0]!;
    expect(results.complete).toBe(true);
    for (const [index, optimizer] of [{ name: 'velo' } as OptimizerSpec, ...spirals.opponents].entries()) {
      const { curve: expected, trainLoss, testLoss, testAccuracy } = await train({ task, model, optimizer, seed: 3 });
      expect(curve(index)).toEqual(expected.map(({ loss }) => loss));
      expect(results.runs[index]).toMatchObject({ trainLoss, testLoss, testAccuracy, steps: 100 });
    }
    session.abandon();
    await session.done;
  });

  it('tells what is trained before it trains, and the picture at the start and at the end', async () => {
    const { session, messages, finished, all } = run(spirals);
    await finished;
    const types = messages.map(({ type }) => type);
    expect(types.indexOf('started')).toBeLessThan(types.indexOf('progress'));
    const started = all('started')[0]!;
    expect(started.tensors.map(({ name }) => name)).toEqual(['weight1', 'bias1', 'weight2', 'bias2']);
    expect(started.runs.map(({ label }) => label)).toEqual(['VeLO', 'Adam 0.001', 'SGD 0.1, momentum 0.9']);
    const evaluations = all('evaluation');
    expect(evaluations[0]!.runs.map(({ step }) => step)).toEqual([0, 0, 0]);
    expect(evaluations.at(-1)!.runs.map(({ step }) => step)).toEqual([100, 100, 100]);
    // From the same weights: the same picture.
    const [velo, adam] = evaluations[0]!.runs;
    expect(velo!.picture).toEqual(adam!.picture);
    expect(velo!.testLoss).toBe(adam!.testLoss);
    session.abandon();
    await session.done;
  });

  it('looks inside VeLO', async () => {
    const { session, finished, all } = run(spirals, ({ type }, session) => {
      if (type === 'started') session.watch(2);
    });
    await finished;
    const inspections = all('inspection');
    const steps = inspections.flatMap(({ step }) => [...step]);
    expect(steps[0]).toBe(1);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    for (const { step, stepFactor, relativeUpdate } of inspections) {
      expect(stepFactor).toHaveLength(4 * step.length);
      expect(relativeUpdate.every((value) => value > 0 && value < 10)).toBe(true);
    }
    const response = all('response').at(-1)!;
    expect([response.tensor, response.step]).toEqual([2, 100]);
    expect(response.update.every(Number.isFinite)).toBe(true);
    session.abandon();
    await session.done;
  });

  it('goes step by step while paused, then on', async () => {
    const { session, finished, all } = run({ ...spirals, paused: true }, (message, session) => {
      if (message.type !== 'paused' || !message.paused) return;
      const pauses = all('paused').length;
      if (pauses === 1) session.step(1);
      if (pauses === 2) session.step(5);
      if (pauses === 3) session.resume();
    });
    await finished;
    const steps = all('evaluation').map(({ runs }) => runs[0]!.step);
    expect(steps.slice(0, 3)).toEqual([0, 1, 6]);
    expect(all('paused').map(({ paused }) => paused)).toEqual([true, true, true, false]);
    expect(all('finished')[0]!.runs[0]!.steps).toBe(100);
    session.abandon();
    await session.done;
  });

  it('stops when it is told to, with the results so far', async () => {
    const { session, finished, all } = run({ ...spirals, steps: 1_000_000 }, ({ type }, session) => {
      if (type === 'progress') session.stop();
    });
    await finished;
    const { complete, runs } = all('finished')[0]!;
    expect(complete).toBe(false);
    expect(runs[0]!.steps).toBeGreaterThan(0);
    expect(runs[0]!.steps).toBeLessThan(1_000_000);
    expect(runs[0]!.trainLoss).toBeLessThan(10);
    session.abandon();
    await session.done;
  });

  it('ends the run whose loss becomes NaN, and no other', async () => {
    const { session, finished, all } = run({
      ...spirals,
      opponents: [
        { name: 'sgd', learningRate: 1e20, momentum: 0.9 },
        { name: 'adam', learningRate: 0.001 },
      ],
    });
    await finished;
    const [fault, ...others] = all('runFault');
    expect(others).toEqual([]);
    expect(fault).toMatchObject({ run: 1, fault: { code: 'NON_FINITE' } });
    expect(fault!.fault.message).toContain('SGD');
    const [velo, sgd, adam] = all('finished')[0]!.runs;
    expect([velo!.steps, adam!.steps]).toEqual([100, 100]);
    expect(sgd!.trainLoss).toBe(Infinity);
    session.abandon();
    await session.done;
  });

  it('exports a state that goes on, and every loss', async () => {
    const { session, finished } = run(spirals);
    await finished;
    const { name, bytes } = await session.exportState();
    expect(name).toBe('spirals-100.velo');
    const state = decodeState(bytes);
    const parameters = Object.fromEntries(state.names.map((name, j) => [name, state.tensors[`parameters.${j}`]!]));
    const velo = await createVelo({ parameters, totalSteps: 200 });
    await velo.importState(state);
    expect(velo.stepsTaken).toBe(100);
    const { runs } = session.exportCurves();
    expect(runs.map(({ loss, time }) => [loss.length, time.length])).toEqual([
      [100, 100],
      [100, 100],
      [100, 100],
    ]);
    expect(runs[0]!.time.every((time, i, times) => i === 0 || time >= times[i - 1]!)).toBe(true);
    session.abandon();
    await session.done;
  });

  it.each<[string, Partial<SessionConfig>, string, string]>([
    ['a task that is not there', { task: { kind: 'made', name: 'chess' } }, 'INVALID_ARGUMENT', 'chess'],
    ['a batch that is too large', { batchSize: 5000 }, 'INVALID_ARGUMENT', '5000'],
    [
      'a theta that is none',
      { theta: { kind: 'files', files: [new File(['theta? no'], 'my.theta')] } },
      'WEIGHTS_INVALID',
      'my.theta: ',
    ],
  ])('refuses %s', async (_, change, code, message) => {
    const { session, finished, messages, all } = run({ ...spirals, ...change });
    await finished;
    expect(all('fault')[0]!.fault).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(messages.at(-1)!.type).toBe('fault');
    await session.done;
  });

  it.each(['glyphs', 'friedman'])('draws %s', async (name) => {
    const { session, finished, all } = run({
      ...spirals,
      task: { kind: 'made', name },
      hidden: undefined,
      steps: 150,
      opponents: [],
    });
    await finished;
    const { scene } = all('started')[0]!;
    const [first, last] = [all('evaluation')[0]!.runs[0]!, all('evaluation').at(-1)!.runs[0]!];
    expect(last.testLoss).toBeLessThan(first.testLoss / 2);
    if (last.picture.kind === 'images' && first.picture.kind === 'images') {
      expect(last.picture.mistakes).toBeLessThan(first.picture.mistakes / 2);
      expect(last.picture.pixels).toHaveLength(last.picture.actual.length * 256);
      expect(
        last.picture.actual.every(
          (label, i) => label !== (last.picture as typeof first.picture & { predicted: Uint16Array }).predicted[i],
        ),
      ).toBe(true);
    } else if (last.picture.kind === 'slices' && first.picture.kind === 'slices' && scene.kind === 'slices') {
      const error = (predictions: readonly Float32Array[]) =>
        predictions.reduce(
          (sum, line, i) => sum + line.reduce((all, y, k) => all + (y - scene.slices[i]!.truth[k]!) ** 2, 0),
          0,
        );
      expect(error(last.picture.predictions)).toBeLessThan(error(first.picture.predictions) / 2);
    } else throw new Error(`a picture of ${last.picture.kind}`);
    session.abandon();
    await session.done;
  });
});
