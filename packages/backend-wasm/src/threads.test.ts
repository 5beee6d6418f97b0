/** Threads in Node: equal results, and what happens when a worker goes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createVelo, VeloError } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WasmBackend, wasm } from './index.ts';

const threadsOfNode = createRequire(import.meta.url)('node:worker_threads') as {
  Worker: typeof import('node:worker_threads').Worker;
};
const OriginalWorker = threadsOfNode.Worker;
let workers: InstanceType<typeof OriginalWorker>[] = [];
/** What the next workers run instead of their own code. */
let source: string | null = null;

beforeEach(() => {
  workers = [];
  source = null;
  threadsOfNode.Worker = class extends OriginalWorker {
    constructor(code: string | URL, options?: ConstructorParameters<typeof OriginalWorker>[1]) {
      super(source ?? code, options);
      workers.push(this);
    }
  };
  syncBuiltinESMExports();
});
afterEach(async () => {
  threadsOfNode.Worker = OriginalWorker;
  syncBuiltinESMExports();
  await Promise.all(workers.map((worker) => worker.terminate()));
});

const wave = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 0.37));
// One tensor that is split, some that are not, of every kind, and few enough units to be quick.
const shapes = [[300, 250], [64, 60], [1000], [], [3, 3, 8, 40], [7, 1]];
const sizes = shapes.map((shape) => shape.reduce((product, axis) => product * axis, 1));
const theta = starterTheta({ hiddenSize: 80, bankSize: 4 });

const optimizer = (backend: WasmBackend) =>
  createVelo({
    backend,
    theta,
    parameters: shapes.map((shape, j) => ({ shape, data: wave(sizes[j]!, j) })),
    totalSteps: 20,
  });
const step = (velo: ReturnType<typeof optimizer>, i: number) =>
  velo.step(
    sizes.map((size, j) => wave(size, i + j)),
    1 / (1 + i),
  );
const valuesOf = (velo: ReturnType<typeof optimizer>) => velo.parameters.map(({ data }) => data.slice());

const codeOf = async (body: () => unknown): Promise<string | undefined> => {
  try {
    await body();
  } catch (error) {
    if (error instanceof VeloError) return error.code;
    throw error;
  }
  return undefined;
};
const ended = (worker: InstanceType<typeof OriginalWorker>) => new Promise((resolve) => worker.once('exit', resolve));

describe('threads', () => {
  it('do not change the results, however many they are', async () => {
    const train = async (threads: number) => {
      const backend = await wasm({ simd: 'plain', threads });
      expect(backend.threads).toBe(threads);
      expect(workers.length).toBe(threads - 1);
      const velo = optimizer(backend);
      for (let i = 0; i < 6; i++) step(velo, i);
      const { tensors } = await velo.exportState();
      backend.close();
      workers = [];
      // Bytes, because comparing half a million numbers one by one takes seconds.
      return Object.entries(tensors).map(([name, { data }]) => [
        name,
        createHash('sha256')
          .update(new Uint8Array(Float32Array.from(data).buffer))
          .digest('hex'),
      ]);
    };
    const alone = await train(1);
    for (const threads of [2, 3, 4, 2]) expect(await train(threads)).toEqual(alone);
  });

  it('end with the backend', async () => {
    const backend = await wasm({ simd: 'plain', threads: 3 });
    const exits = workers.map(ended);
    backend.close();
    await Promise.all(exits);
  });

  it('do not keep a program alive that has nothing else to do', () => {
    const script = `
      import { wasm } from '@velojs/backend-wasm';
      import { createVelo } from '@velojs/core';
      import { starterTheta } from '@velojs/weights';
      const backend = await wasm({ threads: 3 });
      const velo = createVelo({ backend, theta: starterTheta({ hiddenSize: 256, bankSize: 4 }), parameters: [new Float32Array(50_000)], totalSteps: 10 });
      velo.step([new Float32Array(50_000).fill(1)], 1);
      console.log(backend.threads);`;
    const output = execFileSync(
      process.execPath,
      ['--conditions=@velojs/source', '--import', 'tsx', '--input-type=module', '--eval', script],
      { encoding: 'utf8', timeout: 30_000, cwd: fileURLToPath(new URL('.', import.meta.url)) },
    );
    expect(output.trim()).toBe('3');
  });
});

describe('a worker that is gone', () => {
  it('between steps is a typed error, and state stays as it was', async () => {
    const backend = await wasm({ simd: 'plain', threads: 2 });
    const velo = optimizer(backend);
    step(velo, 0);
    const before = valuesOf(velo);
    const state = await velo.exportState();
    const exit = ended(workers[0]!);
    await workers[0]!.terminate();
    await exit;
    expect(await codeOf(() => step(velo, 1))).toBe('WORKER_LOST');
    expect(await codeOf(() => velo.synchronize())).toBe('WORKER_LOST');
    expect(valuesOf(velo)).toEqual(before);
    expect(velo.stepsTaken).toBe(1);
    const { tensors } = await velo.exportState();
    for (const [name, { data }] of Object.entries(tensors)) {
      const expected = Float32Array.from(state.tensors[name]!.data);
      expect(Buffer.from(Float32Array.from(data).buffer).equals(Buffer.from(expected.buffer)), name).toBe(true);
    }
    backend.close();
  });

  it('and has not been missed yet holds no step up: the others do its work', async () => {
    const [backend, alone] = await Promise.all([wasm({ simd: 'plain', threads: 2 }), wasm({ simd: 'plain' })]);
    const [velo, expected] = [optimizer(backend), optimizer(alone)];
    void workers[0]!.terminate();
    step(velo, 0);
    step(expected, 0);
    expect(valuesOf(velo)).toEqual(valuesOf(expected));
    backend.close();
    alone.close();
  });

  it('in the middle of a step is a typed error, not a hang', async () => {
    // Enters the first command that it finds open, and ends in it.
    source = `
      const { parentPort } = require('node:worker_threads');
      parentPort.once('message', ({ memory, control }) => {
        parentPort.postMessage({ ready: true });
        const words = new Int32Array(memory.buffer);
        const gate = control >> 2;
        const open = 1 << 30;
        for (let found = 0; ; found = Atomics.load(words, gate)) {
          if (found & open && Atomics.compareExchange(words, gate, found, found + 1) === found) process.exit();
        }
      });`;
    const backend = await wasm({ simd: 'plain', threads: 2 });
    const velo = optimizer(backend);
    const codes: (string | undefined)[] = [];
    // Commands may be over before the worker is awake.
    for (let i = 0; i < 100 && codes.at(-1) === undefined; i++) codes.push(await codeOf(() => step(velo, i)));
    expect(codes.at(-1)).toBe('WORKER_LOST');
    expect(await codeOf(() => step(velo, 9))).toBe('WORKER_LOST');
    // Half of it may be that of the next step.
    expect(await codeOf(() => velo.exportState())).toBe('WORKER_LOST');
    backend.close();
  });

  it('at the start is a typed error', async () => {
    source = 'process.exit(3);';
    expect(await codeOf(() => wasm({ simd: 'plain', threads: 2 }))).toBe('BACKEND_UNAVAILABLE');
  });
});
