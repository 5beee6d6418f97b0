/** Stochastic gradient descent with momentum (the heavy ball). */
import type { Baseline } from './index.ts';

/** velocity = momentum * velocity + gradient; parameter -= rate * velocity. */
export function createSgd(sizes: readonly number[], rateAt: (step: number) => number, momentum: number): Baseline {
  const velocities = sizes.map((size) => new Float32Array(size));
  let step = 0;
  return {
    step(parameters, gradients) {
      const rate = rateAt(step++);
      for (let j = 0; j < velocities.length; j++) {
        const [velocity, parameter, gradient] = [velocities[j]!, parameters[j]!, gradients[j]!];
        for (let i = 0; i < parameter.length; i++) {
          const v = momentum * velocity[i]! + gradient[i]!;
          velocity[i] = v;
          parameter[i] = parameter[i]! - rate * v;
        }
      }
    },
  };
}
