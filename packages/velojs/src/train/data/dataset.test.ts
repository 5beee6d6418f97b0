import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { createBatches, type Dataset, sliceExamples, takeExamples } from './dataset.ts';

const dataset: Dataset = {
  count: 5,
  inputSize: 2,
  outputSize: 1,
  inputs: Float32Array.from([0, 1, 10, 11, 20, 21, 30, 31, 40, 41]),
  targets: Float32Array.from([0, 1, 2, 3, 4]),
};

describe('datasets', () => {
  it('takes examples with their targets', () => {
    const taken = takeExamples(dataset, [3, 1]);
    expect([...taken.inputs]).toEqual([30, 31, 10, 11]);
    expect([...taken.targets]).toEqual([3, 1]);
  });

  it('slices without a copy', () => {
    const slice = sliceExamples(dataset, 1, 3);
    expect([...slice.inputs]).toEqual([10, 11, 20, 21]);
    expect(slice.targets.buffer).toBe(dataset.targets.buffer);
  });
});

describe('createBatches', () => {
  const drawn = (seed: number) => {
    const next = createBatches(dataset, 2, createRandom(seed, 'batches'));
    return Array.from({ length: 5 }, () => [...next().targets]).flat();
  };

  it('shows every example once per epoch, also where batches straddle epochs', () => {
    const targets = drawn(0);
    expect(targets.slice(0, 5).toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(targets.slice(5).toSorted()).toEqual([0, 1, 2, 3, 4]);
  });

  it('depends on the seed alone', () => {
    expect(drawn(1)).toEqual(drawn(1));
    expect(drawn(1)).not.toEqual(drawn(2));
  });
});
