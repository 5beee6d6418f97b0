/** A pure optimizer: state in, state out. VeLO is one, and each wrapper makes another of it. */
import type { Backend, Tensor, Tree } from './backend.ts';
import type { VeloState } from './velo.ts';

/** A gradient per parameter, in the parameters' order; `null` leaves that tensor out of this update. */
export type Gradients<T extends Tensor> = readonly (T | null)[];

export type LossKind = 'host' | 'device';

/**
 * `init` and `update` never dispose, and on the composed path never overwrite: what they return may share tensors with
 * what they were given. Fused kernels overwrite the parameters and accumulators of the state they are given.
 */
export interface Optimizer<T extends Tensor, S extends Tree<T>> {
  readonly backend: Backend<T>;
  /** State before the first update. The tensors of `parameters` become part of it. */
  init(parameters: readonly T[]): S;
  /**
   * One update.
   *
   * @param loss measured at the parameters of `state`: a number, or a tensor of one entry; of the kind that
   *   `withLossKind` has fixed (a number unless it was called).
   */
  update(state: S, gradients: Gradients<T>, loss: number | T): S;
  parametersOf(state: S): readonly T[];
  /** VeLO's own state, within those of the wrappers around it. */
  innerState(state: S): VeloState<T>;
  withParameters(state: S, parameters: readonly T[]): S;
  /** Fixes where losses are kept from now on: on the host, or, for good, on the device. */
  withLossKind(state: S, kind: LossKind): S;
  /** Goes on as if training had been told this length from the start. */
  withTotalSteps(state: S, totalSteps: number): S;
}
