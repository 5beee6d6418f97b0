/** Friedman's first regression problem (Annals of Statistics 19, 1991): five inputs that matter and five that do not. */
import type { Dataset } from '../data/dataset.ts';
import type { Random } from '../random.ts';

const INPUTS = 10;
/** Mean and deviation of the noisy target, so that the network sees about 0 and 1. */
export const TARGET_MEAN = 14.4;
export const TARGET_DEVIATION = 5;

/** The function without its noise; `x` in the unit cube. */
export function friedmanMean(x: ArrayLike<number>): number {
  return 10 * Math.sin(Math.PI * x[0]! * x[1]!) + 20 * (x[2]! - 0.5) ** 2 + 10 * x[3]! + 5 * x[4]!;
}

/** A coordinate of the unit cube as the network sees it: mean 0, deviation 1 (a uniform number's is 1 / sqrt(12)). */
export const friedmanInput = (x: number): number => (x - 0.5) * Math.sqrt(12);

/** `count` points of the unit cube, centred, with `10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + noise`, standardised. */
export function friedman(count: number, random: Random): Dataset {
  const inputs = new Float32Array(count * INPUTS);
  const targets = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const x = Array.from({ length: INPUTS }, () => random.uniform(0, 1));
    const y = friedmanMean(x) + random.normal();
    for (let j = 0; j < INPUTS; j++) inputs[i * INPUTS + j] = friedmanInput(x[j]!);
    targets[i] = (y - TARGET_MEAN) / TARGET_DEVIATION;
  }
  return { count, inputSize: INPUTS, outputSize: 1, inputs, targets };
}
