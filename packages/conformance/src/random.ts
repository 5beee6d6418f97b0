/** Reproducible numbers for the suite. */
import { createTheta, type Shape, sizeOf, type Theta, thetaShapes } from '@velojs/core';

/** The generator of the golden files: 32-bit outputs of mulberry32. */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    const a = Math.imul(state ^ (state >>> 15), state | 1);
    const b = a ^ (a + Math.imul(a ^ (a >>> 7), a | 61));
    return (b ^ (b >>> 14)) >>> 0;
  };
}

/** `size` float32 values, uniform in [-scale, scale). */
export function uniform(seed: number, size: number, scale = 1): Float32Array {
  const next = mulberry32(seed);
  return Float32Array.from({ length: size }, () => scale * (next() / 2 ** 31 - 1));
}

/** Float32 values for `shape`, uniform in [-scale, scale). */
export const randomValues = (seed: number, shape: Shape, scale = 1): Float32Array =>
  uniform(seed, sizeOf(shape), scale);

const SCALES: Readonly<Record<string, number>> = { initialHidden: 0.5, initialCell: 0.5, stepWeight: 4 };

/** Random weights whose controller listens to all its inputs and takes steps of a few percent of the parameters. */
export function randomTheta(seed: number, hiddenSize = 8, bankSize = 3): Theta {
  const leaves = Object.entries(thetaShapes(hiddenSize, bankSize)).map(([leaf, shape], index) => {
    const scale = SCALES[leaf] ?? 0.3;
    return [leaf, { shape, data: randomValues(seed * 1000 + index, shape, scale) }] as const;
  });
  return createTheta(Object.fromEntries(leaves));
}
