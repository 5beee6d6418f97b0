/** RMSProp (Hinton's lecture 6e), with the settings of Optax: decay 0.9, epsilon 1e-8 inside the root, no momentum. */
import type { Baseline } from './index.ts';

const [DECAY, EPSILON] = [0.9, 1e-8];

export function createRmsprop(sizes: readonly number[], rateAt: (step: number) => number): Baseline {
  const squares = sizes.map((size) => new Float32Array(size));
  let step = 0;
  return {
    step(parameters, gradients) {
      const rate = rateAt(step++);
      for (let j = 0; j < squares.length; j++) {
        const [square, parameter, gradient] = [squares[j]!, parameters[j]!, gradients[j]!];
        for (let i = 0; i < parameter.length; i++) {
          const g = gradient[i]!;
          const s = DECAY * square[i]! + (1 - DECAY) * g * g;
          square[i] = s;
          parameter[i] = parameter[i]! - (rate * g) / Math.sqrt(s + EPSILON);
        }
      }
    },
  };
}
