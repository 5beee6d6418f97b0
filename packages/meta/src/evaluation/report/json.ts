/** An evaluation as documents for machines. */
import { VeloError } from '@velojs/core';
import type { Evaluation } from '../evaluate.ts';
import type { Outcome } from '../outcomes.ts';

/**
 * All results of one optimizer and of the baselines that it was compared with, as JSON. Losses that are not finite are
 * null; curves are pairs of step and loss.
 *
 * @param name of the optimizer; may be left out where there is but one.
 * @throws VeloError `INVALID_ARGUMENT` where the evaluation has no such optimizer.
 */
export function jsonReport(evaluation: Evaluation, name?: string): string {
  const { suite, seeds, tasks, optimizers } = evaluation;
  const summary =
    name === undefined && optimizers.length === 1 ? optimizers[0] : optimizers.find((one) => one.name === name);
  if (!summary) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `The evaluation has no optimizer "${name}"; it has ${optimizers.map((one) => one.name).join(', ') || 'none'}.`,
    );
  }
  return JSON.stringify(
    {
      format: 'velojs-evaluation',
      version: 1,
      suite,
      seeds,
      optimizer: { name: summary.name, id: summary.id },
      summary: summary.groups,
      tasks: tasks.map(({ candidates, baselines, ...task }) => ({
        ...task,
        baselines: Object.fromEntries(Object.entries(baselines).map(([id, outcome]) => [id, withPairs(outcome)])),
        optimizer: withPairs(candidates[summary.name]!),
      })),
    },
    // Nobody's result has more digits that mean anything.
    (_, value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? Number(value.toPrecision(6)) : value),
  );
}

/** Curves as pairs of step and loss. */
const withPairs = <Some extends Outcome>(outcome: Some) => ({
  ...outcome,
  curve: outcome.curve.map(({ step, loss }) => [step, Number(loss.toPrecision(4))]),
});
