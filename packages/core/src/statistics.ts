/** The nine numbers of a tensor that the next step's controller needs: nothing else reads the state again. */
import type { Backend, Tensor } from './backend.ts';
import type { Accumulators } from './kernels.ts';
import { operations } from './operations.ts';

/** Columns of a statistics row. */
export const STATISTICS = {
  /** mean(p^2) */
  parameterSquare: { begin: 0, end: 1 },
  /** mean(r) */
  secondMoment: { begin: 1, end: 2 },
  /** mean((m_i - mean(m_i))^2) */
  momentumVariance: { begin: 2, end: 5 },
  /** mean((r - mean(m_i))^2). Quirk: spread of the second moment around the means of *momentum*. */
  secondMomentSpread: { begin: 5, end: 8 },
  /** mean((p_new - p)^2) of the update just made; for inspection only. */
  updateSquare: { begin: 8, end: 9 },
} as const;

export const STATISTICS_LENGTH = 9;

/**
 * Statistics of one tensor, `[1, 9]`.
 *
 * @param parameter as it is now.
 * @param update `[1, size]`: the change that led to it.
 */
export function tensorStatistics<T extends Tensor>(
  backend: Backend<T>,
  parameter: T,
  { moments }: Pick<Accumulators<T>, 'moments'>,
  update: T,
): T {
  const { concat, meanOver, reshape, slice, square, sub } = operations(backend);
  const size = moments.shape[1]!;
  const p = reshape(parameter, [1, size]);
  const m = slice(moments, 0, 0, 3);
  const r = slice(moments, 0, 3, 4);
  const meanM = meanOver(m, 1);
  const row = (column: T) => reshape(column, [1, column.shape[0]!]);
  return concat(
    [
      meanOver(square(p), 1),
      meanOver(r, 1),
      row(meanOver(square(sub(m, meanM)), 1)),
      row(meanOver(square(sub(r, meanM)), 1)),
      meanOver(square(update), 1),
    ],
    1,
  );
}
