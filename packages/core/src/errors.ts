/** What went wrong, in a form that programs may rely on: codes are never renamed. */
export type VeloErrorCode =
  /** `step` was called without a loss. */
  | 'LOSS_REQUIRED'
  /** A number loss after tensor losses, or the reverse. */
  | 'LOSS_KIND_CHANGED'
  /** A NaN gradient, a non-finite loss, parameter or weight. */
  | 'NON_FINITE'
  /** A gradient, parameter or value has another shape or length than it must have. */
  | 'SHAPE_MISMATCH'
  /** A tensor with an axis of size 0, or no tensors at all. */
  | 'EMPTY_TENSOR'
  /** A parameter has no entry among the gradients (`null` would skip it). */
  | 'GRADIENT_MISSING'
  /** A gradient belongs to no parameter. */
  | 'GRADIENT_UNKNOWN'
  /** `setParameters` was given no value for a parameter. */
  | 'PARAMETER_MISSING'
  /** `setParameters` was given a value for a parameter that there is not. */
  | 'PARAMETER_UNKNOWN'
  /** An argument is missing, of another kind than it must be, or outside its range. */
  | 'INVALID_ARGUMENT'
  /** Theta has missing, extra, misshapen or non-finite leaves, or its file is damaged. */
  | 'WEIGHTS_INVALID'
  /** Weights are not the bytes that they should be: another hash, or none is known to check them with. */
  | 'WEIGHTS_UNVERIFIED'
  /** Weights could not be downloaded from any of their addresses; the message has the reason of each. */
  | 'DOWNLOAD_FAILED'
  /** Weights are not in the cache, and the network was ruled out. */
  | 'OFFLINE'
  /** An exported state does not fit this optimizer, or its file is damaged. */
  | 'STATE_INVALID'
  /** The backend cannot run here. */
  | 'BACKEND_UNAVAILABLE'
  /** There is no memory left for another tensor. */
  | 'OUT_OF_MEMORY'
  /** A tensor is larger than what the device can hold in one piece. */
  | 'TENSOR_TOO_LARGE'
  /** A thread that takes part in the work has ended, or does not answer. */
  | 'WORKER_LOST'
  /** The GPU has gone away: the driver was restarted, or the device was destroyed. */
  | 'DEVICE_LOST'
  /** A tensor or an optimizer was used after it was disposed of, or disposed of twice. */
  | 'DISPOSED'
  /** The body of a scope returned a promise. */
  | 'SCOPE_ASYNC'
  /** A data file (CSV, IDX, ...) cannot be used. */
  | 'DATA_INVALID'
  /** A file or folder cannot be written: no room, no permission. */
  | 'WRITE_FAILED';

/**
 * The one error class of velojs. Whatever threw it left optimizer state and parameters as they were before the call.
 *
 * @example
 * ```ts
 * try { velo.step(gradients, loss); } catch (error) {
 *   if (error instanceof VeloError && error.code === 'NON_FINITE') skipBatch();
 *   else throw error;
 * }
 * ```
 */
export class VeloError extends Error {
  override readonly name = 'VeloError';
  /** On `NON_FINITE` found by a device: the step (0 for the first) whose input was bad. */
  readonly step: number | undefined;

  constructor(
    readonly code: VeloErrorCode,
    message: string,
    options: { cause?: unknown; step?: number } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.step = options.step;
  }
}
