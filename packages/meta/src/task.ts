/** What an optimizer is trained and judged on: training problems small enough to be solved thousands of times. Types only. */
import type { Shape } from '@velojs/core';
import type { Key } from './random.ts';

/**
 * One training problem. It is a pure function of the key that it was sampled from: another machine makes the same.
 * Parameters and gradients are lists of row-major arrays, one per shape; weights are `[inputs, outputs]`.
 */
export interface Task {
  /** What it is, for people, such as `classify teacher 12-24-24-5 tanh, batch 32`. */
  readonly name: string;
  readonly shapes: readonly Shape[];
  /** Initial values, drawn from `key`. */
  initialParameters(key: Key): Float32Array[];
  /**
   * The loss on minibatch number `step` (0, 1, ...) of the sequence that `key` gives, and its gradients. A function of
   * its arguments alone: steps may be asked for in any order, and again.
   *
   * @param parameters read, not kept.
   * @param gradients overwritten.
   * @returns the mean loss of the batch; not finite where the numbers have left the finite.
   */
  lossAndGradients(
    parameters: readonly Float32Array[],
    gradients: readonly Float32Array[],
    key: Key,
    step: number,
  ): number;
  /** The loss over (up to 512 fixed examples of) the training set: what optimizers are judged by. */
  trainingLoss(parameters: readonly Float32Array[]): number;
  /** The loss on examples that no batch has; of a task without examples, the training loss. */
  validationLoss(parameters: readonly Float32Array[]): number;
}

/** Tasks of one kind: every key gives one. */
export interface TaskFamily {
  readonly name: string;
  /** Draws sizes, data and all other properties from `key`. */
  sample(key: Key): Task;
}
