/** All results as one document for machines. */
import { type Comparison, verdict } from '../comparison.ts';
import { parameterCount } from './format.ts';

export interface Session {
  readonly version: string;
  readonly seed: number;
  /** True where the user stopped it before all was trained. */
  readonly interrupted: boolean;
  readonly comparisons: readonly Comparison[];
}

/** A diverged run has `null` for its losses, as JSON knows no infinity. */
export function jsonReport({ version, seed, interrupted, comparisons }: Session): string {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return JSON.stringify(
    {
      format: 'velojs-train',
      version: 1,
      velojs: version,
      node: process.versions.node,
      seed,
      interrupted,
      verdict: verdict(comparisons),
      tasks: comparisons.map(({ task, runs }) => ({
        name: task.name,
        title: task.title,
        kind: task.kind,
        layers: task.layers,
        parameters: parameterCount(task),
        examples: { train: task.train.count, test: task.test.count },
        steps: task.steps,
        batchSize: task.batchSize,
        targetScale: task.targetScale,
        runs: runs.map((run) => ({
          optimizer: run.optimizer.name,
          learningRate: run.optimizer.name === 'adam' ? run.optimizer.learningRate : null,
          trainLoss: finite(run.trainLoss),
          testLoss: finite(run.testLoss),
          testAccuracy: run.testAccuracy,
          millisecondsPerStep: run.time.step,
          optimizerMillisecondsPerStep: run.time.optimizer,
          curve: run.curve,
        })),
      })),
    },
    null,
    2,
  );
}
