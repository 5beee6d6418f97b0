/** One update for several steps, with their averages (SPEC section 11, wrapper). */
import type { Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
import { sizeOf } from './geometry.ts';
import { operations } from './operations.ts';
import type { Optimizer } from './optimizer.ts';

export type AccumulationState<T extends Tensor, S extends Tree<T>> = {
  readonly inner: S;
  /** Steps in the sums below. */
  readonly count: number;
  readonly gradients: readonly T[];
  /** Whether a tensor had a gradient in any of these steps; without one it is left out of the update. */
  readonly present: readonly boolean[];
  readonly loss: number | T;
};

/**
 * Makes one update of `inner` for every `every` steps, from the averages of their gradients and losses. In between,
 * parameters stay as they are; what is left over at the end is never applied. A `null` gradient adds nothing to the sum;
 * a tensor whose gradients were all `null` is left out of the update.
 *
 * VeLO was trained for up to about 150,000 updates: longer trainings accumulate `ceil(totalSteps / 150_000)` steps.
 *
 * @param inner told of `floor(totalSteps / every)` steps.
 * @throws VeloError `INVALID_ARGUMENT` unless `every` is a whole number >= 1.
 * @see SPEC section 11
 */
export function withGradientAccumulation<T extends Tensor, S extends Tree<T>>(
  inner: Optimizer<T, S>,
  every: number,
): Optimizer<T, AccumulationState<T, S>> {
  if (!(Number.isSafeInteger(every) && every >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `Gradients accumulate over a whole number of steps >= 1; got ${every}.`);
  }
  const { backend } = inner;
  const { add, clip, div, reshape } = operations(backend);
  // Sums of infinite entries of both signs would be NaN. Far above where gradients are clipped, so nothing else changes.
  const limit = Math.fround(3e38 / every);
  const zeros = (shape: readonly number[]) => backend.tensor(new Float32Array(sizeOf(shape)), shape);
  const empty = (inner_: S, onDevice: boolean): AccumulationState<T, S> => {
    const parameters = inner.parametersOf(inner_);
    return {
      inner: inner_,
      count: 0,
      gradients: parameters.map(({ shape }) => zeros(shape)),
      present: parameters.map(() => false),
      loss: onDevice ? zeros([1, 1]) : 0,
    };
  };

  return {
    backend,
    parametersOf: (state) => inner.parametersOf(state.inner),
    innerState: (state) => inner.innerState(state.inner),
    init: (parameters) => backend.scope(() => empty(inner.init(parameters), false)),
    withParameters: (state, parameters) => ({ ...state, inner: inner.withParameters(state.inner, parameters) }),
    withLossKind: (state, kind) => ({
      ...state,
      inner: inner.withLossKind(state.inner, kind),
      loss: kind === 'device' && typeof state.loss === 'number' ? backend.tensor([state.loss], [1, 1]) : state.loss,
    }),
    withTotalSteps: (state, totalSteps) => ({
      ...state,
      inner: inner.withTotalSteps(state.inner, Math.floor(totalSteps / every)),
    }),
    update: (state, gradients, loss) =>
      backend.scope(() => {
        const summed = state.gradients.map((sum, j) =>
          gradients[j] ? add(sum, clip(gradients[j], -limit, limit)) : sum,
        );
        const present = state.present.map((seen, j) => seen || gradients[j] !== null);
        const lossSum =
          typeof loss === 'number' && typeof state.loss === 'number'
            ? state.loss + loss
            : add(state.loss, typeof loss === 'number' ? loss : reshape(loss, [1, 1]));
        const count = state.count + 1;
        if (count < every) return { inner: state.inner, count, gradients: summed, present, loss: lossSum };
        const averages = summed.map((sum, j) => (present[j] ? div(sum, every) : null));
        const averageLoss = typeof lossSum === 'number' ? lossSum / every : div(lossSum, every);
        // Room for the next sum first: after the update, which may be in place, nothing may fail.
        const next = empty(state.inner, typeof lossSum !== 'number');
        return { ...next, inner: inner.update(state.inner, averages, averageLoss) };
      }),
  };
}
