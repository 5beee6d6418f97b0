/** A family for tests: one task, whatever the key, small enough that a training of it takes a millisecond. */
import type { Task, TaskFamily } from './task.ts';

const TARGET = [1, -2, 0.5, 3, -1, 0.25];
const CURVATURE = [1, 0.3, 2, 0.1, 1.5, 0.7];

/** A bowl over a matrix and a vector; loss 0 at `TARGET`. */
const bowl: Task = {
  name: 'bowl',
  shapes: [[2, 2], [2]],
  initialParameters: () => [Float32Array.of(0.1, 0.2, -0.1, 0.3), Float32Array.of(0.2, -0.3)],
  lossAndGradients(parameters, gradients) {
    const values = parameters.flatMap((array) => [...array]);
    let at = 0;
    for (const gradient of gradients) {
      for (let i = 0; i < gradient.length; i++, at++) gradient[i] = CURVATURE[at]! * (values[at]! - TARGET[at]!);
    }
    return lossOf(parameters);
  },
  trainingLoss: lossOf,
  validationLoss: lossOf,
};

function lossOf(parameters: readonly Float32Array[]): number {
  return parameters
    .flatMap((array) => [...array])
    .reduce((sum, value, i) => sum + (CURVATURE[i]! * (value - TARGET[i]!) ** 2) / 2, 0);
}

export const families: Readonly<Record<string, TaskFamily>> = {
  bowl: { name: 'bowl', sample: () => bowl },
  /** Has no loss to speak of. */
  broken: {
    name: 'broken',
    sample: () => ({ ...bowl, name: 'broken', trainingLoss: () => Number.NaN }),
  },
};
