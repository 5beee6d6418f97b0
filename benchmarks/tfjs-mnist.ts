/**
 * Two models of TensorFlow.js's own MNIST tutorials, trained by `fit` with VeLO, with Adam at seven rates, and with what
 * the tutorial has; only the optimizer differs.
 *
 *   npx tsx --conditions=@velojs/source benchmarks/tfjs-mnist.ts --images FILE --labels FILE [--model dense]
 *     [--seeds 3] [--epochs 10] [--out results.json]
 *
 * As in the tutorials 5,500 images are for training, in batches of 512; the last 1,000 of the files are for the test. It
 * runs on the wasm backend, with the gradient of filters that this lacks (examples/tfjs-wasm-convolutions.ts).
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers';
import { VeloOptimizer } from '@velojs/backend-tfjs';
import { stepsFor } from '@velojs/core';
import '../examples/tfjs-wasm-convolutions.ts';
import { type Dataset, sliceExamples } from '../packages/velojs/src/train/data/dataset.ts';
import { idxDataset } from '../packages/velojs/src/train/data/idx.ts';
import { createRandom } from '../packages/velojs/src/train/random.ts';
import { readFile } from '../packages/velojs/src/train/tasks/read-file.ts';

const [TRAIN, TEST, BATCH_SIZE] = [5500, 1000, 512];
const RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const kernelInitializer = 'varianceScaling';

/** As the tutorials have them; https://js.tensorflow.org/tutorials and tensorflow/tfjs-examples, folder mnist. */
const MODELS: Readonly<Record<string, () => Sequential>> = {
  dense: () =>
    sequential({
      layers: [
        layers.flatten({ inputShape: [28, 28, 1] }),
        layers.dense({ units: 42, activation: 'relu' }),
        layers.dense({ units: 10, activation: 'softmax' }),
      ],
    }),
  convolutional: () =>
    sequential({
      layers: [
        layers.conv2d({
          inputShape: [28, 28, 1],
          kernelSize: 5,
          filters: 8,
          strides: 1,
          activation: 'relu',
          kernelInitializer,
        }),
        layers.maxPooling2d({ poolSize: [2, 2], strides: [2, 2] }),
        layers.conv2d({ kernelSize: 5, filters: 16, strides: 1, activation: 'relu', kernelInitializer }),
        layers.maxPooling2d({ poolSize: [2, 2], strides: [2, 2] }),
        layers.flatten(),
        layers.dense({ units: 10, kernelInitializer, activation: 'softmax' }),
      ],
    }),
};

interface Result {
  readonly model: string;
  readonly seed: number;
  readonly optimizer: string;
  readonly trainLoss: number;
  readonly testAccuracy: number;
  readonly seconds: number;
}

const { values: options } = parseArgs({
  options: {
    images: { type: 'string' },
    labels: { type: 'string' },
    model: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '10' },
    out: { type: 'string', default: 'tfjs-mnist-results.json' },
  },
});
if (!options.images || !options.labels) {
  console.error('Name your MNIST files: --images FILE --labels FILE.');
  process.exit(2);
}
const names = options.model === undefined ? Object.keys(MODELS) : [options.model];
if (!names.every((name) => Object.hasOwn(MODELS, name))) {
  console.error(`--model takes one of ${Object.keys(MODELS).join(', ')}, not ${options.model}.`);
  process.exit(2);
}

const whole = idxDataset(readFile(options.images), readFile(options.labels));
const epochs = Number(options.epochs);
const totalSteps = stepsFor({ examples: TRAIN, batchSize: BATCH_SIZE, epochs });

tf.enableProdMode(); // Without advice on stderr.
await tf.setBackend('wasm');
const tensors = ({ inputs, targets, count }: Dataset) => ({
  images: tf.tensor4d(inputs, [count, 28, 28, 1]),
  labels: tf.tensor2d(targets, [count, 10]),
});
const train = tensors(sliceExamples(whole, 0, TRAIN));
const test = tensors(sliceExamples(whole, whole.count - TEST, whole.count));

const OPTIMIZERS: readonly (readonly [string, () => tf.Optimizer])[] = [
  ['VeLO', () => new VeloOptimizer({ totalSteps })],
  ...RATES.map((rate) => [`Adam ${rate}`, () => tf.train.adam(rate)] as const),
  ['RMSProp 0.001', () => tf.train.rmsprop(0.001)],
];
/** What the tutorial has: `tf.train.adam()` for the convolutional model, `'rmsprop'` for the dense one. */
const TUTORIAL: Readonly<Record<string, string>> = { dense: 'RMSProp 0.001', convolutional: 'Adam 0.001' };

async function run(name: string, seed: number, [label, create]: (typeof OPTIMIZERS)[number]): Promise<Result> {
  // TensorFlow.js draws initial weights and shuffles with it: every optimizer gets the same.
  const random = createRandom(seed, 'batches');
  Math.random = () => random.uniform(0, 1);
  const model = MODELS[name]!();
  const optimizer = create();
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const start = performance.now();
  await model.fit(train.images, train.labels, { batchSize: BATCH_SIZE, epochs, shuffle: true, verbose: 0 });
  const seconds = (performance.now() - start) / 1000;
  const [trainLoss, testAccuracy] = [
    model.evaluate(train.images, train.labels),
    model.evaluate(test.images, test.labels),
  ].map((scalars, i) => (scalars as tf.Scalar[])[i]!.dataSync()[0]!) as [number, number];
  model.dispose();
  optimizer.dispose();
  return { model: name, seed, optimizer: label, trainLoss, testAccuracy, seconds };
}

const results: Result[] = [];
for (const name of names) {
  for (let seed = 0; seed < Number(options.seeds); seed++) {
    for (const optimizer of OPTIMIZERS) {
      const result = await run(name, seed, optimizer);
      results.push(result);
      const { trainLoss, testAccuracy, seconds } = result;
      console.error(
        `${name}, seed ${seed}, ${result.optimizer}: loss ${trainLoss.toPrecision(3)}, test ${testAccuracy.toFixed(3)}, ${seconds.toFixed(1)} s`,
      );
      writeFileSync(options.out, JSON.stringify(results, null, 1));
    }
  }
}

/** Losses that are not finite are the worst. */
const lossOf = ({ trainLoss }: Result) => (Number.isFinite(trainLoss) ? trainLoss : Infinity);
console.log(`${totalSteps} steps of ${BATCH_SIZE} images, loss over all ${TRAIN} of them`);
console.table(
  names.flatMap((name) =>
    Array.from({ length: Number(options.seeds) }, (_, seed) => {
      const runs = results.filter((result) => result.model === name && result.seed === seed);
      const named = (label: string) => runs.find(({ optimizer }) => optimizer === label)!;
      const best = runs
        .filter(({ optimizer }) => optimizer.startsWith('Adam'))
        .reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a));
      return [
        ['VeLO', named('VeLO')] as const,
        [`the tutorial's: ${TUTORIAL[name]}`, named(TUTORIAL[name]!)] as const,
        ...(TUTORIAL[name] === 'Adam 0.001' ? [] : [['default: Adam 0.001', named('Adam 0.001')] as const]),
        [`best of ${RATES.length}: ${best.optimizer}`, best] as const,
      ].map(([label, result]) => ({
        model: name,
        seed,
        optimizer: label,
        'training loss': result.trainLoss.toPrecision(3),
        'test accuracy': `${(100 * result.testAccuracy).toFixed(1)} %`,
        seconds: result.seconds.toFixed(1),
      }));
    }).flat(),
  ),
);
