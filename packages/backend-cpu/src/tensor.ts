/** A tensor is a shape over a typed array. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import type { Values } from '@velojs/core/typed-arrays';

/** Create one with `backend.tensor` (copies) or `backend.wrap` (does not). */
export class CpuTensor {
  readonly shape: Shape;
  /** `wrap` made it: updates write to memory that the caller also holds. */
  readonly wrapped: boolean;
  #values: Values | null;

  constructor(values: Values, shape: Shape, wrapped = false) {
    if (values.length !== sizeOf(shape)) {
      throw new VeloError('SHAPE_MISMATCH', `${values.length} values do not fill the shape [${shape}].`);
    }
    this.shape = [...shape];
    this.wrapped = wrapped;
    this.#values = values;
  }

  /**
   * The values, row-major. Of parameters and other state: the memory itself, which every update overwrites. Results of
   * operations are held in double precision; of these it is a rounded copy.
   *
   * @throws VeloError `DISPOSED`
   */
  get data(): Float32Array {
    const values = this.values;
    return values instanceof Float32Array ? values : new Float32Array(values);
  }

  /** As `data`, but in the precision they are held in. */
  get values(): Values {
    if (this.#values !== null) return this.#values;
    throw new VeloError('DISPOSED', `A tensor of shape [${this.shape}] was used after it was disposed of.`);
  }

  /** Rounds to float32 what was held in double precision: state is, so that saving and restoring it loses nothing. */
  store(): this {
    const values = this.values;
    if (values instanceof Float64Array) this.#values = new Float32Array(values);
    return this;
  }

  /** Forgets the values; the garbage collector takes them. @throws VeloError `DISPOSED` the second time */
  dispose(): void {
    void this.values;
    this.#values = null;
  }
}
