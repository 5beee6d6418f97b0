import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeTheta, starterTheta } from '@velojs/weights';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { parseConfig } from './config.ts';
import { type MetaProgress, type MetaTrainOptions, metaTrain, type Validation } from './meta-train.ts';
import { serveWorker } from './queue/index.ts';
import { Replica } from './replica.ts';
import { threads } from './threads.ts';

const root = mkdtempSync(join(tmpdir(), 'velojs-meta-'));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => {
  delete process.env.VELOJS_TEST_MORTAL;
});
let folders = 0;
const newFolder = () => join(root, `run-${folders++}`);

const configOf = (changes: object = {}) =>
  parseConfig({
    seed: 3,
    trained: { stepBias: { scale: 10 }, stepWeight: { scale: 10 }, bankWeight0: { scale: 0.1, bank: [0] } },
    tasks: {
      modules: [new URL('./testing-mortal-family.ts', import.meta.url).href],
      families: { bowl: 1, mortal: 1 },
    },
    horizon: { low: 10, high: 40 },
    estimator: { kind: 'es' },
    pairs: 6,
    updates: 6,
    validation: { every: 2, tasks: 3, horizons: [10, 30] },
    ...changes,
  });
const PES = { estimator: { kind: 'pes', truncation: 8 } };

/** All that a run leaves behind, but for how long it took. */
async function run(changes: object, options: Partial<MetaTrainOptions> = {}) {
  const folder = options.folder ?? newFolder();
  const updates: MetaProgress[] = [];
  const result = await metaTrain({
    config: configOf(changes),
    folder,
    onUpdate: (progress) => updates.push(progress),
    ...options,
  });
  return { folder, updates, result, ...filesOf(folder) };
}

function filesOf(folder: string) {
  const text = (file: string) =>
    readFileSync(join(folder, file), 'utf8').replaceAll(/"seconds":[\d.]+/g, '"seconds":0');
  return {
    log: text('log.jsonl'),
    checkpoint: text('checkpoint.json'),
    best: readFileSync(join(folder, 'best.theta')),
  };
}

const sameFiles = (a: ReturnType<typeof filesOf>, b: ReturnType<typeof filesOf>) => {
  expect(a.log).toBe(b.log);
  expect(a.checkpoint).toBe(b.checkpoint);
  expect(a.best.equals(b.best)).toBe(true);
};

describe.each([
  ['ES', {}],
  ['PES', PES],
])('%s', (_, estimator) => {
  it('moves theta, and the same way with 1, 2 and 4 threads', async () => {
    const alone = await run(estimator);
    expect(alone.updates.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(alone.updates.every(({ dropped, innerSteps }) => dropped === 0 && innerSteps > 0)).toBe(true);
    expect(new Set(alone.updates.map(({ objective }) => objective)).size).toBe(6);
    for (const count of [1, 2, 4]) sameFiles(await run(estimator, { workers: threads(count) }), alone);
  });

  it('goes on after an interruption as if there had been none', async () => {
    const whole = await run(estimator);
    const folder = newFolder();
    const stopped = new AbortController();
    const first = run(estimator, {
      folder,
      signal: stopped.signal,
      onUpdate: ({ step }) => {
        if (step === 3) stopped.abort(new Error('stopped'));
      },
    });
    await expect(first).rejects.toThrow('stopped');
    expect(JSON.parse(filesOf(folder).checkpoint).step).toBe(3);
    sameFiles(await run(estimator, { folder, workers: threads(2) }), whole);
    // A finished run has nothing left to do.
    expect((await run(estimator, { folder })).updates).toEqual([]);
  });

  it('goes on after a crash between two checkpoints', async () => {
    const whole = await run(estimator);
    const folder = newFolder();
    let old: string | undefined;
    await run(estimator, {
      folder,
      onValidation: ({ step }: Validation) => {
        if (step === 4) old = readFileSync(join(folder, 'checkpoint.json'), 'utf8');
      },
    });
    // As of update 2: later lines of the log, and one that was cut.
    writeFileSync(join(folder, 'checkpoint.json'), old!);
    writeFileSync(join(folder, 'log.jsonl'), `${filesOf(folder).log}{"step":7,"obj`);
    expect(JSON.parse(old!).step).toBe(2);
    sameFiles(await run(estimator, { folder }), whole);
  });

  it('replaces a thread that dies in the middle of its work', async () => {
    const whole = await run(estimator);
    const file = join(root, `mortal-${folders}`);
    process.env.VELOJS_TEST_MORTAL = file;
    const mourned = await run(estimator, { workers: threads(2) });
    expect(existsSync(file)).toBe(true);
    expect(mourned.updates.at(-1)!.lost).toBeGreaterThan(0);
    sameFiles(mourned, whole);
  });
});

describe('faults', () => {
  it('drops and counts pairs without a result', async () => {
    const tasks = { ...configOf().tasks, families: { bowl: 1, broken: 1 } };
    const { updates, result } = await run({ tasks });
    const dropped = updates.map((update) => update.dropped);
    expect(Math.max(...dropped)).toBeGreaterThan(0);
    expect(updates.every(({ objective, gradientNorm }) => Number.isFinite(objective + gradientNorm))).toBe(true);
    expect(result.theta.leaves.stepWeight.every(Number.isFinite)).toBe(true);
  });

  it('a thread that cannot be replaced ends what is asked for later, too', async () => {
    const start = join(root, 'start.theta');
    writeFileSync(start, encodeTheta(starterTheta()));
    const tasks = { ...configOf().tasks, families: { mayfly: 1 } };
    const replica = await Replica.create(configOf({ start, tasks }));
    const workers = await threads(1)(replica, replica.search.state);
    try {
      expect(await workers.runPairs([0])).toHaveLength(1);
      rmSync(start);
      await expect.poll(() => workers.lost, { timeout: 10_000 }).toBeGreaterThan(0);
      // While its place is being filled, and when that is over.
      for (const pair of [1, 2]) await expect(workers.runPairs([pair])).rejects.toThrow(/nor a file/);
    } finally {
      await workers.close();
      replica.dispose();
    }
  });

  it('closing ends what threads are doing', async () => {
    const replica = await Replica.create(configOf());
    const workers = await threads(1)(replica, replica.search.state);
    const running = expect(workers.runPairs([0])).rejects.toMatchObject({ code: 'DISPOSED' });
    await workers.close();
    replica.dispose();
    await running;
  });

  it('refuses a number of threads that is none', async () => {
    for (const count of [0, 1.5, Number.NaN]) {
      const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
      expect(() => threads(count)).toThrow(refused);
      await expect(serveWorker({ connection: 'redis://nowhere', run: 'x', threads: count })).rejects.toEqual(refused);
    }
  });

  it('refuses validation tasks that have no loss to begin with', async () => {
    const tasks = { ...configOf().tasks, families: { broken: 1 } };
    await expect(run({ tasks })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/No validation task of 10 and 30 steps/),
    });
  });

  it('begins its log anew where a run before it left no checkpoint', async () => {
    const whole = await run({ updates: 1 });
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(join(folder, 'log.jsonl'), '{"step":0,"validation":-1}\n{"step":1,"obj');
    sameFiles(await run({ updates: 1 }, { folder }), whole);
  });

  it('a task that ends every thread ends the run, which can go on', async () => {
    const folder = newFolder();
    process.env.VELOJS_TEST_MORTAL = 'always';
    await expect(run({}, { folder, workers: threads(2) })).rejects.toMatchObject({ code: 'WORKER_LOST' });
    delete process.env.VELOJS_TEST_MORTAL;
    sameFiles(await run({}, { folder, workers: threads(2) }), await run({}));
  });

  it('refuses a checkpoint of another configuration, or a damaged one, and leaves it', async () => {
    const { folder, checkpoint } = await run({ updates: 1 });
    const refused = expect.objectContaining({ code: 'STATE_INVALID' });
    await expect(run({ updates: 1, seed: 4 }, { folder })).rejects.toEqual(refused);
    expect(filesOf(folder).checkpoint).toBe(checkpoint);
    for (const damage of [checkpoint.slice(0, -9), '{}', 'null', checkpoint.replace('"z":"', '"z":7,"y":"')]) {
      writeFileSync(join(folder, 'checkpoint.json'), damage);
      await expect(run({ updates: 1 }, { folder })).rejects.toEqual(refused);
    }
  });

  it('refuses a checkpoint of another start, wherever that lies', async () => {
    const [start, moved] = [join(root, 'one.theta'), join(root, 'two.theta')];
    writeFileSync(start, encodeTheta(starterTheta()));
    const { folder } = await run({ start, updates: 1 });
    renameSync(start, moved);
    expect((await run({ start: moved, updates: 1 }, { folder })).updates).toEqual([]);
    writeFileSync(moved, encodeTheta(starterTheta({ bankSize: 5 })));
    await expect(run({ start: moved, updates: 1 }, { folder })).rejects.toMatchObject({ code: 'STATE_INVALID' });
  });

  it('says what cannot be written', async () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    await expect(run({}, { folder: join(file, 'run') })).rejects.toMatchObject({ code: 'WRITE_FAILED' });
    // A disk without room.
    const { folder } = await run({ updates: 1 });
    rmSync(join(folder, 'checkpoint.json'));
    rmSync(join(folder, 'log.jsonl'));
    symlinkSync('/dev/full', join(folder, 'log.jsonl'));
    await expect(run({ updates: 1 }, { folder })).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringContaining('ENOSPC'),
    });
  });

  it.each([
    [{ tasks: { families: { nothing: 1 } } }, /no task family "nothing"/],
    [{ tasks: { modules: ['./nowhere.js'], families: { bowl: 1 } } }, /nowhere\.js cannot be loaded/],
    [{ start: '/nowhere/at-all.theta' }, /nor a file/],
    [{ trained: { nothing: { scale: 1 } } }, /no leaf "nothing"/],
  ])('refuses %o', async (changes, message) => {
    const refused = run(changes);
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) });
  });
});

describe('configuration', () => {
  it.each([
    [{ horizons: 3 }, /horizons/],
    [{ pairs: 0 }, /pairs/],
    [{ sigma: Number.NaN }, /sigma/],
    [{ horizon: { low: 10, high: 5 } }, /horizon: low must not be above high/],
    [{ estimator: { kind: 'pes' } }, /truncation/],
    [{ estimator: { kind: 'spsa' } }, /estimator/],
    [{ tasks: { families: {} } }, /name a family/],
    [{ trained: { stepBias: { scale: -1 } } }, /trained\.stepBias\.scale/],
  ])('refuses %o', (changes, message) => {
    expect(() => configOf(changes)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    );
  });
  it('names all that is wrong at once', () => {
    expect(() => configOf({ pairs: 0, updates: 0.5, typo: 1 })).toThrow(/typo.*pairs|pairs.*typo/s);
    expect(() => parseConfig(null)).toThrow(/the document/);
  });
});
