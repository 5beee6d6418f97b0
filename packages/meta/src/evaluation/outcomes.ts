/** What came out on each task: runs put together by optimizer, baselines tuned. */
import { sizeOf, VeloError } from '@velojs/core';
import { ADAM, type Candidate, LEARNING_RATES, runKey, TOLD, TUNED_BASELINES, thetaId } from './plan.ts';
import { type CurvePoint, envelope, speedUp } from './speed-up.ts';
import { mean } from './statistics.ts';
import type { Suite, SuiteTask } from './suite.ts';
import { curveSteps, type RunResult } from './training-run.ts';

/** What one optimizer did on one task, by seed. Losses that are not finite are null: it diverged. */
export interface Outcome {
  readonly trainingLoss: readonly (number | null)[];
  readonly validationLoss: readonly (number | null)[];
  /** Smoothed losses of the batches, as the geometric mean over the seeds; ends where the first seed diverged. */
  readonly curve: readonly CurvePoint[];
}

export interface BaselineOutcome extends Outcome {
  readonly title: string;
  /** The best by mean training loss over the seeds: what the outcome is of. */
  readonly learningRate: number;
  /** Mean training loss over the seeds at every rate. */
  readonly rates: readonly { readonly learningRate: number; readonly trainingLoss: number | null }[];
}

export interface CandidateOutcome extends Outcome {
  /** Training losses by seed where it was told another number of steps than it had; empty unless the suite compares. */
  readonly told: readonly { readonly factor: number; readonly trainingLoss: readonly (number | null)[] }[];
  /** Over Adam, by seed, by the loss on the training set; see `speedUp`. Empty unless the suite compares. */
  readonly speedUp: readonly number[];
  /** The same by the smoothed losses of the batches. */
  readonly smoothedSpeedUp: readonly number[];
}

export interface TaskEvaluation {
  readonly name: string;
  readonly group: string;
  /** What the task says of itself. */
  readonly title: string;
  readonly steps: number;
  /** How many numbers are trained. */
  readonly parameters: number;
  /** Of the training set, by seed. */
  readonly initialLoss: readonly number[];
  /** By id: those of `TUNED_BASELINES`, and Adam at its default rate. Empty unless the suite compares. */
  readonly baselines: Readonly<Record<string, BaselineOutcome>>;
  /** By the candidate's name. */
  readonly candidates: Readonly<Record<string, CandidateOutcome>>;
}

/** Adam as it is, without tuning. */
export const ADAM_DEFAULT = { id: 'adam-0.001', title: 'Adam 0.001', learningRate: 0.001 } as const;

/** A finished run. */
export type Lookup = (file: string, key: string) => RunResult;

/** The mean over seeds; infinite where one diverged. */
export const meanLoss = (losses: readonly (number | null)[]): number => mean(losses.map((loss) => loss ?? Infinity));

/** @throws VeloError `DATA_INVALID` where runs of one task and seed did not begin alike. */
export function taskOutcomes(
  suite: Pick<Suite, 'compared' | 'extent'>,
  task: SuiteTask,
  candidates: readonly Candidate[],
  seeds: number,
  lookup: Lookup,
): TaskEvaluation {
  const { name, group, steps } = task;
  const beginnings = new Map<number, number>();
  const runs = (file: string, setting: number): RunResult[] =>
    Array.from({ length: seeds }, (_, seed) => {
      const result = lookup(file, runKey(name, setting, seed, steps));
      const beginning = beginnings.get(seed) ?? result.initialLoss;
      if (beginning !== result.initialLoss) {
        throw new VeloError(
          'DATA_INVALID',
          `Runs of the task ${name} began at losses ${beginning} and ${result.initialLoss} with the same seed: they were ` +
            `kept from another version of the task. Use another folder, or remove ${file}.jsonl.`,
        );
      }
      beginnings.set(seed, beginning);
      return result;
    });

  const baselines: Record<string, BaselineOutcome> = {};
  let adamRuns: RunResult[][] = [];
  for (const baseline of suite.compared ? TUNED_BASELINES : []) {
    const byRate = LEARNING_RATES.map((learningRate) => runs(baseline.id, learningRate));
    const losses = byRate.map((results) => meanLoss(results.map(({ trainingLoss }) => trainingLoss)));
    const rates = LEARNING_RATES.map((learningRate, i) => ({ learningRate, trainingLoss: finite(losses[i]!) }));
    const outcomeAt = (i: number, title: string): BaselineOutcome => ({
      title,
      learningRate: LEARNING_RATES[i]!,
      rates,
      ...outcome(byRate[i]!, steps),
    });
    baselines[baseline.id] = outcomeAt(losses.indexOf(Math.min(...losses)), baseline.title);
    if (baseline === ADAM) {
      adamRuns = byRate;
      baselines[ADAM_DEFAULT.id] = outcomeAt(LEARNING_RATES.indexOf(ADAM_DEFAULT.learningRate), ADAM_DEFAULT.title);
    }
  }

  const grid = curveSteps(steps, suite.extent);
  const adamOf = (seed: number, curve: 'curve' | 'trainingCurve') =>
    envelope(
      grid,
      adamRuns.map((results) => results[seed]![curve]),
    );
  const tested = candidates.map(({ name, theta }): [string, CandidateOutcome] => {
    const file = thetaId(theta);
    const results = runs(file, 1);
    const speedUps = (curve: 'curve' | 'trainingCurve') =>
      suite.compared
        ? results.map(({ initialLoss, trainingLoss, curve: smoothed }, seed) =>
            speedUp(adamOf(seed, curve), {
              reached: trainingLoss !== null && curve === 'curve' ? smoothed.at(-1)! : trainingLoss,
              initialLoss,
              steps,
              cap: suite.extent,
            }),
          )
        : [];
    return [
      name,
      {
        ...outcome(results, steps),
        told: suite.compared
          ? TOLD.filter((factor) => factor !== 1).map((factor) => ({
              factor,
              trainingLoss: runs(file, factor).map(({ trainingLoss }) => trainingLoss),
            }))
          : [],
        speedUp: speedUps('trainingCurve'),
        smoothedSpeedUp: speedUps('curve'),
      },
    ];
  });
  const made = task.create();
  return {
    name,
    group,
    title: made.name,
    steps,
    parameters: made.shapes.reduce((sum, shape) => sum + sizeOf(shape), 0),
    initialLoss: [...beginnings.values()],
    baselines,
    candidates: Object.fromEntries(tested),
  };
}

const finite = (loss: number): number | null => (Number.isFinite(loss) ? loss : null);

function outcome(results: readonly RunResult[], steps: number): Outcome {
  const grid = curveSteps(steps);
  const length = Math.min(grid.length, ...results.map(({ curve }) => curve.length));
  return {
    trainingLoss: results.map(({ trainingLoss }) => trainingLoss),
    validationLoss: results.map(({ validationLoss }) => validationLoss),
    curve: grid.slice(0, length).map((step, i) => ({
      step,
      loss: Math.exp(mean(results.map(({ curve }) => Math.log(curve[i]!)))),
    })),
  };
}
