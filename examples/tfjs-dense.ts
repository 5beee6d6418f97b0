/**
 * A dense network in TensorFlow.js, trained by `fit` with VeLO. The optimizer is the only line that other optimizers have
 * otherwise.
 *
 *     npm run example examples/tfjs-dense.ts [IMAGES LABELS]
 *
 * IMAGES and LABELS are IDX files, the format of MNIST, plain or gzipped. Without them the digits are drawn.
 */
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { VeloOptimizer } from '@velojs/backend-tfjs';
import { stepsFor } from 'velojs';
import { readDigits } from './digits.ts';

await tf.setBackend('wasm');
const { train, test, side } = readDigits(process.argv.slice(2));
const images = ({ inputs, count }: typeof train) => tf.tensor2d(inputs, [count, side * side]);
const labels = ({ targets, count }: typeof train) => tf.tensor2d(targets, [count, 10]);

const model = sequential();
model.add(layers.dense({ inputShape: [side * side], units: 64, activation: 'relu' }));
model.add(layers.dense({ units: 10, activation: 'softmax' }));

const [batchSize, epochs] = [64, 10];
const totalSteps = stepsFor({ examples: train.count, batchSize, epochs });
model.compile({
  optimizer: new VeloOptimizer({ totalSteps }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
await model.fit(images(train), labels(train), {
  batchSize,
  epochs,
  verbose: 0,
  callbacks: {
    onEpochEnd: (epoch, logs) => console.log('epoch', epoch + 1, 'loss', logs!.loss!.toFixed(4)),
  },
});

const [, accuracy] = model.evaluate(images(test), labels(test)) as tf.Scalar[];
console.log('test accuracy', `${(100 * accuracy!.dataSync()[0]!).toFixed(1)} %`);
