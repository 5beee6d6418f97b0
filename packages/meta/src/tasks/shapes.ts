/** Tensors to hold a vector that has no shape of its own. */
import type { Shape } from '@velojs/core';
import type { Random } from '../random.ts';

/**
 * Two to five shapes of ranks 0 to 3 with about `count` numbers in all, so that an optimizer whose inputs depend on
 * shapes meets many of them.
 */
export function splitShapes(count: number, random: Random): Shape[] {
  const shapes: Shape[] = random.chance(0.2) ? [[]] : [];
  const parts = 2 + random.integer(3);
  for (let part = 0; part < parts; part++) {
    const size = Math.max(2, (count / parts) * random.uniform(0.5, 1.5));
    const rank = 1 + random.integer(3);
    const axes = Array.from({ length: rank - 1 }, () =>
      Math.max(1, Math.round(size ** (1 / rank) * random.uniform(0.6, 1.6))),
    );
    shapes.push([...axes, Math.max(1, Math.round(size / axes.reduce((a, b) => a * b, 1)))]);
  }
  return shapes;
}
