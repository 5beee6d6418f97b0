/** VeLO itself: one update, in the order of SPEC section 5. */
import { accumulatorShapes } from './accumulators.ts';
import type { Backend, Shape, Tensor } from './backend.ts';
import { VeloError } from './errors.ts';
import { type Geometry, geometryOf, isSameShape, sizeOf } from './geometry.ts';
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
import type { Gradients, Optimizer } from './optimizer.ts';
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
  // Shapes are the same in every update, and finding out about them takes longer than comparing them.
  const geometries: Geometry[] = [];
  const geometryAt = (j: number, shape: Shape): Geometry => {
    if (!geometries[j] || !isSameShape(geometries[j].shape, shape)) geometries[j] = geometryOf(shape);
    return geometries[j];
  };

  return {
    backend,
    parametersOf: (state) => state.parameters,
    innerState: (state) => state,
    init: (parameters) => initialState(backend, theta, parameters, totalSteps),

    update: (state, gradients, loss) =>
      backend.scope(() => {
        const { lossBuffer, common } = pushLoss(backend, kernels, state, loss);
        const iteration = state.iteration + 1;
        const present = indicesOfPresent(gradients);
        if (present.length === 0) return { ...state, lossBuffer, iteration };

        const { mlp, hidden, cell } = kernels.controller(
          {
            statistics: takeRows(backend, state.statistics, present),
            ranks: takeRows(backend, state.ranks, present),
            common,
            hidden: takeRows(backend, state.hidden, present),
            cell: takeRows(backend, state.cell, present),
          },
          theta,
        );
        const slots = present.map((j) => ({
          geometry: geometryAt(j, state.parameters[j]!.shape),
          parameter: state.parameters[j]!,
          accumulators: state.accumulators[j]!,
          gradient: gradients[j]!,
        }));
        const written = kernels.update(slots, mlp);

        return {
          iteration,
          totalSteps: state.totalSteps,
          lossBuffer,
          parameters: place(state.parameters, present, (i) => written.slots[i]!.parameter),
          accumulators: place(state.accumulators, present, (i) => written.slots[i]!.accumulators),
          hidden: putRows(backend, state.hidden, hidden, present),
          cell: putRows(backend, state.cell, cell, present),
          ranks: state.ranks,
          statistics: putRows(backend, state.statistics, written.statistics, present),
          mlp: putRows(backend, state.mlp, mlp, present),
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

/** Takes the loss in, and gives the features that are common to all tensors, `[1, 18]`. */
function pushLoss<T extends Tensor>(
  backend: Backend<T>,
  kernels: Kernels<T>,
  { lossBuffer: buffer, iteration, totalSteps }: VeloState<T>,
  loss: number | T,
): { lossBuffer: LossBuffer<T>; common: T } {
  const fraction = fractionFeatures(iteration / totalSteps);
  if (buffer.on === 'host' && typeof loss === 'number') {
    const lossBuffer = pushHostLoss(buffer, loss);
    return { lossBuffer, common: backend.tensor([...fraction, ...hostLossFeatures(lossBuffer)], [1, 18]) };
  }
  if (buffer.on === 'device' && typeof loss !== 'number') {
    const count = buffer.count + 1;
    const { means, minima, features } = kernels.loss({ ...buffer, count, loss });
    const common = backend.concat([backend.tensor(fraction, [1, 9]), features], 1);
    return { lossBuffer: { ...buffer, count, means, minima }, common };
  }
  throw new VeloError(
    'LOSS_KIND_CHANGED',
    `The loss must stay ${buffer.on === 'host' ? 'a number' : 'a tensor'}, as it was in the first step.`,
  );
}

function indicesOfPresent(gradients: Gradients<Tensor>): number[] {
  const present: number[] = [];
  for (let j = 0; j < gradients.length; j++) if (gradients[j] !== null) present.push(j);
  return present;
}

/** `old` with the items at `indices` replaced: itself where they are the same, as kernels update in place. */
function place<Item>(old: readonly Item[], indices: readonly number[], item: (i: number) => Item): readonly Item[] {
  if (indices.every((j, i) => old[j] === item(i))) return old;
  return old.map((before, j) => (indices.includes(j) ? item(indices.indexOf(j)) : before));
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
