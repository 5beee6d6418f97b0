import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { VeloError } from '@velojs/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { keyOf, Random } from '../random.ts';
import { type BaselineSpec, baselineTitle, createBaseline } from './index.ts';

const SIZES = [6, 3];
const STEPS = 20;

const start = () => {
  const random = new Random(keyOf(1));
  const values = (): Float32Array[] => SIZES.map((size) => random.normals(new Float32Array(size)));
  return { parameters: values(), values };
};

/** Largest deviation of parameters after some steps from those of an optimizer of tfjs. */
function deviation(spec: BaselineSpec, theirs: tf.Optimizer): number {
  const { parameters, values } = start();
  const variables = parameters.map((data) => tf.variable(tf.tensor1d(data.slice())));
  const ours = createBaseline(spec, SIZES, STEPS);
  for (let step = 0; step < STEPS; step++) {
    const gradients = values();
    ours.step(parameters, gradients);
    theirs.applyGradients(
      gradients.map((gradient, j) => ({ name: variables[j]!.name, tensor: tf.tensor1d(gradient) })),
    );
  }
  return Math.max(
    ...parameters.map((data, j) => {
      const expected = variables[j]!.dataSync();
      return Math.max(...data.map((value, i) => Math.abs(value - expected[i]!)));
    }),
  );
}

describe('the same numbers as in tfjs', () => {
  beforeAll(async () => {
    tf.env().set('PROD', true);
    await tf.setBackend('cpu');
  });
  it.each([
    [{ name: 'adam', learningRate: 0.01 }, () => tf.train.adam(0.01, 0.9, 0.999, 1e-8)],
    [{ name: 'sgd', learningRate: 0.1 }, () => tf.train.momentum(0.1, 0.9)],
    [{ name: 'sgd', learningRate: 0.1, momentum: 0 }, () => tf.train.sgd(0.1)],
    [{ name: 'rmsprop', learningRate: 0.01 }, () => tf.train.rmsprop(0.01, 0.9, 0, 1e-8)],
  ] as const)('%o', (spec, theirs) => {
    expect(deviation(spec, theirs())).toBeLessThan(2e-6);
  });
});

describe('AdamW', () => {
  it('shrinks parameters, then steps as Adam', () => {
    const { parameters, values } = start();
    const expected = parameters.map((data) => data.slice());
    const adamw = createBaseline({ name: 'adamw', learningRate: 0.1, weightDecay: 0.2 }, SIZES, STEPS);
    const adam = createBaseline({ name: 'adam', learningRate: 0.1 }, SIZES, STEPS);
    for (let step = 0; step < STEPS; step++) {
      const gradients = values();
      adamw.step(parameters, gradients);
      for (const data of expected) data.set(data.map((value) => value * (1 - 0.1 * 0.2)));
      adam.step(expected, gradients);
    }
    for (const [j, data] of parameters.entries()) {
      for (const [i, value] of data.entries()) expect(value).toBeCloseTo(expected[j]![i]!, 5);
    }
  });
  it('decays by 0.01 of the learning rate unless told otherwise', () => {
    const parameter = Float32Array.of(2);
    createBaseline({ name: 'adamw', learningRate: 0.5 }, [1], 1).step([parameter], [Float32Array.of(0)]);
    expect(parameter[0]).toBeCloseTo(2 * (1 - 0.5 * 0.01), 6);
  });
});

it('a cosine falls from the learning rate to 0, and stays there', () => {
  const parameter = Float32Array.of(0);
  const sgd = createBaseline({ name: 'sgd', learningRate: 1, momentum: 0, decay: 'cosine' }, [1], 4);
  const steps = Array.from({ length: 6 }, () => {
    const before = parameter[0]!;
    sgd.step([parameter], [Float32Array.of(1)]);
    return before - parameter[0]!;
  });
  const expected = [1, (1 + Math.SQRT1_2) / 2, 0.5, (1 - Math.SQRT1_2) / 2, 0, 0];
  for (const [i, step] of steps.entries()) expect(step).toBeCloseTo(expected[i]!, 6);
});

it('has names for people', () => {
  expect(baselineTitle({ name: 'adam', decay: 'cosine' })).toBe('Adam, cosine decay');
  expect(baselineTitle({ name: 'sgd' })).toBe('SGD with momentum');
});

it.each([
  [{ name: 'lion', learningRate: 1 }, /"lion"; there are adam, adamw, sgd, rmsprop/],
  [{ name: 'adam', learningRate: 0 }, /learning rate is a number above 0, not 0/],
  [{ name: 'adam', learningRate: Number.NaN }, /not NaN/],
  [{ name: 'adam', learningRate: 1, decay: 'linear' }, /not by "linear"/],
  [{ name: 'sgd', learningRate: 1, momentum: 1 }, /Momentum/],
  [{ name: 'adamw', learningRate: 1, weightDecay: -1 }, /Weight decay/],
])('refuses %o', (spec, message) => {
  const create = () => createBaseline(spec as BaselineSpec, [1], 10);
  expect(create).toThrow(VeloError);
  expect(create).toThrow(message);
  expect(create).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

it('refuses a length that is none', () => {
  expect(() => createBaseline({ name: 'adam', learningRate: 1 }, [1], 0)).toThrow(VeloError);
});
