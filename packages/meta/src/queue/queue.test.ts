import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type MetaConfig, parseConfig } from '../config.ts';
import { type MetaProgress, type MetaTrainOptions, metaTrain } from '../meta-train.ts';
import { Replica } from '../replica.ts';
import { queueWorkers, type ServeWorkerOptions, serveWorker } from './index.ts';
import { encodeMessage, keysOf } from './run-record.ts';
import { hasRedis, TestingRedis } from './testing-redis.ts';

/** So that what is silent is soon missed. */
const patience = 1_500;

const root = mkdtempSync(join(tmpdir(), 'velojs-queue-'));
let names = 0;
const newName = () => `run-${names++}`;
const newFolder = () => join(root, newName());

const configOf = (changes: object = {}): MetaConfig =>
  parseConfig({
    seed: 3,
    trained: { stepBias: { scale: 10 }, stepWeight: { scale: 10 }, bankWeight0: { scale: 0.1, bank: [0] } },
    tasks: {
      modules: [new URL('./testing-stuck-family.ts', import.meta.url).href],
      families: { bowl: 1, stuck: 1, mortal: 1 },
    },
    horizon: { low: 10, high: 40 },
    estimator: { kind: 'es' },
    pairs: 6,
    updates: 6,
    validation: { every: 2, tasks: 3, horizons: [10, 30] },
    ...changes,
  });
const PES = { estimator: { kind: 'pes', truncation: 8 }, updates: 12 };

/** All that a run leaves behind, but for how long it took. */
function filesOf(folder: string) {
  const text = (file: string) =>
    readFileSync(join(folder, file), 'utf8').replaceAll(/"seconds":[\d.]+/g, '"seconds":0');
  const best = readFileSync(join(folder, 'best.theta')).toString('base64');
  return { log: text('log.jsonl'), checkpoint: text('checkpoint.json'), best };
}

async function train(options: Omit<Partial<MetaTrainOptions>, 'config'> & { config: MetaConfig; folder?: string }) {
  const folder = options.folder ?? newFolder();
  const updates: MetaProgress[] = [];
  await metaTrain({
    ...options,
    folder,
    onUpdate: (progress) => {
      updates.push(progress);
      options.onUpdate?.(progress);
    },
  });
  return { updates, files: filesOf(folder) };
}

describe.skipIf(!hasRedis())('workers on other machines', { timeout: 120_000 }, () => {
  let redis: TestingRedis;
  let client: Redis;
  const ends: (() => Promise<unknown>)[] = [];
  const alone: Record<string, ReturnType<typeof filesOf>> = {};

  beforeAll(async () => {
    redis = await TestingRedis.start();
    client = new Redis(redis.url, { maxRetriesPerRequest: null });
    client.on('error', () => {});
    for (const [name, changes] of Object.entries({ ES: {}, PES })) {
      alone[name] = (await train({ config: configOf(changes) })).files;
    }
  }, 120_000);
  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const end of ends.splice(0)) await end();
  }, 60_000);
  afterAll(async () => {
    client?.disconnect();
    await redis?.remove();
    rmSync(root, { recursive: true });
  });

  const workers = (run: string) => queueWorkers({ connection: redis.url, run, patience });

  /** A worker in this process; `stop` ends it as Ctrl-C would. */
  function serve(run: string, options: Partial<ServeWorkerOptions> = {}) {
    const controller = new AbortController();
    const done = serveWorker({ connection: redis.url, run, signal: controller.signal, ...options });
    done.catch(() => {});
    const stop = () => {
      controller.abort();
      return done;
    };
    ends.push(() => stop().catch(() => {}));
    return { done, stop };
  }

  /** A worker in a process of its own, once it is ready. */
  async function spawnWorker(run: string, environment: Record<string, string> = {}): Promise<ChildProcess> {
    const file = fileURLToPath(new URL('./testing-worker.ts', import.meta.url));
    const child = spawn(
      process.execPath,
      ['--conditions=@velojs/source', '--import', 'tsx', file, redis.url, run, '1'],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } },
    );
    ends.push(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    await once(child.stdout!, 'data');
    return child;
  }

  const seen = (file: string) => vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 60_000 });

  describe.each([
    ['ES', {}],
    ['PES', PES],
  ])('%s', (name, changes) => {
    const config = configOf(changes);

    it('gives the numbers of one thread, with two workers, and ends them', async () => {
      const run = newName();
      const worker = serve(run, { threads: 2 });
      const { files, updates } = await train({ config, workers: workers(run) });
      expect(files).toEqual(alone[name]);
      expect(updates.at(-1)!.lost).toBe(0);
      await worker.done;
      const left = await client.keys(`*{${run}}*`);
      expect(left.filter((key) => !/:(run|inbox|meta|stalled-check)$/.test(key))).toEqual([]);
    });

    it('does the work of a process that is killed in the middle of a job', async () => {
      const run = newName();
      const file = join(root, `${run}-stuck`);
      const training = train({ config, workers: workers(run) });
      const victim = await spawnWorker(run, { VELOJS_TEST_STUCK: file });
      await seen(file);
      victim.kill('SIGKILL');
      serve(run);
      const { files, updates } = await training;
      expect(files).toEqual(alone[name]);
      expect(updates.at(-1)!.lost).toBe(1);
    });

    it('replaces a thread that dies in the middle of a job', async () => {
      const run = newName();
      const file = join(root, `${run}-mortal`);
      vi.stubEnv('VELOJS_TEST_MORTAL', file);
      serve(run, { threads: 2 });
      const { files, updates } = await train({ config, workers: workers(run) });
      expect(existsSync(file)).toBe(true);
      expect(files).toEqual(alone[name]);
      expect(updates.at(-1)!.lost).toBe(1);
    });

    it('waits for a Redis that is killed and started again on its data', async () => {
      const run = newName();
      const events: string[] = [];
      serve(run, { threads: 2 });
      let isDown = false;
      const { files } = await train({
        config,
        workers: queueWorkers({ connection: redis.url, run, patience, onEvent: (event) => events.push(event) }),
        onUpdate: ({ step }) => {
          if (step !== 3) return;
          isDown = true;
          setTimeout(async () => {
            await redis.kill();
            setTimeout(() => redis.up(), 2_000);
          }, 5);
        },
      });
      expect(isDown).toBe(true);
      expect(events).toEqual(['Redis does not answer, waiting for it', 'Redis is there again']);
      expect(files).toEqual(alone[name]);
    });

    it('counts the first of several results of a job', async () => {
      const run = newName();
      const replica = await Replica.create(config);
      const expected = replica.runPair(0);
      replica.dispose();
      const training = train({ config: configOf({ ...changes, validation: { ...config.validation, every: 50 } }) });
      const expectedFiles = (await training).files;
      const leading = train({
        config: configOf({ ...changes, validation: { ...config.validation, every: 50 } }),
        workers: workers(run),
      });
      const { inbox, run: key } = keysOf(run);
      const session = await vi.waitFor(async () => {
        const value = await client.hget(key, 'session');
        expect(value).not.toBeNull();
        return value!;
      });
      const result = { worker: 'early', session, kind: 'pair', step: 0, index: 0, values: expected } as const;
      await new Promise((resolve) => setTimeout(resolve, 100));
      serve(run);
      for (const values of [expected, [7, -7], expected])
        await client.rpush(inbox, encodeMessage({ ...result, values }));
      expect((await leading).files).toEqual(expectedFiles);
    });

    it('stays when the leader is stopped, and goes on when it comes back', async () => {
      const run = newName();
      const folder = newFolder();
      serve(run, { threads: 2 });
      const stopped = new AbortController();
      const first = train({
        ...{ config, folder, workers: workers(run), signal: stopped.signal },
        onUpdate: ({ step }) => {
          if (step === 3) stopped.abort(new Error('stopped'));
        },
      });
      await expect(first).rejects.toThrow('stopped');
      expect(await client.hget(keysOf(run).run, 'status')).toBe('paused');
      const { files, updates } = await train({ config, folder, workers: workers(run) });
      expect(updates[0]!.step).toBe(4);
      expect(files).toEqual(alone[name]);
    });

    it('a worker that is stopped gives back its job', async () => {
      const run = newName();
      const file = join(root, `${run}-stuck`);
      vi.stubEnv('VELOJS_TEST_STUCK', file);
      const worker = serve(run);
      const training = train({ config, workers: workers(run) });
      await seen(file);
      await worker.stop();
      serve(run);
      const { files, updates } = await training;
      expect(files).toEqual(alone[name]);
      expect(updates.at(-1)!.lost).toBe(0);
    });
  });

  it('a worker that comes late starts from a state in Redis', async () => {
    const run = newName();
    const config = configOf({
      ...{ updates: 140, pairs: 2, validation: { every: 140, tasks: 1, horizons: [10] } },
      horizon: { low: 4, high: 8 },
    });
    const early = serve(run);
    let late: Promise<unknown> | undefined;
    const { files } = await train({
      config,
      workers: workers(run),
      onUpdate: ({ step }) => {
        if (step === 130) late = early.stop().then(() => serve(run));
      },
    });
    expect(late).toBeDefined();
    expect(files).toEqual((await train({ config })).files);
  });

  it('a job that ends every worker ends the run', async () => {
    const run = newName();
    vi.stubEnv('VELOJS_TEST_MORTAL', 'always');
    serve(run, { threads: 2 });
    await expect(train({ config: configOf(), workers: workers(run) })).rejects.toMatchObject({
      code: 'WORKER_LOST',
      message: expect.stringContaining('has ended 3 workers'),
    });
  });

  it('a Redis that has lost its data ends the run, which goes on from its checkpoint', async () => {
    const run = newName();
    const folder = newFolder();
    const config = configOf();
    serve(run);
    const losing = train({
      ...{ config, folder, workers: workers(run) },
      onUpdate: ({ step }) => {
        if (step === 3)
          setTimeout(async () => {
            await redis.kill();
            redis.forget();
            await redis.up();
          }, 5);
      },
    });
    await expect(losing).rejects.toMatchObject({ code: 'WORKER_LOST', message: expect.stringContaining('has lost') });
    expect((await train({ config, folder, workers: workers(run) })).files).toEqual(alone.ES);
  });

  it('refuses two leaders of one run', async () => {
    const run = newName();
    const first = new AbortController();
    const leading = train({ config: configOf(), workers: workers(run), signal: first.signal });
    leading.catch(() => {});
    await vi.waitFor(async () => expect(await client.exists(keysOf(run).leader)).toBe(1));
    await expect(train({ config: configOf(), workers: workers(run) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('led by another process'),
    });
    first.abort(new Error('stopped'));
    await expect(leading).rejects.toThrow('stopped');
  });

  it.each([
    ['configuration', { config: configOf({ sigma: 0.5 }) }, /configuration is another/],
    ['module', { config: moduleElsewhere('another') }, /is another than that of the run/],
    ['place without the module', { config: moduleElsewhere(null) }, /cannot be read here/],
  ])('refuses a worker with another %s', async (_, options, message) => {
    const run = newName();
    const controller = new AbortController();
    const leading = train({ config: configOf(), workers: workers(run), signal: controller.signal });
    leading.catch(() => {});
    await expect(serve(run, options).done).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
    controller.abort();
    await leading.catch(() => {});
  });

  it.each(['velojs', 'v8', 'start'])('refuses a worker with another %s', async (field) => {
    const run = newName();
    const controller = new AbortController();
    const leading = train({ config: configOf(), workers: workers(run), signal: controller.signal });
    leading.catch(() => {});
    const key = keysOf(run).run;
    await vi.waitFor(async () => expect(await client.hexists(key, 'record')).toBe(1));
    const record = JSON.parse((await client.hget(key, 'record'))!);
    await client.hset(key, 'record', JSON.stringify({ ...record, [field]: '1.2' }));
    await expect(serve(run).done).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    controller.abort();
    await leading.catch(() => {});
  });

  it.each([
    ['http://127.0.0.1', newName(), /like redis:/],
    ['redis://:secret@127.0.0.1:1', newName(), /cannot be used at 127\.0\.0\.1:1: .*ECONNREFUSED/],
    ['redis://127.0.0.1:1', 'a name', /"a name" cannot be the name/],
  ])('refuses %s %s', async (connection, run, message) => {
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) };
    await expect(serveWorker({ connection, run })).rejects.toMatchObject(refused);
    const leading = train({ config: configOf(), workers: queueWorkers({ connection, run }) });
    await expect(leading).rejects.toMatchObject(refused);
    await expect(leading).rejects.not.toThrow('secret');
  });
});

/** The configuration with a module that has other contents, or is not there. */
function moduleElsewhere(contents: string | null): MetaConfig {
  const file = join(root, `${newName()}.js`);
  if (contents !== null) writeFileSync(file, `// ${contents}`);
  const { tasks } = configOf();
  return configOf({ tasks: { ...tasks, modules: [file] } });
}
