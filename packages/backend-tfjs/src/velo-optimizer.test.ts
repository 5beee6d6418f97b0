import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { starterTheta } from '@velojs/weights';
import { build, type Rolldown } from 'vite';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { VeloOptimizer } from './index.ts';
import { describeVeloOptimizer } from './testing-optimizer.ts';

tf.env().set('PROD', true);

for (const backend of ['cpu', 'wasm']) describeVeloOptimizer(backend, { onDevice: false });

const code = (expected: string, message = /./) =>
  expect.objectContaining({ name: 'VeloError', code: expected, message: expect.stringMatching(message) });

describe('options', () => {
  it.each<[string, unknown, RegExp]>([
    ['none', undefined, /totalSteps/],
    ['a learning rate', 0.01, /no learning rate/],
    ['a misspelt one', { totalsteps: 10 }, /"totalsteps"/],
    ['a learning rate among them', { totalSteps: 10, learningRate: 0.1 }, /no learning rate/],
    ['no length', {}, /totalSteps/],
    ['a broken length', { totalSteps: 1.5 }, /totalSteps/],
    ['a negative weightDecay', { totalSteps: 10, weightDecay: -1 }, /weightDecay/],
    ['no maxTrainingSteps', { totalSteps: 10, maxTrainingSteps: 0 }, /maxTrainingSteps/],
    ['a theta that is only promised', { totalSteps: 10, theta: Promise.resolve(starterTheta()) }, /await/],
    ['a theta that is none', { totalSteps: 10, theta: 'velo' }, /Theta/],
  ])('%s: INVALID_ARGUMENT', (_, options, message) => {
    expect(() => new VeloOptimizer(options as { totalSteps: number })).toThrow(code('INVALID_ARGUMENT', message));
  });

  it('go through JSON, theta as its checksum', () => {
    const options = { totalSteps: 100, weightDecay: 1e-4, maxTrainingSteps: 50 };
    const config = JSON.parse(JSON.stringify(new VeloOptimizer(options).getConfig()));
    expect(config).toEqual({ ...options, theta: expect.stringMatching(/^[0-9a-f]{8}$/) });
    const made = VeloOptimizer.fromConfig(VeloOptimizer, config);
    expect(made.getConfig()).toEqual(config);
    expect(() => VeloOptimizer.fromConfig(VeloOptimizer, { ...config, weightDecay: 'much' })).toThrow(
      code('INVALID_ARGUMENT'),
    );
  });

  it('warn in the way that is asked for', async () => {
    await tf.setBackend('cpu');
    const onWarning = vi.fn();
    const w = tf.variable(tf.tensor1d([1]));
    const optimizer = new VeloOptimizer({ totalSteps: 2, onWarning });
    for (let i = 0; i < 3; i++) optimizer.minimize(() => tf.sum(tf.square(w)) as tf.Scalar, false, [w]);
    expect(onWarning).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('past its 2 steps'));
    tf.dispose(w);
    optimizer.dispose();
  });
});

it('is registered with tfjs by a bundled program that only imports the package', async () => {
  const entry = 'virtual:entry';
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@velojs/source', 'browser'] },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? `\0${entry}` : undefined),
        load: (id) => (id === `\0${entry}` ? "import '@velojs/backend-tfjs';" : undefined),
      },
    ],
    build: { write: false, minify: false, rolldownOptions: { input: entry, external: /^@tensorflow\// } },
  })) as Rolldown.RolldownOutput;
  expect(result.output[0].code).toMatch(/registerClass\(VeloOptimizer\)/);
});

describe('the backend of tfjs', () => {
  afterEach(async () => {
    await tf.setBackend('cpu');
    if (tf.findBackendFactory('slow')) tf.removeBackend('slow');
  });

  it('that is not ready: BACKEND_UNAVAILABLE', async () => {
    await tf.setBackend('cpu');
    const w = tf.variable(tf.tensor1d([1]));
    let start = (_: boolean): void => {};
    tf.registerBackend('slow', () => new Promise((_, reject) => (start = () => reject(new Error('no device')))), 99);
    const ready = tf.setBackend('slow');
    const optimizer = new VeloOptimizer({ totalSteps: 2 });
    expect(() => optimizer.minimize(() => tf.sum(w) as tf.Scalar)).toThrow(code('BACKEND_UNAVAILABLE', /ready/));
    start(false);
    expect(await ready).toBe(false);
    await tf.setBackend('cpu');
    expect([...w.dataSync()]).toEqual([1]);
    expect(optimizer.iterations).toBe(0);
    tf.dispose(w);
  });

  it('that changes in mid-training: INVALID_ARGUMENT, and another optimizer goes on', async () => {
    await tf.setBackend('cpu');
    const w = tf.variable(tf.tensor1d([1, 2]));
    const step = (optimizer: VeloOptimizer) => optimizer.minimize(() => tf.sum(tf.square(w)) as tf.Scalar, false, [w]);
    const optimizer = new VeloOptimizer({ totalSteps: 5 });
    step(optimizer);
    await tf.setBackend('wasm');
    const before = [...(await w.data())];
    expect(() => step(optimizer)).toThrow(code('INVALID_ARGUMENT', /tfjs-cpu/));
    expect([...(await w.data())]).toEqual(before);
    const other = new VeloOptimizer({ totalSteps: 5 });
    await other.setWeights(await optimizer.getWeights());
    step(other);
    expect(other.iterations).toBe(2);
    expect([...(await w.data())]).not.toEqual(before);
    optimizer.dispose();
    other.dispose();
    tf.dispose(w);
  });

  it.each([
    ['cpu', 'wasm'],
    ['wasm', 'cpu'],
  ])('that is %s, and %s between two steps: copies of weights stay as they are', async (own, other) => {
    await tf.setBackend(own);
    const w = tf.variable(tf.tensor1d([1, 2]));
    const optimizer = new VeloOptimizer({ totalSteps: 5 });
    const gradient = tf.tensor1d([1, 1]);
    const step = () => optimizer.applyGradientsWithLoss({ [w.name]: gradient }, 1);
    step();
    const copy = tf.clone(w);
    await tf.setBackend(other);
    const before = [...(await tf.square(w).data())];
    await tf.setBackend(own);
    step();
    expect([...(await tf.square(copy).data())]).toEqual(before.map((value) => expect.closeTo(value, 5)));
    expect([...(await tf.square(w).data())]).not.toEqual(before.map((value) => expect.closeTo(value, 5)));
    optimizer.dispose();
    tf.dispose([w, copy, gradient]);
  });
});
