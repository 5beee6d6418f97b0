import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { createVelo } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { beforeAll, describe, expect, it } from 'vitest';
import { tfjs } from './index.ts';

describe('parameters in the memory of tfjs-wasm', () => {
  beforeAll(async () => {
    tf.env().set('PROD', true);
    await tf.setBackend('wasm');
  });

  // tfjs keeps packed copies of what it has multiplied with, which do not notice what is written in place.
  it('are multiplied with as they are after a step, not as they were', () => {
    const shape: [number, number] = [4, 3];
    const weights = tf.variable(
      tf.tensor(
        Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
        shape,
      ),
    );
    const identity = tf.eye(4);
    const velo = createVelo({ backend: tfjs(), theta: starterTheta(), parameters: { weights }, totalSteps: 20 });
    const multiplied = () =>
      tf.tidy(() =>
        tf
          .matMul(identity, weights as tf.Tensor2D)
          .dataSync()
          .slice(),
      );
    const start = multiplied();
    for (let step = 0; step < 3; step++) {
      velo.step({ weights: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i + step)) }, 1 / (1 + step));
      expect(Array.from(multiplied())).toEqual(Array.from(weights.dataSync()));
    }
    expect(Array.from(multiplied())).not.toEqual(Array.from(start));
    velo.dispose();
    tf.dispose([weights, identity]);
  });
});
