/** How numbers and names are written, in the terminal and in the page alike. */
import { type Comparison, shownRuns } from '../comparison.ts';
import type { Task } from '../tasks/task.ts';
import type { Run } from '../training.ts';

export const formatLoss = (loss: number): string => {
  if (!Number.isFinite(loss)) return 'diverged';
  if (loss === 0) return '0';
  if (loss >= 1000) return formatCount(Number(loss.toPrecision(3)));
  return loss < 0.001 ? loss.toExponential(2) : loss.toPrecision(3);
};

export const formatCount = (count: number): string => count.toLocaleString('en-GB');

/** What `formatTest` gives, as the head of a column. */
export const testHeading = ({ kind }: Task): string => (kind === 'classification' ? 'test accuracy' : 'test RMSE');

/** Accuracy in percent, or the root of the mean squared error in the units of the target. */
export const formatTest = (task: Task, run: Run): string => {
  if (!Number.isFinite(run.testLoss)) return 'diverged';
  return run.testAccuracy === null
    ? formatLoss(Math.sqrt(run.testLoss) * task.targetScale)
    : `${(100 * run.testAccuracy).toFixed(1)} %`;
};

export const lossHeading = ({ kind }: Task): string =>
  kind === 'classification' ? 'cross-entropy' : 'mean squared error';

export const parameterCount = ({ layers }: Task): number =>
  layers.slice(1).reduce((sum, outputs, i) => sum + (layers[i]! + 1) * outputs, 0);

/** What is trained, in one line. */
export function describeTask(task: Task): string {
  const { train, test, layers, steps, batchSize } = task;
  const epochs = (steps * batchSize) / train.count;
  return (
    `network ${layers.join('-')} (${formatCount(parameterCount(task))} numbers), ` +
    `${formatCount(train.count)} examples to train on and ${formatCount(test.count)} to test on, ` +
    `${formatCount(steps)} steps of ${batchSize} (${epochs < 10 ? epochs.toPrecision(2) : Math.round(epochs)} epochs)`
  );
}

/** Head and rows of a result table. */
export function tableRows(comparison: Comparison): { head: string[]; rows: string[][] } {
  const { task } = comparison;
  return {
    head: ['', 'final loss', testHeading(task), 'steps', 'ms per step', 'of it optimizer'],
    rows: shownRuns(comparison).map(({ run, label }) => [
      label,
      formatLoss(run.trainLoss),
      formatTest(task, run),
      formatCount(task.steps),
      run.time.step.toFixed(2),
      run.time.optimizer.toFixed(2),
    ]),
  };
}

/** What the columns of the table mean. */
export const TABLE_NOTE =
  'Final loss: over the whole training set after the last step. Times: medians; a step is gradient and optimizer.';
