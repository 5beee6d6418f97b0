import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from 'vitest';
import { createAdam } from './adam.ts';
import { createRandom } from './random.ts';

it('agrees with tf.train.adam over 20 steps', async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
  const random = createRandom(0, 'weights');
  const values = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const initial = { w: { shape: [2, 3], data: values(6) }, b: { shape: [3], data: values(3) } };

  const ours = createAdam(initial, () => 0.01);
  const theirs = tf.train.adam(0.01, 0.9, 0.999, 1e-8);
  const w = tf.variable(tf.tensor2d(initial.w.data, [2, 3]), true, 'w');
  const b = tf.variable(tf.tensor1d(initial.b.data), true, 'b');
  for (let step = 0; step < 20; step++) {
    const gradients = { w: values(6), b: values(3) };
    ours.step(gradients);
    theirs.applyGradients([
      { name: 'w', tensor: tf.tensor2d(gradients.w, [2, 3]) },
      { name: 'b', tensor: tf.tensor1d(gradients.b) },
    ]);
  }
  const deviations = (a: Float32Array, b: ArrayLike<number>) => a.map((value, i) => Math.abs(value - b[i]!));
  expect(Math.max(...deviations(ours.parameters.w!.data, w.dataSync()))).toBeLessThan(2e-6);
  expect(Math.max(...deviations(ours.parameters.b!.data, b.dataSync()))).toBeLessThan(2e-6);
  expect(initial.w.data).not.toEqual(ours.parameters.w!.data);
});

it('follows a schedule', () => {
  const adam = createAdam({ x: { shape: [1], data: Float32Array.of(0) } }, (step) => [0.5, 0][step]!);
  adam.step({ x: Float32Array.of(1) });
  expect(adam.parameters.x!.data[0]).toBeCloseTo(-0.5, 6);
  adam.step({ x: Float32Array.of(1) });
  expect(adam.parameters.x!.data[0]).toBeCloseTo(-0.5, 6);
});
