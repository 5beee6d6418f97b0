/** The network per parameter: 30 normalised inputs, two hidden layers of 4, a step (SPEC section 11). */
import { type AdvancedAccumulators, advanceAccumulators, planeAxes } from './accumulators.ts';
import type { Backend, Tensor } from './backend.ts';
import {
  FACTORED_EPSILON,
  GRADIENT_CLIP_FEATURE,
  GRADIENT_LIMIT,
  MAGNITUDE_MULTIPLIER,
  NORMALIZER_EPSILON,
  PARAMETER_SCALE_EPSILON,
  SECOND_MOMENT_EPSILON,
  STEP_MULTIPLIER,
} from './constants.ts';
import type { Slot, SlotUpdate } from './kernels.ts';
import { operations } from './operations.ts';
import { tensorStatistics } from './statistics.ts';
import { MLP_LAYOUT } from './theta.ts';

/** Composed definition of the kernel `update`. */
export function perParameterUpdate<T extends Tensor>(
  backend: Backend<T>,
  slots: readonly Slot<T>[],
  mlp: T,
): { slots: SlotUpdate<T>[]; statistics: T } {
  const { concat, slice } = operations(backend);
  const updates = slots.map((slot, j) => updateSlot(backend, slot, slice(mlp, 0, j, j + 1)));
  return {
    slots: updates.map(({ parameter, accumulators }) => ({ parameter, accumulators })),
    statistics: concat(
      updates.map(({ statistics }) => statistics),
      0,
    ),
  };
}

/** One tensor; `mlp` is its row, `[1, 160]`. */
function updateSlot<T extends Tensor>(
  backend: Backend<T>,
  { geometry, parameter, accumulators, gradient }: Slot<T>,
  mlp: T,
): SlotUpdate<T> & { statistics: T } {
  const { clip, mul, reshape, sub } = operations(backend);
  const axes = planeAxes(geometry);
  const p = reshape(parameter, [1, geometry.size]);
  const g = clip(reshape(gradient, [1, ...axes]), -GRADIENT_LIMIT, GRADIENT_LIMIT);

  const advanced = advanceAccumulators(backend, geometry, accumulators, g);
  const x = mlpInputs(backend, reshape(p, [1, ...axes]), g, advanced, geometry.size);
  const next = sub(p, mlpStep(backend, mul(x, inputScales(backend, x)), mlp, parameterScale(backend, p)));
  return {
    parameter: reshape(next, parameter.shape),
    accumulators: advanced.accumulators,
    statistics: tensorStatistics(backend, next, advanced.accumulators, sub(next, p)),
  };
}

/** The 14 groups, 30 columns: `[30, size]`. Accumulators are the advanced ones, the parameter the old one. */
export function mlpInputs<T extends Tensor>(
  backend: Backend<T>,
  p: T,
  g: T,
  advanced: AdvancedAccumulators<T>,
  size: number,
): T {
  const { add, clip, concat, expand, mul, reshape, rsqrt } = operations(backend);
  const { m, r, row, column, factoredGradient, factoredMomentum } = advanced;
  const q = rsqrt(add(r, SECOND_MOMENT_EPSILON));
  const full = (x: T) => expand(x, m.shape);
  const groups = [
    g,
    clip(g, -GRADIENT_CLIP_FEATURE, GRADIENT_CLIP_FEATURE),
    p,
    m,
    r,
    mul(m, q),
    q,
    factoredGradient,
    mul(g, q),
    full(row),
    full(column),
    full(rsqrt(add(row, FACTORED_EPSILON))),
    full(rsqrt(add(column, FACTORED_EPSILON))),
    factoredMomentum,
  ];
  return reshape(concat(groups, 0), [30, size]);
}

/** One over the root mean square of every column, `[30, 1]`; a scalar's columns are so divided by their own size. */
export function inputScales<T extends Tensor>(backend: Backend<T>, x: T): T {
  const { add, meanOver, rsqrt, square } = operations(backend);
  return rsqrt(add(meanOver(square(x), 1), NORMALIZER_EPSILON));
}

/** Root mean square of the parameters, `[1, size] -> [1, 1]`. */
export function parameterScale<T extends Tensor>(backend: Backend<T>, p: T): T {
  const { add, meanOver, sqrt, square } = operations(backend);
  return sqrt(add(meanOver(square(p), 1), PARAMETER_SCALE_EPSILON));
}

/**
 * What the network says to subtract from the parameters, `[1, size]`.
 *
 * @param x scaled inputs, `[30, size]`.
 * @param scale of the parameters, `[1, 1]`.
 */
export function mlpStep<T extends Tensor>(backend: Backend<T>, x: T, mlp: T, scale: T): T {
  const { exp, mul, slice } = operations(backend);
  const o = applyMlp(backend, x, mlp);
  // The third output is unused.
  const direction = slice(o, 0, 0, 1);
  const magnitude = slice(o, 0, 1, 2);
  const step = mul(direction, mul(scale, exp(mul(magnitude, MAGNITUDE_MULTIPLIER))), STEP_MULTIPLIER);
  return mul(layer(backend, mlp, 'stepFactor'), step);
}

/** `[30, size] -> [3, size]` */
function applyMlp<T extends Tensor>(backend: Backend<T>, x: T, mlp: T): T {
  const { add, matmul, relu } = operations(backend);
  const h0 = relu(add(matmul(layer(backend, mlp, 'weight0'), x), layer(backend, mlp, 'bias0')));
  const h1 = relu(add(matmul(layer(backend, mlp, 'weight1'), h0), layer(backend, mlp, 'bias1')));
  return add(matmul(layer(backend, mlp, 'weight2'), h1), layer(backend, mlp, 'bias2'));
}

function layer<T extends Tensor>(backend: Backend<T>, mlp: T, name: keyof typeof MLP_LAYOUT): T {
  const { begin, end, shape } = MLP_LAYOUT[name];
  return backend.reshape(backend.slice(mlp, 1, begin, end), shape);
}
