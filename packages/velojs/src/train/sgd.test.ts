import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from 'vitest';
import { createRandom } from './random.ts';
import { createSgd } from './sgd.ts';

it('agrees with tf.train.momentum over 20 steps', async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
  const random = createRandom(0, 'weights');
  const values = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const initial = { w: { shape: [2, 3], data: values(6) } };

  const ours = createSgd(initial, 0.01, 0.9);
  const theirs = tf.train.momentum(0.01, 0.9);
  const w = tf.variable(tf.tensor2d(initial.w.data, [2, 3]), true, 'weights');
  for (let step = 0; step < 20; step++) {
    const gradient = values(6);
    ours.step({ w: gradient });
    theirs.applyGradients([{ name: 'weights', tensor: tf.tensor2d(gradient, [2, 3]) }]);
  }
  const expected = w.dataSync();
  expect(Math.max(...ours.parameters.w!.data.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(2e-6);
  expect(initial.w.data).not.toEqual(ours.parameters.w!.data);
});
