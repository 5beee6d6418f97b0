/** `tf.train.adam` of TensorFlow.js on its cpu and wasm backends. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Contender } from '../contender.ts';
import { RATE } from './plain-adam.ts';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

const wasmPackage = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');

/** @throws where TensorFlow.js cannot start that backend */
export async function tfjsAdam(backend: 'cpu' | 'wasm'): Promise<Contender> {
  tf.enableProdMode(); // Without advice on stderr.
  setWasmPaths(join(dirname(wasmPackage), 'dist/'));
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its ${backend} backend.`);
  // Once a backend has started, setBackend does all its work before it returns.
  const activate = () => void tf.setBackend(backend);
  return {
    name: `tfjs-${backend} Adam`,
    theta: null,
    threads: 1,
    start({ shapes, parameters, gradients }) {
      activate();
      // Tensors live on the backend that is active when they are made.
      const tensor = (values: Float32Array, j: number) => tf.tensor(values, [...shapes[j]!], 'float32');
      const variables = parameters.map((values, j) => tf.variable(tensor(values, j)));
      const sets = gradients.map((set) =>
        variables.map(({ name }, j) => ({ name, tensor: tensor(set[j]!, j) as tf.Tensor })),
      );
      const adam = tf.train.adam(RATE, 0.9, 0.999, 1e-8);
      let step = 0;
      return {
        prepare: activate,
        run() {
          adam.applyGradients(sets[step++ % sets.length]!);
        },
        parameters: () =>
          Promise.all(variables.map(async (variable) => (await variable.data()).slice() as Float32Array)),
        dispose() {
          activate();
          adam.dispose();
          for (const variable of variables) variable.dispose();
          for (const { tensor } of sets.flat()) tensor.dispose();
        },
      };
    },
  };
}
