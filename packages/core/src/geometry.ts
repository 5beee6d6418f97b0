/** Shapes as VeLO sees them: any rank becomes `[outer, first, middle, second, inner]`, so kernels never see rank. */
import type { Shape } from './backend.ts';
import { VeloError } from './errors.ts';

/** The two largest axes of a tensor of rank >= 2, found in its five-axis view. */
export interface Factored {
  /** `[outer, first, middle, second, inner]`; `first` and `second` are the axes d0 and d1 in the order of memory. */
  readonly view: readonly [number, number, number, number, number];
  /** Axis of `view` that is the second largest (SPEC: d1): rows are indexed by it. */
  readonly d1: 1 | 3;
  /** Axis of `view` that is the largest (SPEC: d0): columns are indexed by it. */
  readonly d0: 1 | 3;
}

export interface Geometry {
  readonly shape: Shape;
  /** Number of entries. */
  readonly size: number;
  /** Number of axes longer than 1. */
  readonly rank: number;
  /** `null` for scalars and vectors (SPEC section 9: their second moments are not factored). */
  readonly factored: Factored | null;
}

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let axis = 0; axis < shape.length; axis++) size *= shape[axis]!;
  return size;
}

export function isSameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/**
 * Axes of the second largest and the largest size, `[d1, d0]`; `null` below rank 2 (SPEC section 4).
 *
 * A stable ascending sort: among equal sizes the later axis counts as larger.
 *
 * @example
 * ```ts
 * factoredAxes([784, 32]); // [1, 0]
 * factoredAxes([16, 16]);  // [0, 1]
 * ```
 */
export function factoredAxes(shape: Shape): readonly [d1: number, d0: number] | null {
  if (shape.length < 2) return null;
  const order = shape.map((_, axis) => axis).sort((a, b) => shape[a]! - shape[b]!);
  return [order.at(-2)!, order.at(-1)!];
}

/**
 * Everything about a parameter's shape that the mathematics asks for.
 *
 * @throws VeloError `EMPTY_TENSOR` where an axis is 0, `SHAPE_MISMATCH` where one is not a whole number >= 0.
 */
export function geometryOf(shape: Shape): Geometry {
  for (const axis of shape) {
    if (!Number.isSafeInteger(axis) || axis < 0) {
      throw new VeloError('SHAPE_MISMATCH', `[${shape}] is not a shape: every axis must be a whole number.`);
    }
    if (axis === 0) throw new VeloError('EMPTY_TENSOR', `A tensor of shape [${shape}] is empty: leave it out.`);
  }
  const axes = factoredAxes(shape);
  return {
    shape: [...shape],
    size: sizeOf(shape),
    rank: shape.filter((axis) => axis > 1).length,
    factored: axes && fiveAxes(shape, axes),
  };
}

function fiveAxes(shape: Shape, [d1, d0]: readonly [number, number]): Factored {
  const first = Math.min(d0, d1);
  const second = Math.max(d0, d1);
  return {
    view: [
      sizeOf(shape.slice(0, first)),
      shape[first]!,
      sizeOf(shape.slice(first + 1, second)),
      shape[second]!,
      sizeOf(shape.slice(second + 1)),
    ],
    d1: d1 < d0 ? 1 : 3,
    d0: d1 < d0 ? 3 : 1,
  };
}
