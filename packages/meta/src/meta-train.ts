/** The outer loop: update after update, validated, logged, resumable. */
import { type Theta, VeloError } from '@velojs/core';
import { type Checkpoint, RunFolder } from './checkpoint.ts';
import type { MetaConfig } from './config.ts';
import { identityOf } from './identity.ts';
import { Replica } from './replica.ts';
import type { UpdateSummary } from './search.ts';
import { ownThread, type StartWorkers, type Workers } from './workers.ts';

/** After an update. */
export interface MetaProgress extends UpdateSummary {
  /** Updates made, of `updates`. */
  readonly step: number;
  readonly updates: number;
  /** Inner steps of this update, both particles of every pair. */
  readonly innerSteps: number;
  /** Of training so far, in all runs together. */
  readonly seconds: number;
  /** Workers that were lost and replaced in this run. */
  readonly lost: number;
}

export interface Validation {
  readonly step: number;
  /** Mean over the horizons. */
  readonly score: number;
  /** Mean score of the tasks of each horizon. */
  readonly horizons: readonly number[];
  /** Whether it is the lowest so far, so that `best.theta` was written. */
  readonly isBest: boolean;
}

export interface MetaTrainOptions {
  readonly config: MetaConfig;
  /** Where the run is kept; a run that is there already goes on from its last checkpoint. */
  readonly folder: string;
  /** Default: this thread. */
  readonly workers?: StartWorkers;
  /** Between checkpoints, besides one after every validation; default 120. */
  readonly checkpointSeconds?: number;
  readonly onUpdate?: (progress: MetaProgress) => void;
  readonly onValidation?: (validation: Validation) => void;
  readonly signal?: AbortSignal;
}

/**
 * Meta-trains as `config` says. `folder` gets `config.json`, `checkpoint.json`, `log.jsonl` (a line per update and per
 * validation), `latest.theta` and `best.theta`, the one with the lowest validation score. The same configuration gives the
 * same numbers for any number of workers, interrupted or not.
 *
 * @returns the theta of `best.theta`.
 * @throws VeloError `INVALID_ARGUMENT`; `STATE_INVALID` for a checkpoint that is damaged or of another configuration, start or module;
 * `WORKER_LOST`; `WRITE_FAILED`. The signal's reason when it is aborted, after a checkpoint.
 * @example
 * ```ts
 * await metaTrain({ config: parseConfig({ ... }), folder: 'runs/mine', workers: threads(2) });
 * ```
 */
export async function metaTrain(options: MetaTrainOptions): Promise<{ theta: Theta; score: number }> {
  const { config, signal, checkpointSeconds = 120 } = options;
  const replica = await Replica.create(config);
  const { search } = replica;
  let folder: RunFolder;
  let found: Checkpoint | null;
  let workers: Workers;
  try {
    folder = new RunFolder(options.folder, identityOf(replica));
    found = folder.load();
    if (found) search.restore(found.search);
    workers = await (options.workers ?? ownThread)(replica, search.state);
  } catch (error) {
    replica.dispose();
    throw error;
  }
  const { every, tasks, horizons } = config.validation;
  let best = found?.best ?? null;
  let validated = found?.validated ?? -1;
  const before = found?.seconds ?? 0;
  const start = performance.now();
  const seconds = () => before + (performance.now() - start) / 1000;
  let saved = performance.now();
  const save = () => {
    folder.save({ search: search.state, best, validated, seconds: seconds() });
    saved = performance.now();
  };

  const validate = async () => {
    const indices = Array.from({ length: tasks * horizons.length }, (_, i) => i);
    const scores = await workers.validate(indices, signal);
    const means = horizons.map((_, h) => mean(scores.slice(h * tasks, (h + 1) * tasks)));
    const unscored = horizons.filter((_, h) => Number.isNaN(means[h]));
    if (unscored.length > 0) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `No validation task of ${unscored.join(' and ')} steps begins at a finite loss above 0, which scores are relative to: change the task families, or raise validation.tasks.`,
      );
    }
    const score = mean(means);
    const isBest = best === null || score < best.score;
    const { step } = search;
    folder.saveTheta('latest.theta', replica.theta(), `update ${step}`);
    if (isBest) {
      best = { score, step };
      folder.saveTheta('best.theta', replica.theta(), `update ${step}, validation score ${score.toFixed(4)}`);
    }
    folder.log({ step, validation: score, horizons: means, isBest });
    validated = step;
    options.onValidation?.({ step, score, horizons: means, isBest });
    save();
  };

  try {
    folder.saveConfig(config);
    if (!found) folder.emptyLog();
    const pairs = Array.from({ length: config.pairs }, (_, pair) => pair);
    for (;;) {
      const isLast = search.step === config.updates;
      if (validated < search.step && (search.step % every === 0 || isLast)) await validate();
      if (isLast) break;
      const innerSteps = pairs.reduce((sum, pair) => sum + 2 * stepsOf(replica, pair), 0);
      const results = await workers.runPairs(pairs, signal);
      await workers.update(results);
      const summary = replica.update(results);
      const { step } = search;
      folder.log({ step, ...summary, innerSteps, seconds: Math.round(seconds()) });
      options.onUpdate?.({
        step,
        updates: config.updates,
        ...summary,
        innerSteps,
        seconds: seconds(),
        lost: workers.lost,
      });
      if (performance.now() - saved > 1000 * checkpointSeconds) save();
    }
    return { theta: folder.loadTheta('best.theta'), score: best!.score };
  } catch (error) {
    if (signal?.aborted) save();
    throw error;
  } finally {
    await workers.close();
    replica.dispose();
  }
}

/** Inner steps of one particle of `pair` in the next update. */
function stepsOf({ config, episodes, search }: Replica, pair: number): number {
  const { begin, totalSteps } = episodes.at(pair, search.step);
  if (config.estimator.kind === 'es') return totalSteps;
  const { truncation } = config.estimator;
  return Math.min(truncation, totalSteps - truncation * (search.step - begin));
}

/** Of what is finite: a task that fails is left out. */
function mean(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / finite.length;
}
