import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import './tfjs-wasm-convolutions.ts';
// Brings the gradients of operations.
import '@tensorflow/tfjs-layers';

/** The gradient of a filter `[3, 2, 3, 4]` on images of 9 x 8 pixels, on a backend that is then left. */
async function filterGradient(backend: string, strides: [number, number], pad: 'valid' | 'same') {
  await tf.setBackend(backend);
  const waves = (...shape: [number, number, number, number]) =>
    tf.tensor4d(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i)),
      shape,
    );
  return tf.tidy(() => {
    const images = waves(5, 9, 8, 3);
    const gradient = tf.grad((filter) => {
      const outputs = tf.conv2d(images, filter as tf.Tensor4D, strides, pad);
      return tf.sum(tf.mul(outputs, tf.cos(outputs)));
    })(waves(3, 2, 3, 4));
    return { shape: gradient.shape, values: gradient.dataSync().slice() };
  });
}

describe('Conv2DBackpropFilter on the wasm backend', () => {
  it.each([
    [[1, 1], 'valid'],
    [[1, 1], 'same'],
    [[2, 2], 'valid'],
    [[2, 2], 'same'],
    [[3, 1], 'valid'],
    [[2, 3], 'same'],
  ] as const)('strides %j with padding %s: the numbers of the cpu backend', async (strides, pad) => {
    const expected = await filterGradient('cpu', [...strides], pad);
    const actual = await filterGradient('wasm', [...strides], pad);
    expect(actual.shape).toEqual(expected.shape);
    expect(Math.max(...expected.values.map(Math.abs))).toBeGreaterThan(1);
    for (const [i, value] of expected.values.entries()) expect(actual.values[i]).toBeCloseTo(value, 3);
  });

  it('keeps no tensors', async () => {
    await filterGradient('wasm', [1, 1], 'valid');
    const before = tf.memory().numTensors;
    await filterGradient('wasm', [1, 1], 'valid');
    expect(tf.memory().numTensors).toBe(before);
  });
});
