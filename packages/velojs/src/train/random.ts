/** Seeded random numbers: the same seed gives the same data, weights and batches everywhere. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';

export interface Random {
  /** Uniform in `[low, high)`. */
  uniform(low: number, high: number): number;
  /** Normal with mean 0 and standard deviation 1. */
  normal(): number;
  /** Every whole number below `count` once, in random order. */
  permutation(count: number): Uint32Array;
}

const STREAMS = ['data', 'split', 'weights', 'batches'] as const;

/**
 * A generator for one purpose. Each purpose has a stream of its own, so that drawing more of one changes no other.
 *
 * @example
 * ```ts
 * createRandom(0, 'weights').normal();
 * ```
 */
export function createRandom(seed: number, stream: (typeof STREAMS)[number]): Random {
  const generator = mersenne(Math.imul(seed, STREAMS.length) + STREAMS.indexOf(stream));
  const uniform = (low: number, high: number) => low + (high - low) * uniformFloat64(generator);
  return {
    uniform,
    // Box-Muller
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform(0, 1))) * Math.cos(2 * Math.PI * uniform(0, 1)),
    permutation(count) {
      const order = Uint32Array.from({ length: count }, (_, i) => i);
      for (let i = count - 1; i > 0; i--) {
        const j = uniformInt(generator, 0, i);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
  };
}
