/** How the networks of dense families vary. */
import type { Activation } from '../dense/network.ts';
import type { Random } from '../random.ts';

/** What `denseTask` wants to know besides data and loss. */
export interface Architecture {
  readonly hidden: readonly number[];
  readonly activation: Activation;
  readonly batchSize: number;
  readonly initialScale: number;
  readonly zeroOutput: boolean;
}

/** One more often than another: `[item, weight]`. */
function weighted<Item>(random: Random, items: readonly (readonly [Item, number])[]): Item {
  let left = random.uniform(
    0,
    items.reduce((sum, [, weight]) => sum + weight, 0),
  );
  for (const [item, weight] of items) {
    left -= weight;
    if (left < 0) return item;
  }
  return items.at(-1)![0];
}

/** Widths in fours, as the kernel computes them. */
export const drawWidth = (random: Random): number => (random.chance(0.05) ? 48 : 4 * (2 + random.integer(7)));

/** Depth 0 to 4, width 8 to 32 (rarely 48), a third of the deep ones with layers of different widths. */
export function drawArchitecture(random: Random): Architecture {
  const depth = weighted(random, [
    [0, 0.08],
    [1, 0.34],
    [2, 0.36],
    [3, 0.18],
    [4, 0.04],
  ]);
  const width = drawWidth(random);
  const mixed = random.chance(0.33);
  return {
    hidden: Array.from({ length: depth }, () => (mixed ? drawWidth(random) : width)),
    ...drawTraining(random),
  };
}

/** All but the layers. */
export function drawTraining(random: Random): Omit<Architecture, 'hidden'> {
  return {
    activation: random.choice(['relu', 'tanh', 'silu']),
    batchSize: weighted(random, [
      [8, 0.2],
      [16, 0.3],
      [32, 0.35],
      [64, 0.15],
    ]),
    initialScale: random.logUniform(0.6, 1.6),
    zeroOutput: random.chance(0.1),
  };
}

/** Wrong labels in a quarter of the tasks. */
export const drawLabelNoise = (random: Random): number => (random.chance(0.25) ? random.uniform(0.02, 0.15) : 0);
