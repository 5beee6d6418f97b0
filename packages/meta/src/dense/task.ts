/** Tasks that are a network of dense layers and examples. */
import { VeloError } from '@velojs/core';
import { threefry } from '../random.ts';
import type { Task } from '../task.ts';
import { type Activation, type DenseLoss, DenseNetwork, type Examples } from './network.ts';

export interface DenseTaskOptions {
  /** Default: made of the properties, such as `dense 16-24-24-8 tanh, batch 32`. */
  readonly name?: string;
  /** What minibatches are drawn from. */
  readonly training: Examples;
  readonly validation: Examples;
  /** Widths of the hidden layers; `[]` for a linear model. */
  readonly hidden: readonly number[];
  /** How many outputs the network has: classes, or numbers per target. */
  readonly outputs: number;
  readonly activation: Activation;
  readonly loss: DenseLoss;
  /** Examples per minibatch, drawn with replacement. */
  readonly batchSize: number;
  /** Initial weights are multiplied by it: 1. */
  readonly initialScale?: number;
  /** Whether the last layer's weights start at 0: false. */
  readonly zeroOutput?: boolean;
}

/** Judged on as many, to be quick. */
const MOST_JUDGED = 512;

/**
 * A task of a network of dense layers (`DenseNetwork`). Its losses on training and validation sets are those on their
 * first 512 examples.
 *
 * @throws VeloError `INVALID_ARGUMENT` where sizes do not fit each other, or there are no examples.
 *
 * @example
 * ```ts
 * const task = denseTask({
 *   ...spirals({ arms: 2, count: 512, noise: 0.05 }, keyOf(1)),
 *   hidden: [16, 16],
 *   outputs: 2,
 *   activation: 'tanh',
 *   loss: 'softmax',
 *   batchSize: 32,
 * });
 * ```
 */
export function denseTask(options: DenseTaskOptions): Task {
  const { training, validation, hidden, outputs, activation, loss, batchSize } = options;
  const inputs = training.inputs.length / training.count;
  const targetWidth = training.targets.length / training.count;
  for (const [part, examples] of Object.entries({ training, validation })) {
    const { count } = examples;
    const fits = examples.inputs.length === inputs * count && examples.targets.length === targetWidth * count;
    if (!(Number.isInteger(count) && count > 0 && fits)) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `The ${part} set has ${count} examples with ${examples.inputs.length} inputs and ${examples.targets.length} targets in all; there must be at least one, each with ${inputs} inputs and ${targetWidth} targets.`,
      );
    }
  }
  const widths = [inputs, ...hidden, outputs];
  const network = new DenseNetwork({ widths, activation, loss, batchSize, targetWidth });
  const initialisation = { scale: options.initialScale ?? 1, zeroOutput: options.zeroOutput ?? false };
  const rows = new Uint32Array(batchSize);
  const words = new Uint32Array(batchSize + 1);
  const part = training.count / 2 ** 32;
  return {
    name: options.name ?? `dense ${widths.join('-')} ${activation}, batch ${batchSize}`,
    shapes: network.shapes,
    initialParameters: (key) => network.initialParameters(key, initialisation),
    lossAndGradients(parameters, gradients, key, step) {
      // Block 0 is that of the numbers that `Random` draws from the same key.
      for (let i = 0; i < batchSize; i += 2) threefry(key, step + 1, i, words, i);
      for (let i = 0; i < batchSize; i++) rows[i] = words[i]! * part;
      return network.lossAndGradients(parameters, gradients, training, rows);
    },
    trainingLoss: (parameters) => network.loss(parameters, training, Math.min(MOST_JUDGED, training.count)),
    validationLoss: (parameters) => network.loss(parameters, validation, Math.min(MOST_JUDGED, validation.count)),
  };
}
