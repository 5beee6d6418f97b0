/** Optimizers of TensorFlow.js on its cpu and wasm backends: `tf.train.adam`, and VeLO in its place. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { VeloOptimizer } from '@velojs/backend-tfjs';
import type { Contender } from '../contender.ts';
import { RATE } from './plain-adam.ts';
import { THETAS, TOTAL_STEPS } from './velo.ts';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

const wasmPackage = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');

type NamedTensors = { name: string; tensor: tf.Tensor }[];

/**
 * Both optimizers, on the same kind of tensors.
 *
 * @throws where TensorFlow.js cannot start that backend
 */
export async function tfjsContenders(backend: 'cpu' | 'wasm'): Promise<Contender[]> {
  tf.enableProdMode(); // Without advice on stderr.
  setWasmPaths(join(dirname(wasmPackage), 'dist/'));
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its ${backend} backend.`);
  // Once a backend has started, setBackend does all its work before it returns.
  const activate = () => void tf.setBackend(backend);

  const contender = <Optimizer extends tf.Optimizer>(
    { name, theta }: Pick<Contender, 'name' | 'theta'>,
    create: () => Optimizer,
    apply: (optimizer: Optimizer, gradients: NamedTensors, step: number) => void,
  ): Contender => ({
    name,
    theta,
    threads: 1,
    start({ shapes, parameters, gradients }) {
      activate();
      // Tensors live on the backend that is active when they are made. tfjs's cpu backend keeps the arrays themselves.
      const tensor = (values: Float32Array, j: number) => tf.tensor(values.slice(), [...shapes[j]!], 'float32');
      const variables = parameters.map((values, j) => {
        const initial = tensor(values, j);
        const variable = tf.variable(initial);
        initial.dispose();
        return variable;
      });
      const sets = gradients.map((set) =>
        variables.map(({ name }, j) => ({ name, tensor: tensor(set[j]!, j) as tf.Tensor })),
      );
      const optimizer = create();
      let step = 0;
      return {
        prepare: activate,
        run() {
          apply(optimizer, sets[step % sets.length]!, step);
          step++;
        },
        parameters: () =>
          Promise.all(variables.map(async (variable) => (await variable.data()).slice() as Float32Array)),
        dispose() {
          activate();
          optimizer.dispose();
          for (const variable of variables) variable.dispose();
          for (const { tensor } of sets.flat()) tensor.dispose();
        },
      };
    },
  });

  return [
    contender(
      { name: `tfjs-${backend} Adam`, theta: null },
      () => tf.train.adam(RATE, 0.9, 0.999, 1e-8),
      (adam, gradients) => adam.applyGradients(gradients),
    ),
    contender(
      { name: `VeLO tfjs-${backend}`, theta: 'starter' },
      () => new VeloOptimizer({ totalSteps: TOTAL_STEPS, theta: THETAS.starter }),
      (velo, gradients, step) => velo.applyGradientsWithLoss(gradients, 1 / (1 + (step + 1))),
    ),
  ];
}
