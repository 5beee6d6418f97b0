/** VeLO beside Adam on one task. */

import type { Jax } from './jax.ts';
import { createModel } from './model.ts';
import { ADAM_DEFAULT_RATE, type OptimizerSpec, optimizerLabel, SWEEP } from './optimizers.ts';
import type { Task } from './tasks/task.ts';
import { train } from './train.ts';
import type { Run } from './training.ts';

export interface Comparison {
  readonly task: Task;
  /** Finished runs, in the order of the optimizers; fewer where the user stopped it. */
  readonly runs: readonly Run[];
}

/**
 * Trains the task with every optimizer, each from the same weights and on the same batches.
 *
 * @param onRun called with every finished run.
 * @param onProgress called now and then within a run.
 * @throws the signal's reason when it is aborted; `onRun` has seen what was finished.
 */
export async function compare(
  { jax, task, optimizers, seed }: { jax: Jax; task: Task; optimizers: readonly OptimizerSpec[]; seed: number },
  hooks: {
    signal?: AbortSignal;
    onRun?: (run: Run) => void;
    onProgress?: (optimizer: OptimizerSpec, steps: number, loss: number) => void;
  } = {},
): Promise<Comparison> {
  const model = createModel(jax, task.layers, task.kind);
  const runs: Run[] = [];
  for (const optimizer of optimizers) {
    const run = await train(
      { task, model, optimizer, seed },
      { ...hooks, onProgress: (steps, loss) => hooks.onProgress?.(optimizer, steps, loss) },
    );
    runs.push(run);
    hooks.onRun?.(run);
  }
  return { task, runs };
}

/** A run that tables and plots show. */
export interface ShownRun {
  readonly run: Run;
  readonly role: 'velo' | 'default' | 'best';
  readonly label: string;
}

/** VeLO, Adam at its default rate, Adam at the best of the sweep (by final training loss): what was run of these. */
export function shownRuns({ runs }: Comparison): ShownRun[] {
  const rateOf = ({ optimizer }: Run) => (optimizer.name === 'adam' ? optimizer.learningRate : null);
  const adam = runs.filter((run) => rateOf(run) !== null);
  const best = adam.length > 1 ? adam.reduce((best, run) => (run.trainLoss < best.trainLoss ? run : best)) : undefined;
  const bestNote = `best of ${adam.length}`;
  return runs.flatMap((run): ShownRun[] => {
    const name = optimizerLabel(run.optimizer);
    if (rateOf(run) === null) return [{ run, role: 'velo', label: name }];
    if (rateOf(run) === ADAM_DEFAULT_RATE) {
      return [{ run, role: 'default', label: `${name} (default${run === best ? `, ${bestNote}` : ''})` }];
    }
    return run === best ? [{ run, role: 'best', label: `${name} (${bestNote})` }] : [];
  });
}

/** Who ended lower, in words that the numbers choose. What was not finished is left out. */
export function verdict(comparisons: readonly Comparison[]): string {
  const lowest = (runs: readonly Run[]) => Math.min(...runs.map(({ trainLoss }) => trainLoss));
  const results = comparisons.map(({ task, runs }) => {
    const adam = runs.filter(({ optimizer }) => optimizer.name === 'adam');
    return {
      task: task.name,
      velo: lowest(runs.filter(({ optimizer }) => optimizer.name === 'velo')),
      // The default rate is the first of Adam's.
      atDefault: adam.length > 0 ? lowest(adam.slice(0, 1)) : null,
      atBest: adam.length === SWEEP.length ? lowest(adam) : null,
    };
  });
  const against = (what: string, key: 'atDefault' | 'atBest') => {
    const compared = results.filter((result) => result[key] !== null);
    const lost = compared.filter((result) => !(result.velo < result[key]!)).map(({ task }) => task);
    const except = lost.length > 0 && lost.length < compared.length ? ` (not on ${lost.join(', ')})` : '';
    return compared.length > 0 ? [`${what} on ${compared.length - lost.length} of ${compared.length}${except}`] : [];
  };
  const parts = [
    ...against(`Adam's at its default rate ${ADAM_DEFAULT_RATE}`, 'atDefault'),
    ...against("Adam's at the best rate of the sweep", 'atBest'),
  ];
  return parts.length === 0 ? 'Nothing to compare yet.' : `VeLO's final loss is below ${parts.join(', and below ')}.`;
}
