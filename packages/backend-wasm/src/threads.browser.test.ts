/** Threads on pages: the main thread goes on, a worker of the page steps as Node does. */
import { createVelo } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { expect, it, vi } from 'vitest';
import { wasm } from './index.ts';
import { start, step, trainOnce } from './testing-training.ts';

it('lets a page go on while threads work', async () => {
  const backend = await wasm({ simd: 'plain', threads: 2 });
  expect(backend.threads).toBe(2);
  const shape = [1500, 1000];
  const gradient = backend.wrap(
    Float32Array.from({ length: 1_500_000 }, (_, i) => Math.sin(i)),
    shape,
  );
  const weights = backend.wrap(
    Float32Array.from({ length: 1_500_000 }, (_, i) => Math.cos(i)),
    shape,
  );
  const velo = createVelo({ backend, theta: starterTheta(), parameters: [weights], totalSteps: 100 });
  const before = weights.data.slice(0, 10);
  const ratios: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    velo.step([gradient], 1);
    const returned = performance.now() - start;
    await velo.synchronize();
    ratios.push(returned / (performance.now() - start));
  }
  // Looking for NaN and posting a command, against the whole step.
  expect(Math.min(...ratios)).toBeLessThan(0.5);
  expect(weights.data.slice(0, 10)).not.toEqual(before);
  velo.dispose();
  backend.close();
});

it('gives the results of one thread, whether it waits after every step or at the end', async () => {
  const expected = await trainOnce({ threads: 1, wait: false });
  expect(await trainOnce({ threads: 2, wait: true })).toEqual(expected);
  expect(await trainOnce({ threads: 3, wait: false })).toEqual(expected);
});

it('steps as Node does in a worker of the page', async () => {
  const worker = new Worker(new URL('./testing-worker.ts', import.meta.url), { type: 'module' });
  const answer = new Promise<{ inStep: Float32Array[]; synchronized: Float32Array[]; threads: number }>(
    (resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
    },
  );
  const { inStep, synchronized, threads } = await answer;
  worker.terminate();
  expect(threads).toBe(2);
  expect(inStep).toEqual(synchronized);
  expect(inStep).toEqual(await trainOnce({ threads: 1, wait: false }));
});

it('reports a worker that is gone, of which browsers say nothing', async () => {
  const Original = globalThis.Worker;
  const workers: Worker[] = [];
  globalThis.Worker = class extends Original {
    constructor(url: string | URL) {
      super(url);
      workers.push(this);
    }
  };
  try {
    const { backend, velo } = await start(2);
    step(velo, 0);
    await velo.synchronize();
    vi.useFakeTimers();
    for (const worker of workers) worker.terminate();
    step(velo, 1);
    const failed = expect(velo.synchronize()).rejects.toMatchObject({ code: 'WORKER_LOST' });
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    expect(() => step(velo, 2)).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    backend.close();
  } finally {
    vi.useRealTimers();
    globalThis.Worker = Original;
  }
});

it('tells who waits that it was closed', async () => {
  const backend = await wasm({ simd: 'plain', threads: 2 });
  const gradient = backend.wrap(new Float32Array(2_000_000).fill(0.5), [2000, 1000]);
  const weights = backend.wrap(new Float32Array(2_000_000).fill(0.1), [2000, 1000]);
  const velo = createVelo({ backend, theta: starterTheta(), parameters: [weights], totalSteps: 100 });
  velo.step([gradient], 1);
  const waiting = [velo.synchronize(), velo.exportState()].map((promise) =>
    expect(promise).rejects.toMatchObject({ code: 'DISPOSED' }),
  );
  backend.close();
  await Promise.all(waiting);
  await expect(velo.synchronize()).rejects.toMatchObject({ code: 'DISPOSED' });
  expect(() => velo.step([gradient], 1)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  velo.dispose();
});

it('has one thread where memory cannot be shared', async () => {
  const shared = globalThis.SharedArrayBuffer;
  try {
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    const backend = await wasm({ simd: 'plain', threads: 4 });
    expect(backend.threads).toBe(1);
    backend.close();
  } finally {
    globalThis.SharedArrayBuffer = shared;
  }
});
