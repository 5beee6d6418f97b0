/** Adam (arXiv 1412.6980, algorithm 1), and AdamW, which is Adam with decoupled weight decay (arXiv 1711.05101). */
import type { Baseline } from './index.ts';

const [DECAY_1, DECAY_2, EPSILON] = [0.9, 0.999, 1e-8];

/** @param weightDecay share of a parameter that a step at learning rate 1 takes away; 0 is Adam. */
export function createAdam(sizes: readonly number[], rateAt: (step: number) => number, weightDecay: number): Baseline {
  const moments = sizes.map((size) => ({ first: new Float32Array(size), second: new Float32Array(size) }));
  let step = 0;
  return {
    step(parameters, gradients) {
      const rate = rateAt(step++);
      const kept = 1 - rate * weightDecay;
      const correction1 = 1 - DECAY_1 ** step;
      const correction2 = 1 - DECAY_2 ** step;
      for (let j = 0; j < moments.length; j++) {
        const { first, second } = moments[j]!;
        const [parameter, gradient] = [parameters[j]!, gradients[j]!];
        for (let i = 0; i < parameter.length; i++) {
          const g = gradient[i]!;
          const m = DECAY_1 * first[i]! + (1 - DECAY_1) * g;
          const v = DECAY_2 * second[i]! + (1 - DECAY_2) * g * g;
          first[i] = m;
          second[i] = v;
          parameter[i] = parameter[i]! * kept - (rate * (m / correction1)) / (Math.sqrt(v / correction2) + EPSILON);
        }
      }
    },
  };
}
