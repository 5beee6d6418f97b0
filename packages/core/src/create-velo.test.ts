import { describe, expect, it, vi } from 'vitest';
import { createVelo, type ExportedState, stepsFor, type Velo, withoutKernels } from './index.ts';
import { type ReferenceTensor, reference } from './reference/index.ts';
import { randomArray, randomTheta } from './testing.ts';

const theta = randomTheta();
const shapes = { w: [3, 4], b: [4], s: [] as number[] };
type Name = keyof typeof shapes;
const names = Object.keys(shapes) as Name[];
const sizeOf = (name: Name) => shapes[name].reduce((a, b) => a * b, 1);
const perName = <Value>(value: (name: Name, i: number) => Value) =>
  Object.fromEntries(names.map((name, i) => [name, value(name, i)])) as Record<Name, Value>;
const start = perName((name, i) => ({ shape: shapes[name], data: randomArray(sizeOf(name), i + 1) }));
const gradients = (step: number) => perName((name, i) => randomArray(sizeOf(name), 100 * step + i));

function create(options: { totalSteps?: number; weightDecay?: number; maxTrainingSteps?: number } = {}) {
  const backend = reference();
  const onWarning = vi.fn();
  const velo = createVelo({ backend, theta, parameters: start, totalSteps: 20, onWarning, ...options });
  return { backend, velo, onWarning };
}
const train = (velo: Velo<ReferenceTensor, typeof start>, steps: number, from = velo.stepsTaken) => {
  for (let i = from; i < from + steps; i++) velo.step(gradients(i), 2 / (i + 1));
};
const code = (expected: string) => expect.objectContaining({ name: 'VeloError', code: expected });

describe('createVelo', () => {
  it('keeps the structure of the parameters: a record or a list', () => {
    const { velo } = create();
    expect(velo.parameters.w.shape).toEqual([3, 4]);
    const list = createVelo({ backend: reference(), theta, parameters: [new Float32Array([1, 2])], totalSteps: 5 });
    list.step([new Float32Array(2)], 1);
    expect(list.parameters).toHaveLength(1);
    expect(list.parameters[0]!.shape).toEqual([2]);
  });

  it('copies initial values', async () => {
    const { velo, backend } = create();
    const before = start.w.data.slice();
    train(velo, 2);
    expect(start.w.data).toEqual(before);
    expect((await backend.read([velo.parameters.w]))[0]).not.toEqual(before);
  });

  it('does not change tensors it was given, and updates wrapped memory in place', async () => {
    const backend = reference();
    const memory = Float32Array.of(1, 2);
    const [mine, wrapped] = [backend.tensor([3, 4], [2]), backend.wrap(memory, [2])];
    const velo = createVelo({ backend, theta, parameters: { mine, wrapped }, totalSteps: 5 });
    velo.step({ mine: Float32Array.of(1, -1), wrapped: Float32Array.of(1, -1) }, 1);
    expect((await backend.read([mine]))[0]).toEqual(Float32Array.of(3, 4));
    expect([...memory]).not.toEqual([1, 2]);
    velo.dispose();
    expect(backend.liveTensors).toBe(2);
    expect(backend.peek!(wrapped)[0]).toBe(memory[0]);
  });

  it('gives everything back on dispose, and says so when used afterwards', async () => {
    const { velo, backend } = create({ weightDecay: 1e-3, maxTrainingSteps: 10 });
    train(velo, 5);
    velo.dispose();
    backend.close();
    expect(() => velo.step(gradients(0), 1)).toThrow(code('DISPOSED'));
    expect(() => velo.parameters).toThrow(code('DISPOSED'));
    expect(() => velo.dispose()).toThrow(code('DISPOSED'));
    await expect(velo.exportState()).rejects.toThrow(code('DISPOSED'));
  });

  it('leaves nothing behind when it cannot be created', () => {
    const backend = reference();
    const bad = (options: object) => () =>
      createVelo({ backend, theta, parameters: start, totalSteps: 10, ...options } as Parameters<typeof createVelo>[0]);
    for (const totalSteps of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '100', undefined]) {
      expect(bad({ totalSteps })).toThrow(code('INVALID_ARGUMENT'));
    }
    expect(bad({ weightDecay: -1 })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ weightdecay: 1 })).toThrow(/no option "weightdecay"/);
    expect(bad({ learningRate: 0.1 })).toThrow(/VeLO has no learning rate/);
    expect(bad({ weightDecay: Number.NaN })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ maxTrainingSteps: 0 })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ parameters: {} })).toThrow(code('EMPTY_TENSOR'));
    expect(bad({ parameters: { w: new Float32Array(0) } })).toThrow(code('EMPTY_TENSOR'));
    expect(bad({ parameters: { w: { shape: [2, 0], data: [] } } })).toThrow(code('EMPTY_TENSOR'));
    expect(bad({ parameters: { w: { shape: [2], data: [1] } } })).toThrow(code('SHAPE_MISMATCH'));
    expect(bad({ parameters: { w: 'x' } })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ parameters: { w: null } })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ parameters: { w: { shape: undefined, data: [1] } } })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ parameters: undefined })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ theta: undefined })).toThrow(code('WEIGHTS_INVALID'));
    expect(bad({ parameters: { w: { shape: [2], data: [1e39, 1] } } })).toThrow(code('NON_FINITE'));
    expect(bad({ weightDecay: 1e300 })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ parameters: { w: Float32Array.of(Number.NaN) } })).toThrow(code('NON_FINITE'));
    expect(backend.liveTensors).toBe(0);
  });
});

describe('a step with bad input throws and changes nothing', () => {
  const good = gradients(9);
  const bad: [string, string, unknown, unknown][] = [
    ['no loss', 'LOSS_REQUIRED', good, undefined],
    ['a null loss', 'LOSS_REQUIRED', good, null],
    ['a loss that is text', 'LOSS_REQUIRED', good, '0.5'],
    ['a NaN loss', 'NON_FINITE', good, Number.NaN],
    ['an infinite loss', 'NON_FINITE', good, Number.POSITIVE_INFINITY],
    ['a NaN in the last gradient', 'NON_FINITE', { ...good, s: Float32Array.of(Number.NaN) }, 1],
    ['a missing gradient', 'GRADIENT_MISSING', { w: good.w, b: good.b }, 1],
    ['an undefined gradient', 'GRADIENT_MISSING', { ...good, s: undefined }, 1],
    ['an extra gradient', 'GRADIENT_UNKNOWN', { ...good, x: good.w }, 1],
    ['no gradients', 'GRADIENT_MISSING', undefined, 1],
    ['a gradient of another length', 'SHAPE_MISMATCH', { ...good, w: new Float32Array(11) }, 1],
    ['a gradient of another shape', 'SHAPE_MISMATCH', { ...good, w: { shape: [4, 3], data: good.w } }, 1],
    ['a gradient that is none', 'INVALID_ARGUMENT', { ...good, w: 3 }, 1],
    ['a hole in a gradient', 'NON_FINITE', { ...good, b: { shape: [4], data: [1, undefined, 2, 3] } }, 1],
    ['text in a gradient', 'NON_FINITE', { ...good, b: { shape: [4], data: [1, 'x', 2, 3] } }, 1],
    ['a NaN in doubles', 'NON_FINITE', { ...good, b: { shape: [4], data: Float64Array.of(1, Number.NaN, 2, 3) } }, 1],
  ];
  it.each(bad)('%s: %s', async (_, expected, badGradients, loss) => {
    const { velo, backend } = create({ weightDecay: 1e-3 });
    train(velo, 4);
    const [before, live] = [await velo.exportState(), backend.liveTensors];
    expect(() => velo.step(badGradients as typeof good, loss as number)).toThrow(code(expected));
    expect(await velo.exportState()).toEqual(before);
    expect(backend.liveTensors).toBe(live);
  });

  it('also where gradient and loss are tensors', async () => {
    const { velo, backend } = create();
    const scalar = backend.tensor([1], []);
    velo.step(gradients(0), scalar);
    const before = await velo.exportState();
    const tensor = (name: Name, value = 1) => backend.tensor(new Float32Array(sizeOf(name)).fill(value), shapes[name]);
    expect(() => velo.step(gradients(1), backend.tensor([1, 2], [2]))).toThrow(code('SHAPE_MISMATCH'));
    expect(() => velo.step(gradients(1), backend.tensor([Number.NaN], []))).toThrow(code('NON_FINITE'));
    expect(() => velo.step(gradients(1), 1)).toThrow(code('LOSS_KIND_CHANGED'));
    expect(() => velo.step({ ...gradients(1), b: tensor('b', Number.NaN) }, scalar)).toThrow(code('NON_FINITE'));
    expect(() => velo.step({ ...gradients(1), b: tensor('w') }, scalar)).toThrow(code('SHAPE_MISMATCH'));
    expect(await velo.exportState()).toEqual(before);
    velo.step({ ...gradients(1), b: tensor('b') }, scalar);
    expect(velo.stepsTaken).toBe(2);
  });

  it('clips infinite gradients instead', async () => {
    const [a, b] = [create(), create()];
    a.velo.step({ ...good, s: Float32Array.of(Number.POSITIVE_INFINITY) }, 1);
    b.velo.step({ ...good, s: Float32Array.of(1000) }, 1);
    expect(await a.velo.exportState()).toEqual(await b.velo.exportState());
  });
});

it('infinite gradients of both signs do not meet in an accumulation', async () => {
  const { velo } = create({ totalSteps: 20, maxTrainingSteps: 10 });
  velo.step({ ...gradients(0), s: Float32Array.of(Number.POSITIVE_INFINITY) }, 1);
  const saved = await velo.exportState();
  await create({ totalSteps: 20, maxTrainingSteps: 10 }).velo.importState(saved);
  velo.step({ ...gradients(1), s: Float32Array.of(Number.NEGATIVE_INFINITY) }, 1);
  train(velo, 4);
  const { tensors } = await velo.exportState();
  for (const { data } of Object.values(tensors)) expect(data.every(Number.isFinite)).toBe(true);
});

it('refuses one wrapped tensor for two parameters', () => {
  const backend = reference();
  const w = backend.wrap(Float32Array.of(1, 2), [2]);
  expect(() => createVelo({ backend, theta, parameters: [w, w], totalSteps: 5 })).toThrow(code('INVALID_ARGUMENT'));
});

describe('null gradients', () => {
  it('leave a tensor out: of the update, of its LSTM row, and of the pool', async () => {
    const both = create().velo;
    const alone = createVelo({ backend: reference(), theta, parameters: { w: start.w, s: start.s }, totalSteps: 20 });
    for (let i = 0; i < 4; i++) {
      both.step({ ...gradients(i), b: null }, 1 / (i + 1));
      alone.step({ w: gradients(i).w, s: gradients(i).s }, 1 / (i + 1));
    }
    const [a, b] = [await both.exportState(), await alone.exportState()];
    expect(a.tensors['parameters.0']).toEqual(b.tensors['parameters.0']);
    expect(a.tensors['parameters.2']).toEqual(b.tensors['parameters.1']);
    expect(a.tensors['parameters.1']!.data).toEqual(start.b.data);
    expect(a.tensors['accumulators.1.moments']!.data.every((x) => x === 0)).toBe(true);
    expect(a.tensors.hidden!.data.slice(6, 12)).toEqual(theta.leaves.initialHidden);
    expect(a.tensors.hidden!.data.slice(0, 6)).toEqual(b.tensors.hidden!.data.slice(0, 6));
  });

  it('may be all there is: the loss is noted, time goes on', async () => {
    const { velo } = create();
    velo.step({ w: null, b: null, s: null }, 1);
    const { values, tensors } = await velo.exportState();
    expect(values).toMatchObject({ iteration: 1, 'lossBuffer.count': 1 });
    expect(tensors['parameters.0']!.data).toEqual(start.w.data);
  });
});

describe('devices', () => {
  const onDevice = () => {
    const backend = reference({ memory: 'device' });
    return { backend, velo: createVelo({ backend, theta, parameters: start, totalSteps: 20 }) };
  };
  it.each(['number', 'tensor'] as const)(
    'report a bad step at the next read and stand as before it (loss a %s)',
    async (kind) => {
      const loss = (backend: ReturnType<typeof reference>, value: number) =>
        kind === 'number' ? value : backend.tensor([value], []);
      const { velo, backend } = onDevice();
      const expected = onDevice();
      for (let i = 0; i < 3; i++) {
        velo.step(gradients(i), loss(backend, 1 / (i + 1)));
        expected.velo.step(gradients(i), loss(expected.backend, 1 / (i + 1)));
      }
      velo.step(
        { ...gradients(3), b: new Float32Array(4).fill(1), w: backend.tensor(Array(12).fill(Number.NaN), [3, 4]) },
        loss(backend, 1),
      );
      velo.step(gradients(4), loss(backend, 1));
      await expect(velo.synchronize()).rejects.toThrow(expect.objectContaining({ code: 'NON_FINITE', step: 3 }));
      expect(velo.stepsTaken).toBe(3);
      for (let i = 3; i < 6; i++) {
        velo.step(gradients(i), loss(backend, 1 / (i + 1)));
        expected.velo.step(gradients(i), loss(expected.backend, 1 / (i + 1)));
      }
      expect(await velo.exportState()).toEqual(await expected.velo.exportState());
    },
  );

  it('report a loss tensor that is not finite, in the first step too', async () => {
    const { velo, backend } = onDevice();
    velo.step(gradients(0), backend.tensor([Number.NEGATIVE_INFINITY], []));
    await expect(velo.exportState()).rejects.toThrow(expect.objectContaining({ code: 'NON_FINITE', step: 0 }));
    velo.step(gradients(0), backend.tensor([1], []));
    expect(((await velo.exportState()).values['lossBuffer.means'] as number[])[0]).toBeGreaterThan(0);
  });
});

describe('after a bad step on a device', () => {
  const bad = { ...gradients(3), b: Float32Array.of(1, 2, 3, 4), w: { shape: [3, 4], data: new Float32Array(12) } };
  const create2 = () => {
    const backend = reference({ memory: 'device' });
    const nan = backend.tensor(Array(12).fill(Number.NaN), [3, 4]);
    const make = () => createVelo({ backend, theta, parameters: start, totalSteps: 20 });
    const step = (velo: ReturnType<typeof make>, i: number) => velo.step(gradients(i), 1 / (i + 1));
    const spoil = (velo: ReturnType<typeof make>) => velo.step({ ...bad, w: nan }, 1);
    return { make, step, spoil };
  };

  it('importState starts from what it was given', async () => {
    const { make, step, spoil } = create2();
    const velo = make();
    step(velo, 0);
    const saved = await velo.exportState();
    step(velo, 1);
    spoil(velo);
    await velo.importState(saved);
    expect(await velo.exportState()).toEqual(saved);
  });

  it('setParameters rejects, and setTotalSteps is undone with it', async () => {
    const { make, step, spoil } = create2();
    const velo = make();
    step(velo, 0);
    spoil(velo);
    velo.setTotalSteps(40);
    await expect(velo.setParameters(start)).rejects.toThrow(expect.objectContaining({ code: 'NON_FINITE', step: 1 }));
    expect([velo.totalSteps, velo.stepsTaken]).toEqual([20, 1]);
    expect((await velo.exportState()).values.totalSteps).toBe(20);
  });

  it('other optimizers on the backend are undone to the same moment', async () => {
    const { make, step, spoil } = create2();
    const [u, v, w] = [make(), make(), make()];
    step(u, 0);
    step(w, 0);
    spoil(v);
    step(u, 1);
    step(u, 2);
    await expect(u.synchronize()).rejects.toThrow(code('NON_FINITE'));
    expect([u.stepsTaken, v.stepsTaken]).toEqual([1, 0]);
    expect(await u.exportState()).toEqual(await w.exportState());
  });
});

describe('length of training', () => {
  it('goes on past totalSteps, with one warning', () => {
    const { velo, onWarning } = create({ totalSteps: 3 });
    train(velo, 3);
    expect(onWarning).not.toHaveBeenCalled();
    train(velo, 3);
    expect(onWarning).toHaveBeenCalledOnce();
    expect(onWarning.mock.calls[0]![0]).toMatch(/past its 3 steps/);
  });

  it('may change in mid-training', async () => {
    const changed = create({ totalSteps: 20 }).velo;
    train(changed, 3);
    changed.setTotalSteps(40);
    expect(changed.totalSteps).toBe(40);
    expect((await changed.exportState()).values.totalSteps).toBe(40);
    // From there on as if it had been told so at the start, but for what three steps at another fraction have changed.
    const fresh = create({ totalSteps: 20 }).velo;
    fresh.setTotalSteps(40);
    const untouched = create({ totalSteps: 40 }).velo;
    train(fresh, 3);
    train(untouched, 3);
    expect(await fresh.exportState()).toEqual(await untouched.exportState());
    for (const steps of [0, 2.5, Number.NaN])
      expect(() => changed.setTotalSteps(steps)).toThrow(code('INVALID_ARGUMENT'));
    train(changed, 2);
  });

  it('beyond maxTrainingSteps averages gradients, and warns', async () => {
    const { velo, onWarning } = create({ totalSteps: 21, maxTrainingSteps: 10 });
    expect(onWarning.mock.calls[0]![0]).toMatch(/average the gradients of 3 steps/);
    train(velo, 2);
    expect((await velo.exportState()).tensors['inner.parameters.0']!.data).toEqual(start.w.data);
    train(velo, 1);
    expect((await velo.exportState()).values).toMatchObject({ 'inner.iteration': 1, 'inner.totalSteps': 7 });
    expect(() => velo.setTotalSteps(5)).toThrow(code('INVALID_ARGUMENT'));
    velo.setTotalSteps(30);
    expect((await velo.exportState()).values['inner.totalSteps']).toBe(10);
  });

  it('that was over long ago warns too, and after everything else is done', () => {
    const velo = createVelo({
      backend: reference(),
      theta,
      parameters: start,
      totalSteps: 9,
      onWarning: () => {
        throw new Error('stop');
      },
    });
    train(velo, 5);
    velo.setTotalSteps(2);
    expect(() => velo.step(gradients(5), 1)).toThrow('stop');
    expect(velo.stepsTaken).toBe(6);
  });

  it('comes from epochs', () => {
    expect(stepsFor({ examples: 1000, batchSize: 128, epochs: 3 })).toBe(24);
    const bad = (options: object) => () => stepsFor(options as Parameters<typeof stepsFor>[0]);
    expect(bad({ examples: 1000, batchSize: 0, epochs: 3 })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ examples: 1000, batchSize: 10 })).toThrow(code('INVALID_ARGUMENT'));
    expect(bad({ examples: 2 ** 52, batchSize: 1, epochs: 2 ** 20 })).toThrow(code('INVALID_ARGUMENT'));
  });
});

describe('state', () => {
  const variants = {
    plain: {},
    accumulating: { totalSteps: 21, maxTrainingSteps: 10 },
    decaying: { weightDecay: 1e-3 },
  };
  it.each(Object.entries(variants))('resumes bit for bit: %s', async (_, options) => {
    const uninterrupted = create(options).velo;
    train(uninterrupted, 8);
    const first = create(options).velo;
    train(first, 4);
    const saved = structuredClone(await first.exportState());
    const resumed = create(options).velo;
    await resumed.importState(saved);
    expect(resumed.stepsTaken).toBe(4);
    train(resumed, 4);
    expect(await resumed.exportState()).toEqual(await uninterrupted.exportState());
  });

  it.each(Object.entries(variants))('is given when an optimizer is created: %s', async (_, options) => {
    const uninterrupted = create(options).velo;
    train(uninterrupted, 4);
    const saved = await uninterrupted.exportState();
    const { backend: first } = uninterrupted;
    const values = await first.read(Object.values(uninterrupted.parameters));
    const parameters = perName((name, i) => ({ shape: shapes[name], data: values[i]! }));
    const isParameter = (path: string) => /(^|\.)parameters\.\d$/.test(path);
    const tensors = Object.fromEntries(Object.entries(saved.tensors).filter(([path]) => !isParameter(path)));
    expect(Object.keys(saved.tensors).filter(isParameter)).toHaveLength(names.length);
    const backend = reference();
    const onWarning = () => {};
    const resumed = createVelo({
      backend,
      theta,
      parameters,
      totalSteps: 20,
      ...options,
      state: { ...saved, tensors },
      onWarning,
    });
    expect(await resumed.exportState()).toEqual(saved);
    train(uninterrupted, 4);
    train(resumed, 4);
    expect(await resumed.exportState()).toEqual(await uninterrupted.exportState());
    resumed.dispose();
    expect(backend.liveTensors).toBe(0);
  });

  it('given at creation keeps the parameters and the length that are given with it', async () => {
    const { velo } = create();
    train(velo, 4);
    const state = await velo.exportState();
    const backend = reference();
    const resumed = createVelo({ backend, theta, parameters: start, totalSteps: 30, state });
    expect((await backend.read([resumed.parameters.w]))[0]).toEqual(start.w.data);
    expect(resumed.stepsTaken).toBe(4);
    velo.setTotalSteps(30);
    const [a, b] = [await resumed.exportState(), await velo.exportState()];
    expect({ ...a, tensors: null }).toEqual({ ...b, tensors: null });
    expect(a.tensors['accumulators.0.moments']).toEqual(b.tensors['accumulators.0.moments']);
  });

  it('that does not belong is refused at creation, and nothing is left behind', async () => {
    const { velo } = create();
    train(velo, 2);
    const state = await velo.exportState();
    const { hidden, ...withoutHidden } = state.tensors;
    const backend = reference();
    const made = (changes: object) => () =>
      createVelo({ backend, theta, parameters: start, totalSteps: 20, state, ...changes });
    for (const changes of [
      { state: null },
      { theta: randomTheta(5) },
      { weightDecay: 1 },
      { maxTrainingSteps: 10 },
      { parameters: [new Float32Array(2)] },
      { state: { ...state, tensors: withoutHidden } },
    ]) {
      expect(made(changes)).toThrow(code('STATE_INVALID'));
    }
    expect(backend.liveTensors).toBe(0);
    expect(made({})).not.toThrow();
  });

  it.each([{}, { weightDecay: 1e-3 }, { totalSteps: 21, maxTrainingSteps: 10, weightDecay: 1e-3 }])(
    'goes from the host to a device and back: %j',
    async (options) => {
      const host = create(options).velo;
      train(host, 4);
      const saved = await host.exportState();
      const onDevice = reference({ memory: 'device' });
      const velo = createVelo({
        backend: onDevice,
        theta,
        parameters: start,
        totalSteps: 20,
        onWarning: () => {},
        ...options,
      });
      await velo.importState(saved);
      train(velo, 3);
      const back = create(options).velo;
      await back.importState(await velo.exportState());
      train(back, 2);
      train(host, 5);
      const [a, b] = [await back.exportState(), await host.exportState()];
      const path = Object.keys(a.tensors).find((name) => name.endsWith('parameters.0'))!;
      a.tensors[path]!.data.forEach((x, i) => {
        expect(x).toBeCloseTo(b.tensors[path]!.data[i]!, 4);
      });
    },
  );

  it('survives JSON, doubles included', async () => {
    const { velo } = create();
    train(velo, 3);
    const { tensors: _, ...rest } = await velo.exportState();
    expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
  });

  it('may go back to before the first step, and to another kind of loss', async () => {
    const { velo, backend } = create();
    const fresh = await velo.exportState();
    velo.step(gradients(0), backend.tensor([1], []));
    await velo.importState(fresh);
    expect(await velo.exportState()).toEqual(fresh);
    train(velo, 1);
  });

  it('is refused where it does not belong, and nothing changes', async () => {
    const { velo, backend } = create();
    train(velo, 2);
    const before = await velo.exportState();
    const live = backend.liveTensors;
    const { hidden, ...withoutHidden } = before.tensors;
    const bad: unknown[] = [
      null,
      {},
      { ...before, version: 2 },
      { ...before, theta: { ...before.theta, checksum: '0' } },
      { ...before, weightDecay: 1 },
      { ...before, totalSteps: 0 },
      { ...before, totalSteps: 1_000_000 },
      { ...before, stepsTaken: -1 },
      { ...before, maxTrainingSteps: 0 },
      { ...before, tensors: undefined },
      { ...before, values: undefined },
      { ...before, names: undefined },
      { ...before, names: ['b', 'w', 's'] },
      { ...before, tensors: { ...before.tensors, hidden: { shape: [3, 6] } } },
      { ...before, values: { ...before.values, iteration: -5 } },
      { ...before, values: { ...before.values, totalSteps: 7 } },
      { ...before, values: { ...before.values, 'lossBuffer.count': 1.5 } },
      { ...before, values: { ...before.values, 'lossBuffer.means': Array(10).fill('x') } },
      { ...before, tensors: withoutHidden },
      { ...before, tensors: { ...before.tensors, extra: hidden } },
      { ...before, tensors: { ...before.tensors, hidden: { ...hidden!, shape: [6, 3] } } },
      {
        ...before,
        tensors: { ...before.tensors, hidden: { ...hidden!, data: new Float32Array(18).fill(Number.NaN) } },
      },
      { ...before, values: { ...before.values, 'lossBuffer.means': [1] } },
      { ...before, values: { ...before.values, iteration: 'one' } },
      { ...before, values: { ...before.values, __proto__: 1, extra: 1 } },
    ];
    for (const state of bad) {
      await expect(velo.importState(state as ExportedState)).rejects.toThrow(code('STATE_INVALID'));
    }
    expect(await velo.exportState()).toEqual(before);
    expect(backend.liveTensors).toBe(live);
  });
});

describe('setParameters', () => {
  it('changes values and what the next step knows of them, and leaves momentum', async () => {
    const { velo, backend } = create();
    train(velo, 3);
    const before = await velo.exportState();
    const other = { ...start, w: { shape: [3, 4], data: randomArray(12, 77, 5) } };
    await velo.setParameters(other);
    const after = await velo.exportState();
    expect(after.tensors['parameters.0']!.data).toEqual(other.w.data);
    expect(after.tensors['accumulators.0.moments']).toEqual(before.tensors['accumulators.0.moments']);
    expect(after.tensors.statistics!.data[0]).toBeCloseTo(other.w.data.reduce((sum, x) => sum + x * x, 0) / 12, 5);
    const live = backend.liveTensors;
    await velo.setParameters(velo.parameters);
    expect((await velo.exportState()).tensors).toEqual(after.tensors);
    expect(backend.liveTensors).toBe(live);
    const bad = (parameters: object) => velo.setParameters(parameters as typeof start);
    await expect(bad({ ...start, w: start.b })).rejects.toThrow(code('SHAPE_MISMATCH'));
    await expect(bad({ w: start.w })).rejects.toThrow(code('PARAMETER_MISSING'));
    await expect(bad({ ...start, x: start.w })).rejects.toThrow(code('PARAMETER_UNKNOWN'));
  });
});

describe('inspect', () => {
  it('tells what the last update did', async () => {
    const { velo, backend } = create();
    expect((await velo.inspect())[0]).toMatchObject({ name: 'w', stepFactor: 0, relativeUpdate: 0 });
    train(velo, 1);
    const before = (await backend.read([velo.parameters.w]))[0]!;
    train(velo, 1);
    const after = (await backend.read([velo.parameters.w]))[0]!;
    const [w] = await velo.inspect();
    const norm = (values: Float32Array) => Math.hypot(...values);
    expect(w!.relativeUpdate).toBeCloseTo(norm(after.map((x, i) => x - before[i]!)) / norm(after), 5);
    expect(w!.stepFactor).not.toBe(0);
    expect(w!.mlp.weights.map(({ length }) => length)).toEqual([120, 16, 12]);
    expect(w!.mlp.biases.map(({ length }) => length)).toEqual([4, 4, 3]);
  });
});

it('leaves the number of live tensors constant', () => {
  for (const options of Object.values({
    a: {},
    b: { totalSteps: 300, maxTrainingSteps: 100 },
    c: { weightDecay: 1e-3 },
  })) {
    const { velo, backend } = create({ totalSteps: 300, ...options });
    train(velo, 6);
    const live = backend.liveTensors;
    train(velo, 30);
    expect(backend.liveTensors).toBe(live);
  }
});

it('never reads during a step', () => {
  const backend = reference();
  const read = vi.spyOn(backend, 'read');
  const velo = createVelo({ backend: withoutKernels(backend), theta, parameters: start, totalSteps: 20 });
  train(velo, 3);
  expect(read).not.toHaveBeenCalled();
});
