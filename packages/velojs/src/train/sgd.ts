/** Stochastic gradient descent with momentum, on Float32Arrays: an opponent. */
import type { HostParameters } from './model.ts';

export interface Sgd {
  /** Copies of the initial ones, updated in place. */
  readonly parameters: HostParameters;
  step(gradients: Readonly<Record<string, Float32Array>>): void;
}

/** `v = momentum v + g`, then `p = p - rate v`. */
export function createSgd(initial: HostParameters, rate: number, momentum: number): Sgd {
  const parameters = Object.fromEntries(
    Object.entries(initial).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  const velocities = Object.values(parameters).map(({ data }) => new Float32Array(data.length));
  return {
    parameters,
    step(gradients) {
      Object.entries(parameters).forEach(([name, { data }], j) => {
        const velocity = velocities[j]!;
        const gradient = gradients[name]!;
        for (let i = 0; i < data.length; i++) {
          velocity[i] = momentum * velocity[i]! + gradient[i]!;
          data[i] = data[i]! - rate * velocity[i]!;
        }
      });
    },
  };
}
