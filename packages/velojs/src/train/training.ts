/** One training: a task, an optimizer, a result. */
import { setImmediate } from 'node:timers/promises';
import { createBatches } from './data/dataset.ts';
import { type Evaluation, type HostParameters, initialParameters, type Model } from './model.ts';
import { createOptimizer, type OptimizerSpec } from './optimizers.ts';
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

const CURVE_POINTS = 100;
/** How long the event loop, and with it Ctrl-C and the progress bar, may have to wait. */
const SLICE_MILLISECONDS = 40;

/**
 * Trains from the weights and batches that the seed gives: the same for every optimizer.
 *
 * @param onProgress called now and then with the number of steps done and the last batch's loss.
 * @throws the signal's reason when it is aborted.
 */
export async function train(
  { task, model, optimizer: spec, seed }: { task: Task; model: Model; optimizer: OptimizerSpec; seed: number },
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (steps: number, loss: number) => void } = {},
): Promise<Run> {
  const optimizer = await createOptimizer(
    spec,
    initialParameters(task.layers, createRandom(seed, 'weights')),
    task.steps,
  );
  const nextBatch = createBatches(task.train, task.batchSize, createRandom(seed, 'batches'));
  const losses: number[] = [];
  const stepTimes = new Float64Array(task.steps);
  const optimizerTimes = new Float64Array(task.steps);
  let finite = true;
  let sliceEnd = performance.now() + SLICE_MILLISECONDS;
  while (finite && losses.length < task.steps) {
    const batch = nextBatch();
    const begin = performance.now();
    const { loss, gradients } = model.lossAndGradients(optimizer.parameters, batch);
    const middle = performance.now();
    finite = optimizer.step(gradients, loss);
    const end = performance.now();
    stepTimes[losses.length] = end - begin;
    optimizerTimes[losses.length] = end - middle;
    losses.push(loss);
    if (end > sliceEnd) {
      onProgress?.(losses.length, loss);
      await setImmediate();
      signal?.throwIfAborted();
      sliceEnd = performance.now() + SLICE_MILLISECONDS;
    }
  }
  const { train: trained, test } = finite ? evaluateBoth(model, optimizer.parameters, task) : DIVERGED;
  return {
    optimizer: spec,
    trainLoss: trained.loss,
    testLoss: test.loss,
    testAccuracy: test.accuracy,
    curve: summarise(losses),
    time: {
      step: median(stepTimes.subarray(0, losses.length)),
      optimizer: median(optimizerTimes.subarray(0, losses.length)),
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
function summarise(losses: readonly number[]): Run['curve'] {
  const points = Math.min(CURVE_POINTS, losses.length);
  return Array.from({ length: points }, (_, i) => {
    const begin = Math.round((i * losses.length) / points);
    const window = losses.slice(begin, Math.round(((i + 1) * losses.length) / points));
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
