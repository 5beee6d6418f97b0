/** VeLO itself: one update, in the order of SPEC section 5. */
import { accumulatorShapes } from './accumulators.ts';
import type { Backend, Shape, Tensor } from './backend.ts';
import { VeloError } from './errors.ts';
import { geometryOf, sizeOf } from './geometry.ts';
import type { Accumulators, Kernels } from './kernels.ts';
import {
  createLossBuffer,
  hostLossFeatures,
  type LossBuffer,
  pushHostLoss,
  toDevice,
  withTotalSteps,
} from './loss-buffer.ts';
import { operations } from './operations.ts';
import type { Optimizer } from './optimizer.ts';
import { resolveKernels } from './resolve-kernels.ts';
import { tensorStatistics } from './statistics.ts';
import { fractionFeatures, rankFeatures } from './tensor-features.ts';
import { type DeviceTheta, MLP_ROW } from './theta.ts';
import { checkTotalSteps } from './total-steps.ts';

/** State of VeLO for n parameters. */
export type VeloState<T extends Tensor> = {
  /** t: updates made. */
  readonly iteration: number;
  /** N: updates that training will make. */
  readonly totalSteps: number;
  readonly lossBuffer: LossBuffer<T>;
  readonly parameters: readonly T[];
  readonly accumulators: readonly Accumulators<T>[];
  /** `[n, H]` */
  readonly hidden: T;
  readonly cell: T;
  /** `[n, 5]` */
  readonly ranks: T;
  /** `[n, 9]`: of the parameters and accumulators of this state (`statistics.ts`). */
  readonly statistics: T;
  /** `[n, 160]`: the networks that made the last update (`MLP_LAYOUT` in `theta.ts`); zeros before the first. */
  readonly mlp: T;
};

/**
 * VeLO as a pure optimizer.
 *
 * @param options.backend where it runs.
 * @param options.theta on that backend (`uploadTheta`).
 * @param options.totalSteps N, the number of updates that training will make: a whole number >= 1.
 * @throws VeloError `INVALID_ARGUMENT`
 * @see SPEC section 5; arXiv 2211.09760
 * @example
 * ```ts
 * const optimizer = velo({ backend, theta: uploadTheta(backend, theta), totalSteps: 1_000 });
 * let state = optimizer.init([weight, bias]);
 * state = optimizer.update(state, [weightGradient, biasGradient], loss);
 * ```
 */
export function velo<T extends Tensor>(options: {
  backend: Backend<T>;
  theta: DeviceTheta<T>;
  totalSteps: number;
}): Optimizer<T, VeloState<T>> {
  const { backend, theta } = options;
  const totalSteps = checkTotalSteps(options.totalSteps);
  const kernels = resolveKernels(backend);
  const { concat } = operations(backend);

  return {
    backend,
    parametersOf: (state) => state.parameters,
    innerState: (state) => state,
    init: (parameters) => initialState(backend, theta, parameters, totalSteps),

    update: (state, gradients, loss) =>
      backend.scope(() => {
        const { lossBuffer, features } = pushLoss(backend, kernels, state.lossBuffer, loss);
        const iteration = state.iteration + 1;
        const present = gradients.flatMap((gradient, j) => (gradient === null ? [] : [j]));
        if (present.length === 0) return { ...state, lossBuffer, iteration };

        const fraction = backend.tensor(fractionFeatures(state.iteration / state.totalSteps), [1, 9]);
        const common = concat([fraction, features], 1);
        const gather = (x: T) => takeRows(backend, x, present);
        const { mlp, hidden, cell } = kernels.controller(
          {
            statistics: gather(state.statistics),
            ranks: gather(state.ranks),
            common,
            hidden: gather(state.hidden),
            cell: gather(state.cell),
          },
          theta,
        );
        const slots = present.map((j) => ({
          geometry: geometryOf(state.parameters[j]!.shape),
          parameter: state.parameters[j]!,
          accumulators: state.accumulators[j]!,
          gradient: gradients[j]!,
        }));
        const written = kernels.update(slots, mlp);

        const place = <Item>(old: readonly Item[], items: readonly Item[]) => {
          const placed = [...old];
          for (const [i, j] of present.entries()) placed[j] = items[i]!;
          return placed;
        };
        const scatter = (old: T, rows: T) => putRows(backend, old, rows, present);
        return {
          ...state,
          iteration,
          lossBuffer,
          parameters: place(
            state.parameters,
            written.slots.map(({ parameter }) => parameter),
          ),
          accumulators: place(
            state.accumulators,
            written.slots.map(({ accumulators }) => accumulators),
          ),
          hidden: scatter(state.hidden, hidden),
          cell: scatter(state.cell, cell),
          statistics: scatter(state.statistics, written.statistics),
          mlp: scatter(state.mlp, mlp),
        };
      }),

    withParameters: (state, parameters) =>
      backend.scope(() => ({
        ...state,
        parameters,
        statistics: concat(
          parameters.map((parameter, j) => restingStatistics(backend, parameter, state.accumulators[j]!)),
          0,
        ),
      })),

    withLossKind: (state, kind) => {
      const { lossBuffer } = state;
      if (kind === lossBuffer.on) return state;
      if (lossBuffer.on === 'device')
        throw new VeloError('LOSS_KIND_CHANGED', 'The loss buffer is on the device already.');
      return { ...state, lossBuffer: toDevice(backend, lossBuffer) };
    },

    withTotalSteps: (state, totalSteps) =>
      backend.scope(() => ({
        ...state,
        totalSteps: checkTotalSteps(totalSteps),
        lossBuffer: withTotalSteps(backend, state.lossBuffer, totalSteps),
      })),
  };
}

function initialState<T extends Tensor>(
  backend: Backend<T>,
  theta: DeviceTheta<T>,
  parameters: readonly T[],
  totalSteps: number,
): VeloState<T> {
  const { concat, expand } = operations(backend);
  const zeros = (shape: Shape) => backend.tensor(new Float32Array(sizeOf(shape)), shape);
  return backend.scope(() => {
    const n = parameters.length;
    const geometries = parameters.map(({ shape }) => geometryOf(shape));
    const accumulators = geometries.map((geometry) => {
      const { moments, rows, columns } = accumulatorShapes(geometry);
      return { moments: zeros(moments), rows: zeros(rows), columns: columns && zeros(columns) };
    });
    return {
      iteration: 0,
      totalSteps,
      lossBuffer: createLossBuffer(totalSteps),
      parameters,
      accumulators,
      hidden: expand(theta.initialHidden, [n, theta.hiddenSize]),
      cell: expand(theta.initialCell, [n, theta.hiddenSize]),
      ranks: backend.tensor(
        geometries.flatMap((geometry) => [...rankFeatures(geometry)]),
        [n, 5],
      ),
      statistics: concat(
        parameters.map((parameter, j) => restingStatistics(backend, parameter, accumulators[j]!)),
        0,
      ),
      mlp: zeros([n, MLP_ROW]),
    };
  });
}

/** Statistics where no update led to the parameter. */
function restingStatistics<T extends Tensor>(backend: Backend<T>, parameter: T, accumulators: Accumulators<T>): T {
  return tensorStatistics(backend, parameter, accumulators, backend.tensor([0], [1, 1]));
}

function pushLoss<T extends Tensor>(
  backend: Backend<T>,
  kernels: Kernels<T>,
  buffer: LossBuffer<T>,
  loss: number | T,
): { lossBuffer: LossBuffer<T>; features: T } {
  if (buffer.on === 'host' && typeof loss === 'number') {
    const lossBuffer = pushHostLoss(buffer, loss);
    return { lossBuffer, features: backend.tensor(hostLossFeatures(lossBuffer), [1, 9]) };
  }
  if (buffer.on === 'device' && typeof loss !== 'number') {
    const count = buffer.count + 1;
    const { means, minima, features } = kernels.loss({ ...buffer, count, loss });
    return { lossBuffer: { ...buffer, count, means, minima }, features };
  }
  throw new VeloError(
    'LOSS_KIND_CHANGED',
    `The loss must stay ${buffer.on === 'host' ? 'a number' : 'a tensor'}, as it was in the first step.`,
  );
}

/** The rows of the tensors that take part. */
function takeRows<T extends Tensor>(backend: Backend<T>, x: T, rows: readonly number[]): T {
  if (rows.length === x.shape[0]) return x;
  return backend.concat(
    rows.map((row) => backend.slice(x, 0, row, row + 1)),
    0,
  );
}

/** `x` with its `rows` replaced by those of `values`. */
function putRows<T extends Tensor>(backend: Backend<T>, x: T, values: T, rows: readonly number[]): T {
  const n = x.shape[0]!;
  if (rows.length === n) return values;
  const row = (source: T, index: number) => backend.slice(source, 0, index, index + 1);
  return backend.concat(
    Array.from({ length: n }, (_, j) => (rows.includes(j) ? row(values, rows.indexOf(j)) : row(x, j))),
    0,
  );
}
