/**
 * VeLO is cut at its global reductions into two kernels: one network per tensor, one per parameter. A third takes the
 * loss where that is a tensor. Types only.
 *
 * Their composed definitions (`controller.ts`, `per-parameter-mlp.ts`, `loss-buffer.ts`) *are* the mathematics; a
 * backend may replace them by fused ones, which the conformance suite compares with these.
 */
import type { Tensor } from './backend.ts';
import type { Geometry } from './geometry.ts';
import type { DeviceTheta } from './theta.ts';

/** `count` and `decays` are host values that change between steps: to be uploaded, not compiled in. */
export interface LossInputs<T extends Tensor> {
  /** One entry, of any shape. */
  readonly loss: T;
  /** Losses seen, this one included. */
  readonly count: number;
  /** `[10]`, see `lossDecays`. */
  readonly decays: Float64Array;
  /** `[1, 10]`, without this loss; see `loss-buffer.ts`. */
  readonly means: T;
  /** `[1, 10]` */
  readonly minima: T;
}

export interface LossOutputs<T extends Tensor> {
  /** `[1, 10]`, with this loss. */
  readonly means: T;
  /** `[1, 10]` */
  readonly minima: T;
  /** `[1, 9]`, in `[-1, 1]`; 0 during the first two losses. */
  readonly features: T;
}

/** What the controller reads besides theta. `n` tensors take part in this update. */
export interface ControllerInputs<T extends Tensor> {
  /** `[n, 9]`, see `statistics.ts`; of parameters and accumulators before this update. */
  readonly statistics: T;
  /** `[n, 5]`, one-hot of the number of axes longer than 1 (SPEC section 7, index 19..23). */
  readonly ranks: T;
  /** `[1, 18]`: nine training-fraction features, nine loss features. */
  readonly common: T;
  /** `[n, H]`. */
  readonly hidden: T;
  /** `[n, H]`. */
  readonly cell: T;
}

export interface ControllerOutputs<T extends Tensor> {
  /** `[n, 160]`: the generated MLP of each tensor (159 numbers, layout in `theta.ts`) and its step factor. */
  readonly mlp: T;
  readonly hidden: T;
  readonly cell: T;
}

/** Moving averages of one tensor, each channel a plane of the parameter's own row-major order. */
export type Accumulators<T extends Tensor> = {
  /** `[4, size]`: momentum at 0.9, 0.99, 0.999, then the second moment at 0.999. */
  readonly moments: T;
  /** Rank >= 2: `[3, size / size of axis d0]`; else `[3, size]`, the unfactored second moments. */
  readonly rows: T;
  /** Rank >= 2: `[3, size / size of axis d1]`; else null. */
  readonly columns: T | null;
};

export interface Slot<T extends Tensor> {
  readonly geometry: Geometry;
  /** Donated: a fused kernel may overwrite it and return the same handle. */
  readonly parameter: T;
  /** Donated. */
  readonly accumulators: Accumulators<T>;
  /** Borrowed; not yet clipped. */
  readonly gradient: T;
}

export interface SlotUpdate<T extends Tensor> {
  readonly parameter: T;
  readonly accumulators: Accumulators<T>;
}

export interface Kernels<T extends Tensor> {
  /** Moving averages of the loss and nine features of its progress (SPEC section 6); where it is a number, the host's work. */
  loss(inputs: LossInputs<T>): LossOutputs<T>;
  /** Features, mixing, LSTM and heads for all tensors at once (SPEC sections 7 and 8). */
  controller(inputs: ControllerInputs<T>, theta: DeviceTheta<T>): ControllerOutputs<T>;
  /**
   * Accumulators, per-parameter MLP, step (SPEC sections 9 and 11), for all tensors at once; row j of `mlp` belongs to
   * slot j. `statistics` `[n, 9]` are of what was written.
   */
  update(slots: readonly Slot<T>[], mlp: T): { readonly slots: readonly SlotUpdate<T>[]; readonly statistics: T };
}

/** The kernels of backends in host memory, where a loss is best a number. */
export type HostKernels<T extends Tensor> = Omit<Kernels<T>, 'loss'>;
