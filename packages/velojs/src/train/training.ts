/** One training: a task, an optimizer, step by step. */
import { createBatches } from './data/dataset.ts';
import { type Evaluation, type HostParameters, initialParameters, type Model } from './model.ts';
import { createOptimizer, type Optimizer, type OptimizerSpec, type VeloSettings } from './optimizers.ts';
import { createRandom } from './random.ts';
import type { Task } from './tasks/task.ts';

export interface Run {
  readonly optimizer: OptimizerSpec;
  /** Over the whole training set after the last step; infinite where training diverged. */
  readonly trainLoss: number;
  /** Over the test set; infinite where training diverged. */
  readonly testLoss: number;
  /** Of a classification: share of the test set that is classified correctly; null if diverged. */
  readonly testAccuracy: number | null;
  /** Mean loss of the batches around each of these steps: what was seen while training, so noisier than `trainLoss`. */
  readonly curve: readonly { readonly step: number; readonly loss: number }[];
  /** Medians, in milliseconds. A step is gradient and optimizer, without drawing the batch. */
  readonly time: { readonly step: number; readonly optimizer: number };
}

export interface Training {
  readonly optimizer: Optimizer;
  readonly stepsTaken: number;
  /** False where the numbers have left the finite: training is over. */
  readonly finite: boolean;
  /** Whether there are steps left. */
  readonly goesOn: boolean;
  /** Of the batches of the steps taken. */
  readonly losses: Float64Array;
  /** Of the steps taken, in milliseconds. */
  readonly stepTimes: Float64Array;
  readonly optimizerTimes: Float64Array;
  /** The gradients of the last step. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
  /** One step of training, its batch included. Call it while `goesOn`. */
  step(): Promise<void>;
  /** Measures what was trained. */
  result(): Run;
}

const CURVE_POINTS = 100;

/**
 * Starts from the weights and batches that the seed gives: the same for every optimizer.
 *
 * @param velo where VeLO runs and with which weights, if it is VeLO.
 * @example
 * ```ts
 * const training = await startTraining({ task, model, optimizer: { name: 'velo' }, seed: 0 });
 * while (training.goesOn) await training.step();
 * console.log(training.result().testLoss);
 * ```
 */
export async function startTraining({
  task,
  model,
  optimizer: spec,
  seed,
  velo,
}: {
  task: Task;
  model: Model;
  optimizer: OptimizerSpec;
  seed: number;
  velo?: VeloSettings;
}): Promise<Training> {
  const optimizer = await createOptimizer(
    spec,
    initialParameters(task.layers, createRandom(seed, 'weights')),
    task.steps,
    velo,
  );
  const nextBatch = createBatches(task.train, task.batchSize, createRandom(seed, 'batches'));
  const losses = new Float64Array(task.steps);
  const stepTimes = new Float64Array(task.steps);
  const optimizerTimes = new Float64Array(task.steps);
  let gradients: Readonly<Record<string, Float32Array>> = {};
  let stepsTaken = 0;
  let finite = true;
  return {
    optimizer,
    get stepsTaken() {
      return stepsTaken;
    },
    get finite() {
      return finite;
    },
    get goesOn() {
      return finite && stepsTaken < task.steps;
    },
    get losses() {
      return losses.subarray(0, stepsTaken);
    },
    get stepTimes() {
      return stepTimes.subarray(0, stepsTaken);
    },
    get optimizerTimes() {
      return optimizerTimes.subarray(0, stepsTaken);
    },
    get gradients() {
      return gradients;
    },

    async step() {
      const batch = nextBatch();
      const begin = performance.now();
      const computed = model.lossAndGradients(optimizer.parameters, batch);
      const middle = performance.now();
      finite = await optimizer.step(computed.gradients, computed.loss);
      const end = performance.now();
      gradients = computed.gradients;
      stepTimes[stepsTaken] = end - begin;
      optimizerTimes[stepsTaken] = end - middle;
      losses[stepsTaken++] = computed.loss;
    },

    result() {
      const { train, test } = finite ? evaluateBoth(model, optimizer.parameters, task) : DIVERGED;
      return {
        optimizer: spec,
        trainLoss: train.loss,
        testLoss: test.loss,
        testAccuracy: test.accuracy,
        curve: summarise(losses.subarray(0, stepsTaken)),
        time: {
          step: median(stepTimes.subarray(0, stepsTaken)),
          optimizer: median(optimizerTimes.subarray(0, stepsTaken)),
        },
      };
    },
  };
}

const INFINITE: Evaluation = { loss: Infinity, accuracy: null };
const DIVERGED = { train: INFINITE, test: INFINITE };

function evaluateBoth(model: Model, parameters: HostParameters, task: Task) {
  const both = { train: model.evaluate(parameters, task.train), test: model.evaluate(parameters, task.test) };
  return Number.isFinite(both.train.loss) && Number.isFinite(both.test.loss) ? both : DIVERGED;
}

/** Means over windows of equal length. */
function summarise(losses: Float64Array): Run['curve'] {
  const points = Math.min(CURVE_POINTS, losses.length);
  return Array.from({ length: points }, (_, i) => {
    const begin = Math.round((i * losses.length) / points);
    const window = losses.subarray(begin, Math.round(((i + 1) * losses.length) / points));
    return {
      step: begin + (window.length + 1) / 2,
      loss: window.reduce((sum, loss) => sum + loss / window.length, 0),
    };
  }).filter(({ loss }) => Number.isFinite(loss));
}

function median(values: Float64Array): number {
  const sorted = values.toSorted();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
