/** The tasks that optimizers are reported on: nothing may be trained on them, and nothing chosen by them. */
import { denseTask } from '../dense/task.ts';
import { keyOf } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { glyphAutoencoders, glyphImages, manifoldAutoencoders } from '../tasks/autoencoder.ts';
import { blobClassifiers, glyphClassifiers, teacherClassifiers } from '../tasks/classification.ts';
import { convolutionTask } from '../tasks/convolution.ts';
import { linearSigns, linearValues, sines } from '../tasks/functions.ts';
import { glyphs } from '../tasks/glyphs.ts';
import { matrixFactorisationTask } from '../tasks/matrix-factorisation.ts';
import { blobs, spirals } from '../tasks/point-clouds.ts';
import { quadraticTask } from '../tasks/quadratic.ts';
import { recurrentTask } from '../tasks/recurrent.ts';
import { curveRegressions, linearRegressions, logisticRegressions } from '../tasks/regression.ts';
import { sequences } from '../tasks/sequences.ts';
import { teacherClasses, teacherValues } from '../tasks/teacher.ts';
import { testFunctionTask } from '../tasks/test-functions.ts';
import { textures } from '../tasks/textures.ts';
import { keyNamed, sampledTask } from './sampled-task.ts';
import type { Suite, SuiteTask } from './suite.ts';

/** Of this suite alone. */
const ROOT = keyOf(2 ** 52 + 6101);

/** How many of each family are like those that optimizers are usually meta-trained on. */
const FAMILIAR: readonly (readonly [family: TaskFamily, count: number])[] = [
  [blobClassifiers, 5],
  [teacherClassifiers, 7],
  [glyphClassifiers, 6],
  [curveRegressions, 7],
  [glyphAutoencoders, 3],
  [manifoldAutoencoders, 3],
  [linearRegressions, 4],
  [logisticRegressions, 5],
];

const key = (name: string) => keyNamed(ROOT, name);
const repeat = (width: number, depth: number) => Array.from({ length: depth }, () => width);

/** Other kinds, larger, deeper or longer than what families draw. */
const BEYOND: Readonly<Record<string, { readonly steps: number; readonly create: () => Task }>> = {
  'spirals-plane': {
    steps: 2000,
    create: () =>
      denseTask({
        ...spirals({ arms: 2, turns: 1.75, noise: 0.02, trainingCount: 1000 }, key('spirals-plane')),
        name: 'spirals in the plane 2-32-32-2 tanh, batch 32',
        hidden: [32, 32],
        outputs: 2,
        activation: 'tanh',
        loss: 'softmax',
        batchSize: 32,
      }),
  },
  'spirals-five-arms': {
    steps: 1000,
    create: () =>
      denseTask({
        ...spirals({ arms: 5, turns: 1, noise: 0.03 }, key('spirals-five-arms')),
        name: 'spirals of five arms 2-48-48-5 relu, batch 32',
        hidden: [48, 48],
        outputs: 5,
        activation: 'relu',
        loss: 'softmax',
        batchSize: 32,
      }),
  },
  'spirals-8d': {
    steps: 1500,
    create: () =>
      denseTask({
        ...spirals({ arms: 2, turns: 1, noise: 0.02, dimensions: 8, otherNoise: 0.3 }, key('spirals-8d')),
        name: 'spirals in 8 dimensions 8-32-32-2 silu, batch 32',
        hidden: [32, 32],
        outputs: 2,
        activation: 'silu',
        loss: 'softmax',
        batchSize: 32,
      }),
  },
  'deep-tanh': {
    steps: 1000,
    create: () =>
      denseTask({
        ...blobs({ dimensions: 16, classes: 8, blobsPerClass: 3, spread: 0.6 }, key('deep-tanh')),
        name: 'blobs 16-(24x6)-8 tanh, batch 32',
        hidden: repeat(24, 6),
        outputs: 8,
        activation: 'tanh',
        loss: 'softmax',
        batchSize: 32,
      }),
  },
  'deep-relu': {
    steps: 1000,
    create: () =>
      denseTask({
        ...teacherClasses({ dimensions: 16, outputs: 6, roughness: 2 }, key('deep-relu')),
        name: 'teacher 16-(24x8)-6 relu, batch 32',
        hidden: repeat(24, 8),
        outputs: 6,
        activation: 'relu',
        loss: 'softmax',
        batchSize: 32,
      }),
  },
  'wide-glyphs': {
    steps: 1000,
    create: () =>
      denseTask({
        ...glyphs({ classes: 16, variation: 1.2 }, key('wide-glyphs')),
        name: 'glyphs 64-128-16 relu, batch 64',
        hidden: [128],
        outputs: 16,
        activation: 'relu',
        loss: 'softmax',
        batchSize: 64,
      }),
  },
  'large-autoencoder': {
    steps: 1000,
    create: () =>
      denseTask({
        ...glyphImages({ variation: 1 }, key('large-autoencoder')),
        name: 'autoencode glyphs 64-64-64-64-64 silu, batch 32',
        hidden: repeat(64, 3),
        outputs: 64,
        activation: 'silu',
        loss: 'squared',
        batchSize: 32,
      }),
  },
  'wide-teacher': {
    steps: 1000,
    create: () =>
      denseTask({
        ...teacherClasses({ dimensions: 32, outputs: 10, width: 32, roughness: 2 }, key('wide-teacher')),
        name: 'teacher 32-96-96-10 tanh, batch 32',
        hidden: [96, 96],
        outputs: 10,
        activation: 'tanh',
        loss: 'softmax',
        batchSize: 32,
      }),
  },
  'long-regression': {
    steps: 4000,
    create: () =>
      denseTask({
        ...teacherValues({ dimensions: 8, outputs: 2, roughness: 2, noise: 0.1 }, key('long-regression')),
        name: 'regression teacher 8-32-32-2 silu, batch 32',
        hidden: [32, 32],
        outputs: 2,
        activation: 'silu',
        loss: 'squared',
        batchSize: 32,
      }),
  },
  'fast-sines': {
    steps: 3000,
    create: () =>
      denseTask({
        ...sines({ dimensions: 2, waves: 8, frequency: 8, noise: 0.05 }, key('fast-sines')),
        name: 'regression sines 2-48-48-1 tanh, batch 16',
        hidden: [48, 48],
        outputs: 1,
        activation: 'tanh',
        loss: 'squared',
        batchSize: 16,
      }),
  },
  'linear-40': {
    steps: 1000,
    create: () =>
      denseTask({
        ...linearValues({ dimensions: 40, outputs: 4, conditionNumber: 3000, noise: 0.1 }, key('linear-40')),
        name: 'linear regression 40-4, condition 3000, batch 16',
        hidden: [],
        outputs: 4,
        activation: 'relu',
        loss: 'squared',
        batchSize: 16,
      }),
  },
  'logistic-48': {
    steps: 1000,
    create: () =>
      denseTask({
        ...linearSigns({ dimensions: 48, conditionNumber: 100, noise: 0.3 }, key('logistic-48')),
        name: 'logistic regression 48-1, condition 100, batch 16',
        hidden: [],
        outputs: 1,
        activation: 'relu',
        loss: 'logistic',
        batchSize: 16,
      }),
  },
  'convolution-one': {
    steps: 500,
    create: () =>
      convolutionTask({
        ...textures(
          { height: 8, width: 8, channels: 1, classes: 12, noise: 0.5, trainingCount: 256 },
          key('convolution-one'),
        ),
        imageShape: [8, 8, 1],
        classes: 12,
        layers: [{ channels: 12, stride: 2, kernelSize: 5 }],
        activation: 'relu',
        head: 'flatten',
        batchSize: 8,
      }),
  },
  'convolution-three': {
    steps: 500,
    create: () =>
      convolutionTask({
        ...textures(
          { height: 10, width: 10, channels: 1, classes: 10, noise: 0.4, trainingCount: 256 },
          key('convolution-three'),
        ),
        imageShape: [10, 10, 1],
        classes: 10,
        layers: [
          { channels: 6, stride: 2 },
          { channels: 12, stride: 2 },
          { channels: 12, stride: 1 },
        ],
        activation: 'relu',
        head: 'average',
        batchSize: 8,
      }),
  },
  'recurrent-copy': {
    steps: 500,
    create: () =>
      recurrentTask({
        sequences: sequences({ kind: 'copy', symbols: 4, length: 8, count: 512, key: key('recurrent-copy') }),
        trainingCount: 256,
        cell: 'gru',
        hiddenSize: 16,
        batchSize: 8,
      }),
  },
  'recurrent-majority': {
    steps: 500,
    create: () =>
      recurrentTask({
        sequences: sequences({ kind: 'majority', symbols: 3, length: 16, count: 512, key: key('recurrent-majority') }),
        trainingCount: 256,
        cell: 'tanh',
        hiddenSize: 24,
        batchSize: 8,
      }),
  },
  'recurrent-next': {
    steps: 500,
    create: () =>
      recurrentTask({
        sequences: sequences({ kind: 'next', symbols: 12, length: 14, count: 512, key: key('recurrent-next') }),
        trainingCount: 256,
        cell: 'tanh',
        hiddenSize: 28,
        batchSize: 8,
      }),
  },
  rosenbrock: {
    steps: 2000,
    create: () =>
      testFunctionTask({
        name: 'Rosenbrock, 64 numbers',
        function: 'rosenbrock',
        shapes: [[6, 8], [16]],
        sharpness: 100,
        key: key('rosenbrock'),
      }),
  },
  'log-sum-exp': {
    steps: 500,
    create: () =>
      testFunctionTask({
        name: 'log-sum-exp, 100 numbers',
        function: 'log-sum-exp',
        shapes: [[10, 8], [20]],
        sharpness: 5,
        key: key('log-sum-exp'),
      }),
  },
  'noisy-bowl': {
    steps: 2000,
    create: () =>
      quadraticTask({
        name: 'noisy bowl, 128 numbers, condition 10000',
        shapes: [[8, 12], [32]],
        conditionNumber: 10_000,
        noise: 0.3,
        key: key('noisy-bowl'),
      }),
  },
  'matrix-factorisation': {
    steps: 2000,
    create: () =>
      matrixFactorisationTask({
        name: 'matrix factorisation 80 x 60, rank 4 by 8',
        rows: 80,
        columns: 60,
        rank: 4,
        learnedRank: 8,
        noise: 0.2,
        seen: 0.4,
        batchSize: 32,
        initialDeviation: 0.1,
        key: key('matrix-factorisation'),
      }),
  },
};

const STEPS = [500, 1500] as const;

/**
 * 61 tasks: 40 of the families of dense networks and linear models, for 500 or 1,500 steps, and 21 that are of other kinds, or larger, deeper or
 * longer than those.
 */
export function heldOutSuite(): Suite {
  const familiar = FAMILIAR.flatMap(([family, count]) =>
    Array.from({ length: count }, (_, index) => ({ family, index })),
  );
  return {
    name: 'held-out',
    version: 1,
    compared: true,
    extent: 4,
    tasks: [
      ...familiar.map(({ family, index }, i) =>
        sampledTask(family, index, { root: ROOT, group: 'familiar', steps: STEPS[i % 2]! }),
      ),
      ...Object.entries(BEYOND).map(
        ([name, { steps, create }]): SuiteTask => ({ name, group: 'beyond', steps, create }),
      ),
    ],
  };
}
