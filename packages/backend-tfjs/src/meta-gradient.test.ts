import '@tensorflow/tfjs-backend-cpu';
// With the gradients of all operations.
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { createTheta, type DeviceTheta, sizeOf, thetaShapes, uploadTheta, velo, withoutKernels } from '@velojs/core';
import { beforeAll, expect, it } from 'vitest';
import { tfjs } from './index.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const LEAVES = [
  'poolWeight',
  'keepWeight',
  'inputWeight',
  'recurrentWeight',
  'lstmBias',
  'controlsWeight',
  'stepBias',
  'bank',
] as const;

/** No good optimizer, but no weight of it is zero. */
const everyWeightMatters = () =>
  createTheta(
    Object.fromEntries(
      Object.entries(thetaShapes(6, 3)).map(([name, shape], i) => [
        name,
        {
          shape,
          data: Float32Array.from({ length: sizeOf(shape) }, (_, j) => {
            return (name.startsWith('bank') ? 1 : 0.3) * Math.sin(1 + 100 * i + 7 * j * j);
          }),
        },
      ]),
    ),
  );

it('the loss after two steps has the gradient with respect to theta that finite differences show', () => {
  const backend = withoutKernels(tfjs());
  const theta = uploadTheta(backend, everyWeightMatters());
  const start = [tf.tensor2d([0.5, -0.4, 0.3, 0.8, -0.6, 0.7], [3, 2]), tf.tensor1d([0.2, -0.3])];
  const [inputs, targets] = [tf.tensor2d([1, -2, 0.5, 0.3, 1.5, -1], [2, 3]), tf.tensor2d([1, 0, -1, 2], [2, 2])];
  const lossOf = (w: tf.Tensor, b: tf.Tensor) =>
    tf.mean(tf.square(tf.sub(tf.add(tf.matMul(inputs, w as tf.Tensor2D), b), targets))) as tf.Scalar;

  /** Two steps of VeLO, the gradients of the model part of what is differentiated, then the loss. */
  const unrolled = (leaves: readonly tf.Tensor[]): tf.Scalar => {
    const changed = {
      ...theta,
      ...Object.fromEntries(LEAVES.map((name, i) => [name, leaves[i]])),
    } as DeviceTheta<tf.Tensor>;
    const optimizer = velo({ backend, theta: changed, totalSteps: 10 });
    let state = optimizer.withLossKind(optimizer.init(start), 'device');
    for (let step = 0; step < 2; step++) {
      const [w, b] = state.parameters as [tf.Tensor, tf.Tensor];
      const { value, grads } = tf.valueAndGrads(lossOf)([w, b]);
      state = optimizer.update(state, grads, value);
    }
    const [w, b] = state.parameters as [tf.Tensor, tf.Tensor];
    return lossOf(w, b);
  };

  const values = LEAVES.map((name) => theta[name]);
  const gradients = tf.grads((...leaves) => unrolled(leaves))(values);
  for (const [i, name] of LEAVES.entries()) {
    const gradient = gradients[i] as tf.Tensor;
    expect(gradient.shape).toEqual((values[i] as tf.Tensor).shape);
    // Along the gradient itself the loss changes by as much as it can.
    const length = tf.norm(gradient).dataSync()[0] as number;
    expect(length, name).toBeGreaterThan(0);
    const along = (distance: number) =>
      unrolled(
        values.map((value, j) => (j === i ? tf.add(value, tf.mul(gradient, distance / length)) : value)),
      ).dataSync()[0] as number;
    const distance = 1e-3;
    const slope = (along(distance) - along(-distance)) / (2 * distance);
    expect(Math.abs(slope / length - 1), name).toBeLessThan(5e-3);
  }
});
