/** Examples as two matrices, and the ways to cut and draw from them. */
import type { Random } from '../random.ts';

export interface Dataset {
  /** Number of examples. */
  readonly count: number;
  readonly inputSize: number;
  readonly outputSize: number;
  /** `[count, inputSize]` */
  readonly inputs: Float32Array;
  /** `[count, outputSize]`; for classes: 1 at the class, 0 elsewhere. */
  readonly targets: Float32Array;
}

/** The examples with these indices, copied in this order. */
export function takeExamples(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const { inputSize, outputSize } = dataset;
  const taken = {
    count: indices.length,
    inputSize,
    outputSize,
    inputs: new Float32Array(indices.length * inputSize),
    targets: new Float32Array(indices.length * outputSize),
  };
  copyExamples(dataset, indices, taken);
  return taken;
}

/** Examples `begin` to `end` (exclusive), without a copy. */
export function sliceExamples(dataset: Dataset, begin: number, end: number): Dataset {
  const { inputSize, outputSize } = dataset;
  return {
    count: end - begin,
    inputSize,
    outputSize,
    inputs: dataset.inputs.subarray(begin * inputSize, end * inputSize),
    targets: dataset.targets.subarray(begin * outputSize, end * outputSize),
  };
}

/** One row per class index: 1 at the class, 0 elsewhere. */
export function oneHot(classes: ArrayLike<number>, classCount: number): Float32Array {
  const rows = new Float32Array(classes.length * classCount);
  for (let i = 0; i < classes.length; i++) rows[i * classCount + classes[i]!] = 1;
  return rows;
}

/**
 * Endless mini-batches: epoch after epoch, every example once per epoch in a new random order.
 *
 * Each call overwrites and returns the same batch. `batchSize` is at most `dataset.count`.
 */
export function createBatches(dataset: Dataset, batchSize: number, random: Random): () => Dataset {
  const batch = takeExamples(dataset, new Uint32Array(batchSize));
  const indices = new Uint32Array(batchSize);
  let epoch = random.permutation(dataset.count);
  let position = 0;
  return () => {
    for (let i = 0; i < batchSize; i++) {
      if (position === epoch.length) {
        epoch = random.permutation(dataset.count);
        position = 0;
      }
      indices[i] = epoch[position++]!;
    }
    copyExamples(dataset, indices, batch);
    return batch;
  };
}

function copyExamples(from: Dataset, indices: ArrayLike<number>, to: Dataset): void {
  const { inputSize, outputSize } = from;
  for (let i = 0; i < indices.length; i++) {
    const j = indices[i]!;
    to.inputs.set(from.inputs.subarray(j * inputSize, (j + 1) * inputSize), i * inputSize);
    to.targets.set(from.targets.subarray(j * outputSize, (j + 1) * outputSize), i * outputSize);
  }
}
