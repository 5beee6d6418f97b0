/** Moving averages of the gradient, one set per parameter and one per row and column (SPEC section 9). */
import type { Backend, Tensor } from './backend.ts';
import { DECAYS, ROW_MEAN_EPSILON, RSQRT_FLOOR, SECOND_MOMENT_DECAY, SQUARE_EPSILON } from './constants.ts';
import type { Factored, Geometry } from './geometry.ts';
import type { Accumulators } from './kernels.ts';
import { operations } from './operations.ts';

/** Advanced accumulators and what the network per parameter reads of them, as planes over `axes`. */
export interface AdvancedAccumulators<T extends Tensor> {
  readonly accumulators: Accumulators<T>;
  /** `[3, ...axes]` */
  readonly m: T;
  /** `[1, ...axes]` */
  readonly r: T;
  /** `[3, ...axes]`, or with 1 in place of axis d0 (`row`) or d1 (`column`). */
  readonly row: T;
  readonly column: T;
  /** `[3, ...axes]`: gradient and momentum over the factored root mean square. */
  readonly factoredGradient: T;
  readonly factoredMomentum: T;
}

/** The axes that planes have: five for rank >= 2, one below. */
export const planeAxes = ({ factored, size }: Geometry): readonly number[] => factored?.view ?? [size];

/** Shapes of the three accumulators. */
export function accumulatorShapes({ factored, size }: Geometry): {
  moments: number[];
  rows: number[];
  columns: number[] | null;
} {
  const without = (axis: 1 | 3) => size / factored!.view[axis];
  return {
    moments: [4, size],
    rows: [3, factored ? without(factored.d0) : size],
    columns: factored && [3, without(factored.d1)],
  };
}

/**
 * Takes a gradient into the averages.
 *
 * @param g `[1, ...axes]`, clipped.
 */
export function advanceAccumulators<T extends Tensor>(
  backend: Backend<T>,
  geometry: Geometry,
  { moments, rows, columns }: Accumulators<T>,
  g: T,
): AdvancedAccumulators<T> {
  const { add, concat, div, max, mul, reshape, rsqrt, slice, sqrt, square } = operations(backend);
  const axes = planeAxes(geometry);
  const floorRsqrt = (x: T) => rsqrt(max(x, RSQRT_FLOOR));
  const plane = (x: T, index: number) => reshape(slice(x, 0, index, index + 1), [1, ...axes]);
  const average = (old: T, decay: number, value: T) => add(mul(old, decay), mul(value, 1 - decay));

  const m = concat(
    DECAYS.map((B, i) => average(plane(moments, i), B, g)),
    0,
  );
  const r = average(plane(moments, 3), SECOND_MOMENT_DECAY, square(g));
  const advanced = reshape(concat([m, r], 0), moments.shape);
  const e = add(square(g), SQUARE_EPSILON);

  if (geometry.factored === null) {
    const v = concat(
      DECAYS.map((D, i) => average(plane(rows, i), D, e)),
      0,
    );
    return {
      accumulators: { moments: advanced, rows: reshape(v, rows.shape), columns },
      m,
      r,
      row: v,
      column: v,
      factoredGradient: mul(g, floorRsqrt(add(v, RSQRT_FLOOR))),
      // Quirk: neither epsilon nor floor; v > 0 because of the epsilon in e.
      factoredMomentum: div(m, sqrt(v)),
    };
  }

  const { d0, d1 } = geometry.factored;
  const advanceFactor = (old: T, axis: 1 | 3) => {
    const mean = backend.reduce('mean', e, [axis + 1]);
    const planes = reshape(old, [3, ...without(geometry.factored!, axis)]);
    return concat(
      DECAYS.map((D, i) => average(slice(planes, 0, i, i + 1), D, mean)),
      0,
    );
  };
  const row = advanceFactor(rows, d0);
  const column = advanceFactor(columns!, d1);
  const { R, C } = factorScales(backend, row, column, d1 + 1);
  return {
    accumulators: {
      moments: advanced,
      rows: reshape(row, rows.shape),
      columns: reshape(column, columns!.shape),
    },
    m,
    r,
    row,
    column,
    factoredGradient: mul(g, R, C),
    factoredMomentum: mul(m, R, C),
  };
}

/**
 * The factored estimate of one over the root mean square gradient is `R C`.
 *
 * @param axis of `row`, over which its mean is taken.
 */
export function factorScales<T extends Tensor>(backend: Backend<T>, row: T, column: T, axis: number): { R: T; C: T } {
  const { add, div, max, rsqrt } = operations(backend);
  const floorRsqrt = (x: T) => rsqrt(max(x, RSQRT_FLOOR));
  return {
    R: floorRsqrt(div(row, add(backend.reduce('mean', row, [axis]), ROW_MEAN_EPSILON))),
    C: floorRsqrt(column),
  };
}

const without = ({ view }: Factored, axis: 1 | 3): number[] => view.map((size, i) => (i === axis ? 1 : size));
