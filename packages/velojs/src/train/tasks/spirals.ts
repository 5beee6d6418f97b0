/** Two spirals wound into each other: no straight line tells them apart. */
import { type Dataset, oneHot } from '../data/dataset.ts';
import type { Random } from '../random.ts';

const TURNS = 1.75;
const NOISE = 0.03;

/** `count` points of the plane within about -1..1 and the spiral that each lies on. */
export function spirals(count: number, random: Random): Dataset {
  const inputs = new Float32Array(2 * count);
  const arms = Uint8Array.from({ length: count }, (_, i) => i % 2);
  arms.forEach((arm, i) => {
    // The square root spreads the points evenly along the spiral.
    const radius = Math.sqrt(random.uniform(0.01, 1));
    const angle = 2 * Math.PI * (TURNS * radius + arm / 2);
    inputs[2 * i] = radius * Math.cos(angle) + NOISE * random.normal();
    inputs[2 * i + 1] = radius * Math.sin(angle) + NOISE * random.normal();
  });
  return { count, inputSize: 2, outputSize: 2, inputs, targets: oneHot(arms, 2) };
}
