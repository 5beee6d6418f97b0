/** Which runs an evaluation is made of. */
import { createHash } from 'node:crypto';
import type { Theta } from '@velojs/core';
import { type BaselineSpec, baselineTitle } from '../baselines/index.ts';
import type { Suite, SuiteTask } from './suite.ts';
import type { OptimizerSpec } from './training-run.ts';

/** An optimizer under test. */
export interface Candidate {
  /** For people; results are kept by the values of theta. */
  readonly name: string;
  readonly theta: Theta;
}

/** A baseline that is tuned: the learning rate is missing. */
export interface TunedBaseline {
  readonly id: string;
  readonly title: string;
  readonly spec: Pick<BaselineSpec, 'name' | 'decay'>;
}

const tuned = (spec: Pick<BaselineSpec, 'name' | 'decay'>): TunedBaseline => ({
  id: spec.decay ? `${spec.name}-${spec.decay}` : spec.name,
  title: baselineTitle(spec),
  spec,
});

/** Adam at a constant rate: what speed-ups are measured against. */
export const ADAM: TunedBaseline = tuned({ name: 'adam' });
export const TUNED_BASELINES: readonly TunedBaseline[] = [
  ADAM,
  tuned({ name: 'adam', decay: 'cosine' }),
  tuned({ name: 'adamw' }),
  tuned({ name: 'sgd' }),
  tuned({ name: 'rmsprop' }),
];

/** Half-decades from 1e-6 to 10. */
export const LEARNING_RATES: readonly number[] = Array.from({ length: 15 }, (_, i) =>
  Number((10 ** (-6 + i / 2)).toPrecision(3)),
);

/** What VeLO is told as its `totalSteps`, over the steps that it is judged after: right, and wrong. */
export const TOLD: readonly number[] = [1, 0.5, 2];

export interface PlannedRun {
  /** All runs of one optimizer are kept together, under this name. */
  readonly file: string;
  /** Among the runs of a file; see `runKey`. */
  readonly key: string;
  readonly task: SuiteTask;
  readonly optimizer: OptimizerSpec;
  readonly seed: number;
  /** Of the training curve; see `RunSettings`. */
  readonly extent: number;
}

/** @param setting the learning rate, or what VeLO is told. */
export const runKey = (task: string, setting: number, seed: number, steps: number): string =>
  JSON.stringify([task, setting, seed, steps]);

/** Results of a theta are found again by its values. */
export function thetaId({ leaves }: Theta): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(leaves).sort() as (keyof typeof leaves)[]) hash.update(name).update(leaves[name]);
  return `velo-${hash.digest('hex').slice(0, 16)}`;
}

/** Seed after seed, so that fewer seeds are complete first; of each, task after task, the baselines first. */
export function planRuns(
  suite: Pick<Suite, 'tasks' | 'compared' | 'extent'>,
  candidates: readonly Candidate[],
  seeds: number,
): PlannedRun[] {
  const baselines = (suite.compared ? TUNED_BASELINES : []).flatMap((baseline) =>
    LEARNING_RATES.map((learningRate) => ({
      file: baseline.id,
      setting: learningRate,
      optimizer: { ...baseline.spec, learningRate } as OptimizerSpec,
      extent: baseline === ADAM ? suite.extent : 0,
    })),
  );
  const tested = candidates.flatMap(({ theta }) => {
    const file = thetaId(theta);
    return (suite.compared ? TOLD : [1]).map((told) => ({
      file,
      setting: told,
      optimizer: { name: 'velo', theta, told } as OptimizerSpec,
      extent: 0,
    }));
  });
  return Array.from({ length: seeds }, (_, seed) =>
    suite.tasks.flatMap((task) =>
      [...baselines, ...tested].map(
        ({ setting, ...run }): PlannedRun => ({
          ...run,
          task,
          seed,
          key: runKey(task.name, setting, seed, task.steps),
        }),
      ),
    ),
  ).flat();
}
