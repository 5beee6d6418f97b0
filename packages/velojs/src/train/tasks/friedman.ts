/** Friedman's first regression problem (Annals of Statistics 19, 1991): five inputs that matter and five that do not. */
import type { Dataset } from '../data/dataset.ts';
import type { Random } from '../random.ts';

const INPUTS = 10;
/** Mean and deviation of the noisy target, so that the network sees about 0 and 1. */
const TARGET_MEAN = 14.4;
export const TARGET_DEVIATION = 5;

/** `count` points of the unit cube, centred, with `10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + noise`, standardised. */
export function friedman(count: number, random: Random): Dataset {
  const inputs = new Float32Array(count * INPUTS);
  const targets = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const x = Array.from({ length: INPUTS }, () => random.uniform(0, 1));
    const [x0, x1, x2, x3, x4] = x as [number, number, number, number, number];
    const y = 10 * Math.sin(Math.PI * x0 * x1) + 20 * (x2 - 0.5) ** 2 + 10 * x3 + 5 * x4 + random.normal();
    // A uniform number has a deviation of 1 / sqrt(12).
    for (let j = 0; j < INPUTS; j++) inputs[i * INPUTS + j] = (x[j]! - 0.5) * Math.sqrt(12);
    targets[i] = (y - TARGET_MEAN) / TARGET_DEVIATION;
  }
  return { count, inputSize: INPUTS, outputSize: 1, inputs, targets };
}
