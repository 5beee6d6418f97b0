/** Evaluation of learned optimizers beside tuned baselines. */
import { join } from 'node:path';
import { type Theta, VeloError } from '@velojs/core';
import { RunCache } from './cache.ts';
import { type TaskEvaluation, taskOutcomes } from './outcomes.ts';
import { type Candidate, type PlannedRun, planRuns, thetaId } from './plan.ts';
import { runAll } from './pool.ts';
import { openSuite, type SuiteSource } from './suite.ts';
import { type CandidateSummary, summarise } from './summary.ts';

export interface EvaluationProgress {
  /** Runs that are finished, those of earlier calls included, and all that there are. */
  readonly runs: { readonly done: number; readonly total: number };
  /** Steps of the runs that this call has to do: finished ones, and all. */
  readonly steps: { readonly done: number; readonly total: number };
  /** The run that was just finished: its task, and the optimizer's id; null at the beginning. */
  readonly finished: { readonly task: string; readonly optimizer: string } | null;
}

export interface EvaluationOptions {
  /** Whom to evaluate; none does the baselines alone. Names are for people, and differ. */
  readonly optimizers: readonly Candidate[];
  readonly suite: SuiteSource;
  /** How many seeds every optimizer is run with on every task: 5. A seed gives initial parameters and batches. */
  readonly seeds?: number;
  /** Only the tasks with these names. */
  readonly tasks?: readonly string[];
  /** Where finished runs are kept. A later call does only what is missing. */
  readonly folder: string;
  /** Default 1. Results do not depend on it. */
  readonly threads?: number;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  /** Ends the work at once; what was finished is kept. */
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly suite: { readonly name: string; readonly version: number; readonly extent: number };
  readonly seeds: number;
  readonly tasks: readonly TaskEvaluation[];
  /** In the order of the options. */
  readonly optimizers: readonly CandidateSummary[];
  /** Damaged lines among the kept runs, whose runs were done again. */
  readonly dropped: number;
}

/**
 * Trains every task of a suite with every optimizer and, where the suite compares, with five baselines at 15 learning
 * rates each, and puts the results together. A baseline's rate is chosen per task, by its mean final training loss over
 * the seeds. Finished runs are kept in `folder`, a file per optimizer, so another optimizer costs its own runs alone, and
 * a call that was interrupted is repeated to go on.
 *
 * @throws VeloError `INVALID_ARGUMENT`, `DATA_INVALID` where the folder cannot be used, `WORKER_LOST`; the signal's reason.
 * @example
 * ```ts
 * const evaluation = await evaluate({
 *   optimizers: [{ name: 'starter', theta: starterTheta() }],
 *   suite: { name: 'held-out' },
 *   folder: 'evaluation',
 *   threads: 2,
 * });
 * console.log(textReport(evaluation));
 * ```
 */
export async function evaluate(options: EvaluationOptions): Promise<Evaluation> {
  const { optimizers, suite: source, seeds = 5, folder, threads = 1, onProgress, signal } = options;
  check(options);
  signal?.throwIfAborted();
  const whole = await openSuite(source);
  const suite = { ...whole, tasks: options.tasks ? chosen(whole.tasks, options.tasks) : whole.tasks };
  const planned = planRuns(suite, optimizers, seeds);
  const cache = new RunCache(join(folder, `${suite.name}-${suite.version}`));
  // Two optimizers may be one theta.
  const missing = [
    ...new Map(
      planned.filter(({ file, key }) => !cache.get(file, key)).map((run) => [`${run.file} ${run.key}`, run]),
    ).values(),
  ];

  let done = planned.length - missing.length;
  let stepsDone = 0;
  const stepsOf = ({ task, extent }: PlannedRun) => task.steps * Math.max(1, extent);
  const stepsTotal = missing.reduce((sum, run) => sum + stepsOf(run), 0);
  const report = (finished: EvaluationProgress['finished']) =>
    onProgress?.({
      runs: { done, total: planned.length },
      steps: { done: stepsDone, total: stepsTotal },
      finished,
    });
  report(null);
  await runAll(missing, { suite: source, threads, signal }, (run, result) => {
    cache.add(run.file, run.key, result);
    done++;
    stepsDone += stepsOf(run);
    report({ task: run.task.name, optimizer: run.file });
  });

  const tasks = suite.tasks.map((task) =>
    taskOutcomes(suite, task, optimizers, seeds, (file, key) => cache.get(file, key)!),
  );
  return {
    suite: { name: suite.name, version: suite.version, extent: suite.extent },
    seeds,
    tasks,
    optimizers: optimizers.map(({ name, theta }) => summarise(name, thetaId(theta), tasks, suite.extent)),
    dropped: cache.dropped,
  };
}

function chosen<Named extends { readonly name: string }>(all: readonly Named[], names: readonly string[]): Named[] {
  const unknown = names.find((name) => !all.some((task) => task.name === name));
  if (unknown !== undefined || names.length === 0) {
    throw invalid(
      `${unknown === undefined ? 'No task was chosen' : `The suite has no task "${unknown}"`}; it has ${all.map(({ name }) => name).join(', ')}.`,
    );
  }
  return all.filter(({ name }) => names.includes(name));
}

function check({ optimizers, seeds = 5, threads = 1, folder }: EvaluationOptions): void {
  for (const [name, value] of Object.entries({ seeds, threads })) {
    if (!(Number.isSafeInteger(value) && value >= 1 && value <= 1000)) {
      throw invalid(`${name} must be a whole number from 1 to 1000, not ${value}.`);
    }
  }
  if (typeof folder !== 'string' || folder === '') throw invalid('An evaluation needs a folder to keep its runs in.');
  const names = new Set<string>();
  for (const { name, theta } of optimizers) {
    if (typeof name !== 'string' || name === '' || names.has(name)) {
      throw invalid(`Every optimizer needs a name, and another than the others: "${name}" is not.`);
    }
    names.add(name);
    if (!((theta as Partial<Theta> | undefined)?.leaves?.lstmWeight instanceof Float32Array)) {
      throw invalid(`The theta of "${name}" is none: readTheta and createTheta make one.`);
    }
  }
}

const invalid = (message: string): VeloError => new VeloError('INVALID_ARGUMENT', message);
