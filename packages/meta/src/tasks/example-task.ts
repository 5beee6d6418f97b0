/** Tasks that are a model and numbered examples. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import { type Key, threefry } from '../random.ts';
import type { Task } from '../task.ts';

/** What is learned, one example at a time, in double precision. */
export interface ExampleModel {
  readonly shapes: readonly Shape[];
  initialParameters(key: Key): Float32Array[];
  /**
   * The loss of one example. Where `gradients` are given, adds to them its gradients times `weight`.
   *
   * @param example 0 to the number of training examples - 1; those of validation follow.
   */
  loss(
    parameters: readonly Float64Array[],
    example: number,
    gradients: readonly Float64Array[] | null,
    weight: number,
  ): number;
}

export interface ExampleTaskOptions {
  readonly name: string;
  readonly model: ExampleModel;
  readonly trainingCount: number;
  readonly validationCount: number;
  /** Examples per minibatch; they are drawn with replacement. */
  readonly batchSize: number;
}

/** Judged on as many, to be quick. */
const MOST_JUDGED = 512;

/** @throws VeloError `INVALID_ARGUMENT` where a number is not a whole one of at least 1. */
export function exampleTask({ name, model, trainingCount, validationCount, batchSize }: ExampleTaskOptions): Task {
  for (const count of [trainingCount, validationCount, batchSize]) {
    if (!(Number.isInteger(count) && count >= 1)) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `The task "${name}" needs at least one training example, one validation example and one example per batch; it ` +
          `has ${trainingCount}, ${validationCount} and ${batchSize}.`,
      );
    }
  }
  const words = new Uint32Array(batchSize + 1);
  const values = model.shapes.map((shape) => new Float64Array(sizeOf(shape)));
  const sums = model.shapes.map((shape) => new Float64Array(sizeOf(shape)));
  const load = (parameters: readonly Float32Array[]) => {
    for (let j = 0; j < values.length; j++) values[j]!.set(parameters[j]!);
  };
  const mean = (parameters: readonly Float32Array[], begin: number, count: number): number => {
    load(parameters);
    let sum = 0;
    for (let example = begin; example < begin + count; example++) sum += model.loss(values, example, null, 0);
    return sum / count;
  };
  return {
    name,
    shapes: model.shapes,
    initialParameters: (key) => model.initialParameters(key),
    lossAndGradients(parameters, gradients, key, step) {
      load(parameters);
      for (const sum of sums) sum.fill(0);
      for (let i = 0; i < batchSize; i += 2) threefry(key, step + 1, i, words, i);
      let total = 0;
      for (let i = 0; i < batchSize; i++) {
        const example = Math.floor((words[i]! / 2 ** 32) * trainingCount);
        total += model.loss(values, example, sums, 1 / batchSize);
      }
      for (let j = 0; j < sums.length; j++) gradients[j]!.set(sums[j]!);
      return total / batchSize;
    },
    trainingLoss: (parameters) => mean(parameters, 0, Math.min(MOST_JUDGED, trainingCount)),
    validationLoss: (parameters) => mean(parameters, trainingCount, Math.min(MOST_JUDGED, validationCount)),
  };
}
