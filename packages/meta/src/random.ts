/**
 * Counter-based random numbers: a number is a function of its key and its place, so that whoever knows the seed can make
 * any part of what is drawn, in any order, on any machine. Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel
 * random numbers: as easy as 1, 2, 3"), as JAX uses it.
 */

/** Two words of 32 bits: what everything below it is drawn from. */
export type Key = readonly [number, number];

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/** One block: two random words for a counter of two words. Writes them to `out` at `at`. */
export function threefry(key: Key, high: number, low: number, out: Uint32Array, at = 0): void {
  const k0 = key[0] | 0;
  const k1 = key[1] | 0;
  const k2 = k0 ^ k1 ^ PARITY;
  let x0 = (high + k0) | 0;
  let x1 = (low + k1) | 0;
  for (let group = 0; group < 5; group++) {
    for (let round = 0; round < 4; round++) {
      const rotation = ROTATIONS[4 * (group & 1) + round]!;
      x0 = (x0 + x1) | 0;
      x1 = (x1 << rotation) | (x1 >>> (32 - rotation));
      x1 ^= x0;
    }
    // After group g the key is injected again: words g + 1 and g + 2 of (k0, k1, k2), and g + 1.
    const first = (group + 1) % 3;
    x0 = (x0 + (first === 0 ? k0 : first === 1 ? k1 : k2)) | 0;
    x1 = (x1 + (first === 0 ? k1 : first === 1 ? k2 : k0) + group + 1) | 0;
  }
  out[at] = x0;
  out[at + 1] = x1;
}

/** The key of a seed: a whole number from 0 to 2^53 - 1. */
export const keyOf = (seed: number): Key => [Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0];

const block = new Uint32Array(2);

/**
 * The key of something below `key`: `path` are whole numbers below 2^32, such as a purpose, a step and an index. Different
 * paths of one length give independent numbers.
 *
 * @example
 * ```ts
 * const perturbation = derive(keyOf(seed), PERTURBATION, step, pair);
 * ```
 */
export function derive(key: Key, ...path: readonly number[]): Key {
  let result = key;
  for (const part of path) {
    // The high word keeps keys apart from the numbers that are drawn from the same key.
    threefry(result, 0xffffffff, part, block);
    result = [block[0]!, block[1]!];
  }
  return result;
}

/** Numbers one after the other from a key. */
export class Random {
  readonly #key: Key;
  readonly #words = new Uint32Array(2);
  #count = 0;

  constructor(key: Key) {
    this.#key = key;
  }

  /** Uniform in `[low, high)`, with 53 random bits. */
  uniform(low = 0, high = 1): number {
    threefry(this.#key, 0, this.#count++, this.#words);
    const fraction = ((this.#words[0]! >>> 5) * 2 ** 26 + (this.#words[1]! >>> 6)) / 2 ** 53;
    return low + (high - low) * fraction;
  }

  /** The logarithm is uniform: as often between 1 and 10 as between 10 and 100. */
  logUniform(low: number, high: number): number {
    return low * (high / low) ** this.uniform();
  }

  /** A whole number from 0 to `count - 1`. */
  integer(count: number): number {
    return Math.floor(this.uniform(0, count));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  choice<Item>(items: readonly Item[]): Item {
    return items[this.integer(items.length)]!;
  }

  /** Mean 0, standard deviation 1 (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fills `target` with normal numbers times `deviation`. */
  normals<A extends Float32Array | Float64Array>(target: A, deviation = 1): A {
    for (let i = 0; i < target.length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      target[i] = radius * Math.cos(angle);
      if (i + 1 < target.length) target[i + 1] = radius * Math.sin(angle);
    }
    return target;
  }

  /** A key for something else, independent of the numbers drawn here. */
  key(): Key {
    return derive(this.#key, this.#count++);
  }
}
