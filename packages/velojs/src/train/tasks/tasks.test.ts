import { VeloError } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { friedman } from './friedman.ts';
import { glyphs } from './glyphs.ts';
import { createTask, networkTask, TASK_NAMES } from './index.ts';
import { spirals } from './spirals.ts';

describe.each(Object.entries({ glyphs, spirals, friedman }))('%s', (_, make) => {
  it('gives the same data for the same seed, and other data for another', () => {
    const data = (seed: number) => make(20, createRandom(seed, 'data'));
    expect(data(1)).toEqual(data(1));
    expect(data(1).inputs).not.toEqual(data(2).inputs);
  });

  it('gives finite numbers in matrices of the sizes it says', () => {
    const { count, inputSize, outputSize, inputs, targets } = make(20, createRandom(0, 'data'));
    expect(inputs.length).toBe(count * inputSize);
    expect(targets.length).toBe(count * outputSize);
    expect([...inputs, ...targets].every(Number.isFinite)).toBe(true);
  });
});

it('draws dark digits on a light, noisy ground', () => {
  const { count, inputs, inputSize } = glyphs(50, createRandom(0, 'data'));
  for (let i = 0; i < count; i++) {
    const image = inputs.subarray(i * inputSize, (i + 1) * inputSize);
    const inked = image.filter((pixel) => pixel > 0.5).length / inputSize;
    expect(inked).toBeGreaterThan(0.02);
    expect(inked).toBeLessThan(0.5);
  }
});

it('winds the two spirals half a turn apart', () => {
  const { count, inputs, targets } = spirals(2000, createRandom(0, 'data'));
  const nearestOther = Array.from({ length: 200 }, (_, i) => {
    const distances = Array.from({ length: count }, (_, j) =>
      targets[2 * i] === targets[2 * j]
        ? Infinity
        : Math.hypot(inputs[2 * i]! - inputs[2 * j]!, inputs[2 * i + 1]! - inputs[2 * j + 1]!),
    );
    return Math.min(...distances);
  }).toSorted((a, b) => a - b);
  // Neighbouring windings are 1 / (2 x 1.75 turns) = 0.29 apart along a radius.
  expect(nearestOther[100]).toBeGreaterThan(0.15);
  expect(nearestOther[100]).toBeLessThan(0.35);
});

it('standardises the regression', () => {
  const { count, targets } = friedman(5000, createRandom(0, 'data'));
  const mean = targets.reduce((sum, y) => sum + y / count, 0);
  const deviation = Math.sqrt(targets.reduce((sum, y) => sum + (y - mean) ** 2 / count, 0));
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(deviation).toBeCloseTo(1, 1);
});

describe('createTask', () => {
  it.each(TASK_NAMES)('%s: the network fits the data', (name) => {
    const { layers, train, test } = createTask(name, { seed: 0 });
    expect(layers[0]).toBe(train.inputSize);
    expect(layers.at(-1)).toBe(train.outputSize);
    expect(test.inputs).not.toEqual(train.inputs.subarray(0, test.inputs.length));
  });

  it('takes settings', () => {
    expect(createTask('spirals', { seed: 0, steps: 7, batchSize: 8, hidden: [5, 6] })).toMatchObject({
      steps: 7,
      batchSize: 8,
      layers: [2, 5, 6, 2],
    });
  });

  it('refuses a name it does not know', () => {
    expect(() => createTask('toString', { seed: 0 })).toThrow(VeloError);
  });
});

describe('networkTask', () => {
  const train = spirals(10, createRandom(0, 'data'));
  const data = {
    name: 'n',
    title: 't',
    kind: 'classification',
    train,
    test: train,
    classes: null,
    targetScale: 1,
    targetMean: 0,
  } as const;

  it('shrinks the usual batch to a small training set', () => {
    expect(networkTask(data, { seed: 0 }).batchSize).toBe(10);
  });

  it('refuses a larger batch that was asked for', () => {
    expect(() => networkTask(data, { seed: 0, batchSize: 11 })).toThrow('more than the 10 training examples');
  });
});
