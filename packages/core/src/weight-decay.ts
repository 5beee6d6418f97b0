/** L2 weight decay in gradient and loss (SPEC section 11, wrapper). */
import type { Backend, Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
import { sizeOf } from './geometry.ts';
import { operations } from './operations.ts';
import type { Gradients, LossKind, Optimizer } from './optimizer.ts';

/**
 * Adds w p to every gradient and w sum(p^2) to the loss, over the tensors that take part in the update.
 * Quirk: no factor 1/2 on the loss, as in the original. VeLO's authors suggest about 1e-6.
 *
 * On a backend whose memory is not the host's the loss becomes a tensor, since the sum is one.
 *
 * @throws VeloError `INVALID_ARGUMENT` unless `weightDecay` is finite and >= 0.
 * @see SPEC section 11
 * @example
 * ```ts
 * const optimizer = withWeightDecay(velo({ backend, theta, totalSteps }), 1e-6);
 * ```
 */
export function withWeightDecay<T extends Tensor, S extends Tree<T>>(
  inner: Optimizer<T, S>,
  weightDecay: number,
): Optimizer<T, S> {
  const w = Math.fround(weightDecay);
  if (!(Number.isFinite(w) && w >= 0)) {
    throw new VeloError('INVALID_ARGUMENT', `weightDecay must be a finite number >= 0; got ${weightDecay}.`);
  }
  const { backend } = inner;
  const { add, mul } = operations(backend);
  const lossKind = (kind: LossKind): LossKind => (backend.peek ? kind : 'device');
  return {
    ...inner,
    init: (parameters) => inner.withLossKind(inner.init(parameters), lossKind('host')),
    withLossKind: (state, kind) => inner.withLossKind(state, lossKind(kind)),
    update: (state, gradients, loss) =>
      backend.scope(() => {
        const parameters = inner.parametersOf(state);
        const present = parameters.filter((_, j) => gradients[j] !== null);
        const decayed: Gradients<T> = gradients.map((g, j) => g && add(g, mul(parameters[j]!, w)));
        return inner.update(state, decayed, penalizedLoss(backend, loss, present, w));
      }),
  };
}

/** loss + w sum(p^2): a number where it can be, so that the loss buffer keeps its double precision. */
function penalizedLoss<T extends Tensor>(
  backend: Backend<T>,
  loss: number | T,
  parameters: readonly T[],
  w: number,
): number | T {
  if (typeof loss === 'number' && backend.peek) {
    return parameters.reduce((sum, p) => sum + w * sumOfSquares(backend.peek!(p)), loss);
  }
  const { add, meanOver, mul, reshape, square } = operations(backend);
  const scalar = typeof loss === 'number' ? backend.tensor([loss], [1, 1]) : reshape(loss, [1, 1]);
  return parameters.reduce((sum, p) => {
    const size = sizeOf(p.shape);
    return add(sum, mul(meanOver(square(reshape(p, [1, size])), 1), w * size));
  }, scalar);
}

function sumOfSquares(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return sum;
}
