/** VeLO on a backend. */
import {
  type Backend,
  createVelo,
  resolveKernels,
  type Shape,
  type Tensor,
  type Theta,
  type Tree,
  tensorsOf,
  uploadTheta,
} from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import type { Contender, ThetaName } from '../contender.ts';
import { controllerInputs } from '../workloads.ts';

export const THETAS: Readonly<Record<ThetaName, Theta>> = {
  starter: starterTheta(),
  released: starterTheta({ hiddenSize: 512, bankSize: 256 }),
};
export const TOTAL_STEPS = 140_000;

/** A backend as the benchmark needs it. */
export interface Device<T extends Tensor> {
  readonly name: string;
  readonly threads: number;
  readonly backend: Backend<T>;
  /** A tensor that lives in the backend's own memory, as those of a trainer that works in place. */
  place(values: Float32Array, shape: Shape): T;
}

/** VeLO with both sizes of theta. */
export function veloContenders<T extends Tensor>(device: Device<T>): Contender[] {
  const { name, threads, backend, place } = device;
  return (Object.keys(THETAS) as ThetaName[]).map((theta) => ({
    name: `VeLO ${name}`,
    theta,
    threads,

    start({ shapes, parameters, gradients }) {
      const placed = parameters.map((values, j) => place(values.slice(), shapes[j]!));
      const sets = gradients.map((set) => set.map((values, j) => place(values, shapes[j]!)));
      const velo = createVelo({ backend, theta: THETAS[theta], parameters: placed, totalSteps: TOTAL_STEPS });
      let step = 0;
      return {
        run() {
          velo.step(sets[step % sets.length]!, 1 / (1 + ++step));
        },
        finish: () => velo.synchronize(),
        parameters: () => backend.read(velo.parameters),
        dispose() {
          velo.dispose();
          for (const tensor of [...placed, ...sets.flat()]) backend.dispose(tensor);
        },
      };
    },

    controller(shapes) {
      const { controller } = resolveKernels(backend);
      const device = uploadTheta(backend, THETAS[theta]);
      const inputs = controllerInputs(shapes, THETAS[theta].hiddenSize, backend.tensor);
      return {
        run() {
          backend.scope(() => {
            controller(inputs, device);
          });
        },
        finish: () => backend.synchronize(),
        dispose() {
          for (const tensor of tensorsOf(backend, [device as unknown as Tree<T>, inputs as unknown as Tree<T>])) {
            backend.dispose(tensor);
          }
        },
      };
    },
  }));
}
