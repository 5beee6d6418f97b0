/** Small inputs for core's own tests. */
import { createTheta, type Theta, thetaShapes } from './theta.ts';

/** Numbers in [-1, 1) that look random and are the same every time. */
export function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export const randomArray = (length: number, seed: number, scale = 1): Float32Array => {
  const next = pseudoRandom(seed);
  return Float32Array.from({ length }, () => scale * next());
};

/** A theta of random weights: no good optimizer, but one in which every weight matters. */
export function randomTheta(hiddenSize = 6, bankSize = 3): Theta {
  const shapes = Object.entries(thetaShapes(hiddenSize, bankSize));
  return createTheta(
    Object.fromEntries(
      shapes.map(([name, shape], i) => [
        name,
        {
          shape,
          data: randomArray(
            shape.reduce((a, b) => a * b, 1),
            17 + i,
            name.startsWith('bank') ? 1 : 0.3,
          ),
        },
      ]),
    ),
  );
}
