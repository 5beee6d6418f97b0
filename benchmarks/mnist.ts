/**
 * VeLO beside Adam and Adam with cosine decay, each at the best of 15 learning rates, on MNIST.
 *
 *   npx tsx --conditions=@velojs/source benchmarks/mnist.ts --images FILE --labels FILE [--seeds 3] [--out results.json]
 *
 * A network 784-64-10 takes 1,000 steps of 64 images on (a) the first 512 images, where the training loss counts, and
 * (b) the first 8,000, with the last 2,000 for accuracy. --out keeps every run.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sliceExamples } from '../packages/velojs/src/train/data/dataset.ts';
import { idxDataset } from '../packages/velojs/src/train/data/idx.ts';
import { loadJax } from '../packages/velojs/src/train/jax.ts';
import { createModel } from '../packages/velojs/src/train/model.ts';
import { type OptimizerSpec, optimizerLabel } from '../packages/velojs/src/train/optimizers.ts';
import { readFile } from '../packages/velojs/src/train/tasks/read-file.ts';
import type { Task } from '../packages/velojs/src/train/tasks/task.ts';
import { train } from '../packages/velojs/src/train/train.ts';
import type { Run } from '../packages/velojs/src/train/training.ts';

const LAYERS = [784, 64, 10];
const STEPS = 1000;
const BATCH_SIZE = 64;
const RATES = Array.from({ length: 15 }, (_, i) => Number((10 ** (-6 + i / 2)).toPrecision(3)));

/** A run without its curve; losses that are not finite are null. */
interface Result {
  readonly task: string;
  readonly seed: number;
  readonly optimizer: OptimizerSpec;
  readonly trainLoss: number | null;
  readonly testAccuracy: number | null;
  readonly time: Run['time'];
}

const { values: options } = parseArgs({
  options: {
    images: { type: 'string' },
    labels: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    out: { type: 'string', default: 'mnist-results.json' },
  },
});
if (!options.images || !options.labels) {
  console.error('Name your MNIST files: --images FILE --labels FILE.');
  process.exit(2);
}

const whole = idxDataset(readFile(options.images), readFile(options.labels));
const test = sliceExamples(whole, whole.count - 2000, whole.count);
const task = (name: string, trainCount: number): Task => ({
  name,
  title: name,
  kind: 'classification',
  train: sliceExamples(whole, 0, trainCount),
  test,
  layers: LAYERS,
  batchSize: BATCH_SIZE,
  steps: STEPS,
  classes: null,
  targetScale: 1,
  targetMean: 0,
});
const tasks = [task('first 512', 512), task('first 8,000', 8000)];

const optimizers: OptimizerSpec[] = [
  { name: 'velo' },
  ...RATES.map((learningRate) => ({ name: 'adam' as const, learningRate })),
  ...RATES.map((learningRate) => ({ name: 'adam' as const, learningRate, decay: 'cosine' as const })),
];

const results: Result[] = [];
const model = createModel(await loadJax(), LAYERS, 'classification');
for (let seed = 0; seed < Number(options.seeds); seed++) {
  for (const task of tasks) {
    for (const optimizer of optimizers) {
      const { trainLoss, testAccuracy, time } = await train({ task, model, optimizer, seed });
      results.push({
        task: task.name,
        seed,
        optimizer,
        trainLoss: Number.isFinite(trainLoss) ? trainLoss : null,
        testAccuracy,
        time,
      });
      console.error(`${task.name}, seed ${seed}, ${optimizerLabel(optimizer)}: ${trainLoss.toPrecision(4)}`);
    }
  }
}
writeFileSync(options.out, JSON.stringify(results, null, 1));

const lossOf = ({ trainLoss }: Result) => trainLoss ?? Infinity;
/** The best rate of each kind, by final training loss, seed by seed. */
const rows = tasks.flatMap(({ name }) =>
  Array.from({ length: Number(options.seeds) }, (_, seed) => {
    const runs = results.filter((result) => result.task === name && result.seed === seed);
    const best = (accepts: (optimizer: OptimizerSpec) => boolean) =>
      runs.filter(({ optimizer }) => accepts(optimizer)).reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a));
    return [
      best((optimizer) => optimizer.name === 'velo'),
      best((optimizer) => optimizer.name === 'adam' && optimizer.learningRate === 0.001 && !optimizer.decay),
      best((optimizer) => optimizer.name === 'adam' && !optimizer.decay),
      best((optimizer) => optimizer.name === 'adam' && optimizer.decay === 'cosine'),
    ].map((result, i) => ({
      'trained on': name,
      seed,
      optimizer: `${['', 'default: ', 'best of 15: ', 'best of 15: '][i]}${optimizerLabel(result.optimizer)}`,
      'final training loss': lossOf(result).toPrecision(3),
      'test accuracy': result.testAccuracy === null ? '-' : `${(100 * result.testAccuracy).toFixed(1)} %`,
      'ms/step': result.time.step.toFixed(2),
      'of it optimizer': result.time.optimizer.toFixed(2),
    }));
  }).flat(),
);
console.table(rows);
