/** Broadcasting: walks tensors of one shape, each with its own steps through memory. */
import type { Shape } from '../backend.ts';
import { sizeOf } from '../geometry.ts';

/** How far the values of `shape` advance per step along each axis of `target`, to which it broadcasts: 0 to repeat. */
export function stridesIn(target: Shape, shape: Shape): number[] {
  const missing = target.length - shape.length;
  return target.map((_, axis) => {
    const own = axis - missing;
    return own < 0 || shape[own] === 1 ? 0 : sizeOf(shape.slice(own + 1));
  });
}

/**
 * Calls `run` for every row along the last axis, in row-major order: where tensors `a` and `b` stand at its start, how
 * far they advance per entry, and how many entries it has. Axes that memory does not part are joined first.
 */
export function forEachRow(
  shape: Shape,
  aStrides: readonly number[],
  bStrides: readonly number[],
  run: (a: number, aStride: number, b: number, bStride: number, length: number) => void,
): void {
  const axes: { size: number; a: number; b: number }[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const [a, b] = [aStrides[axis]!, bStrides[axis]!];
    const outer = axes.at(-1);
    if (outer && outer.a === a * size && outer.b === b * size)
      axes[axes.length - 1] = { size: outer.size * size, a, b };
    else axes.push({ size, a, b });
  }
  const last = axes.pop() ?? { size: 1, a: 0, b: 0 };
  const index = axes.map(() => 0);
  let [a, b] = [0, 0];
  for (;;) {
    run(a, last.a, b, last.b, last.size);
    let axis = axes.length - 1;
    for (; axis >= 0; axis--) {
      const step = axes[axis]!;
      a += step.a;
      b += step.b;
      if (++index[axis]! < step.size) break;
      a -= step.a * step.size;
      b -= step.b * step.size;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}
