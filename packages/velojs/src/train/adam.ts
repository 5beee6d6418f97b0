/** Adam (arXiv 1412.6980, algorithm 1) on Float32Arrays: the opponent. */
import type { HostParameters } from './model.ts';

export const ADAM_DEFAULT_RATE = 0.001;

export interface Adam {
  /** Copies of the initial ones, updated in place. */
  readonly parameters: HostParameters;
  step(gradients: Readonly<Record<string, Float32Array>>): void;
}

/**
 * Adam with its usual settings: decays 0.9 and 0.999, epsilon 1e-8, bias correction.
 *
 * @param rateAt learning rate of step t = 0, 1, ...
 */
export function createAdam(initial: HostParameters, rateAt: (step: number) => number): Adam {
  const [decay1, decay2, epsilon] = [0.9, 0.999, 1e-8];
  const parameters = Object.fromEntries(
    Object.entries(initial).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  const moments = Object.values(parameters).map(({ data }) => ({
    first: new Float32Array(data.length),
    second: new Float32Array(data.length),
  }));
  let step = 0;
  return {
    parameters,
    step(gradients: Readonly<Record<string, Float32Array>>): void {
      const rate = rateAt(step++);
      const correction1 = 1 - decay1 ** step;
      const correction2 = 1 - decay2 ** step;
      Object.entries(parameters).forEach(([name, { data }], j) => {
        const { first, second } = moments[j]!;
        const gradient = gradients[name]!;
        for (let i = 0; i < data.length; i++) {
          const g = gradient[i]!;
          const m = decay1 * first[i]! + (1 - decay1) * g;
          const v = decay2 * second[i]! + (1 - decay2) * g * g;
          first[i] = m;
          second[i] = v;
          data[i] = data[i]! - (rate * (m / correction1)) / (Math.sqrt(v / correction2) + epsilon);
        }
      });
    },
  };
}
