/** A small suite for tests: threads import it too. */
import { keyOf, Random, threefry } from '../random.ts';
import type { Task } from '../task.ts';
import type { Suite } from './suite.ts';

const EXAMPLES = 64;
/** Those that are trained on; the others are for validation. */
const TRAINING = 48;
const BATCH = 8;

/** Linear regression by minibatches. */
export function regressionTask(inputs: number): Task {
  const random = new Random(keyOf(inputs));
  const rows = random.normals(new Float32Array(EXAMPLES * inputs));
  const noise = random.normals(new Float32Array(EXAMPLES), 0.1);
  const error = ([w, b]: readonly Float32Array[], i: number) => {
    let sum = b![0]! - noise[i]!;
    for (let j = 0; j < inputs; j++) sum += rows[i * inputs + j]! * (w![j]! - 1 - j);
    return sum;
  };
  const loss = (parameters: readonly Float32Array[], begin: number, end: number) => {
    let sum = 0;
    for (let i = begin; i < end; i++) sum += error(parameters, i) ** 2 / (end - begin);
    return sum;
  };
  const word = new Uint32Array(2);
  return {
    name: `linear regression ${inputs}-1`,
    shapes: [[inputs, 1], [1]],
    initialParameters: (key) => [new Random(key).normals(new Float32Array(inputs)), new Float32Array(1)],
    lossAndGradients(parameters, [w, b], key, step) {
      w!.fill(0);
      b!.fill(0);
      let sum = 0;
      for (let k = 0; k < BATCH; k++) {
        threefry(key, step, k, word);
        const i = word[0]! % TRAINING;
        const e = error(parameters, i);
        sum += e ** 2 / BATCH;
        for (let j = 0; j < inputs; j++) w![j]! += ((2 * e) / BATCH) * rows[i * inputs + j]!;
        b![0]! += (2 * e) / BATCH;
      }
      return sum;
    },
    trainingLoss: (parameters) => loss(parameters, 0, TRAINING),
    validationLoss: (parameters) => loss(parameters, TRAINING, EXAMPLES),
  };
}

export const testingSuite = (compared: boolean): Suite => ({
  name: 'test',
  version: 7,
  compared,
  extent: 4,
  tasks: [
    { name: 'small', group: 'one', steps: 40, create: () => regressionTask(3) },
    { name: 'large', group: 'two', steps: 60, create: () => regressionTask(6) },
  ],
});

const suite: Suite = testingSuite(true);
export default suite;
