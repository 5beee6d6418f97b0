/** What is trained: data, a network, a length. The same for every optimizer. */
import type { Dataset } from '../data/dataset.ts';
import type { Kind } from '../data/table.ts';

export interface Task {
  /** As the command line knows it. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  readonly kind: Kind;
  readonly train: Dataset;
  /** Held out: no optimizer sees it. */
  readonly test: Dataset;
  /** Width of every layer from inputs to outputs: relu between layers, nothing after the last. */
  readonly layers: readonly number[];
  readonly batchSize: number;
  readonly steps: number;
  /** Of a regression: one unit of the targets in the units in which the error is reported. */
  readonly targetScale: number;
  /** Of a regression: where the targets' zero lies in those units; else 0. */
  readonly targetMean: number;
  /** Of a classification: names in the order of the outputs; else null. */
  readonly classes: readonly string[] | null;
}

/** Settings of a task that the command line may override. */
export interface TaskSettings {
  readonly seed: number;
  readonly steps?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly hidden?: readonly number[] | undefined;
}
