/** The shapes that operations give, wherever they run. All throw VeloError `SHAPE_MISMATCH` where there is none. */
import type { Shape } from '../backend.ts';
import { VeloError } from '../errors.ts';

/** The shape that both broadcast to (NumPy's rule). */
export function broadcastShape(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw mismatch(`[${a}] and [${b}] do not broadcast: an axis must be equal, or 1 in one`);
    }
    return left === 1 ? right : left;
  });
}

export function reducedShape(shape: Shape, axes: readonly number[]): number[] {
  for (const axis of axes) sizeOfAxis(shape, axis);
  return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
}

/** Of `[n, k]` and `[k, m]`. */
export function productShape(a: Shape, b: Shape): [n: number, m: number] {
  const [[n, k], [inner, m]] = [a, b] as [[number, number], [number, number]];
  if (a.length !== 2 || b.length !== 2 || inner !== k) {
    throw mismatch(`Matrices [${a}] and [${b}] cannot be multiplied`);
  }
  return [n, m];
}

export function checkExpansion(from: Shape, to: Shape): void {
  if (from.length !== to.length || from.some((size, axis) => size !== 1 && size !== to[axis])) {
    throw mismatch(`[${from}] does not expand to [${to}]: only axes of size 1 repeat`);
  }
}

export function slicedShape(shape: Shape, axis: number, begin: number, end: number): number[] {
  const size = sizeOfAxis(shape, axis);
  if (!(0 <= begin && begin < end && end <= size)) {
    throw mismatch(`[${shape}] has no slice ${begin}..${end} along axis ${axis}`);
  }
  return shape.with(axis, end - begin);
}

export function concatenatedShape(shapes: readonly Shape[], axis: number): number[] {
  const first = shapes[0];
  if (!first) throw mismatch('There is nothing to concatenate');
  const sizes = shapes.map((shape) => sizeOfAxis(shape, axis));
  if (shapes.some((shape) => `${shape.with(axis, 0)}` !== `${first.with(axis, 0)}`)) {
    throw mismatch(`${shapes.map((shape) => `[${shape}]`).join(' and ')} do not join along axis ${axis}`);
  }
  return first.with(
    axis,
    sizes.reduce((sum, size) => sum + size, 0),
  );
}

function sizeOfAxis(shape: Shape, axis: number): number {
  const size = shape[axis];
  if (size === undefined) throw mismatch(`[${shape}] has no axis ${axis}`);
  return size;
}

const mismatch = (what: string) => new VeloError('SHAPE_MISMATCH', `${what}.`);
