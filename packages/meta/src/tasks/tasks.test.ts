import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { sizeOf, VeloError } from '@velojs/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { createBaseline } from '../baselines/index.ts';
import { denseTask } from '../dense/task.ts';
import { derive, keyOf, Random } from '../random.ts';
import type { Task } from '../task.ts';
import { attentionTask } from './attention.ts';
import { augmented, reparametrised, scaledLoss } from './augmentation.ts';
import * as autoencoder from './autoencoder.ts';
import * as classification from './classification.ts';
import { convolutionTask } from './convolution.ts';
import { FAMILIES, familyNamed } from './index.ts';
import { languageTask } from './language.ts';
import { matrixFactorisationTask } from './matrix-factorisation.ts';
import { blobs } from './point-clouds.ts';
import { quadraticTask } from './quadratic.ts';
import { recurrentTask } from './recurrent.ts';
import * as regression from './regression.ts';
import { NO_TARGET, type SEQUENCE_KINDS, sequences } from './sequences.ts';
import { testFunctionTask } from './test-functions.ts';
import { markovText } from './text.ts';
import { textures } from './textures.ts';

const INITIAL = keyOf(7);
const BATCHES = keyOf(11);
const SEEDS = [1, 2, 3];
/** Of dense networks, whose kernel computes losses in float32: steps must be longer, so that their differences have digits. */
const SINGLE = new Set<unknown>([
  ...Object.values(classification),
  ...Object.values(autoencoder),
  ...Object.values(regression),
]);

type Arrays = Float32Array[];
const zeros = (task: Task): Arrays => task.shapes.map((shape) => new Float32Array(sizeOf(shape)));

/** A place where nothing is zero by construction, as biases and output layers are at first. */
function somewhere(task: Task): Arrays {
  const random = new Random(derive(INITIAL, 1));
  return task.initialParameters(INITIAL).map((values) => values.map((value) => value + 0.1 * random.normal()));
}

function gradientsAt(task: Task, parameters: Arrays, step: number): { loss: number; gradients: Arrays } {
  const gradients = zeros(task).map((values) => values.fill(Number.NaN));
  const loss = task.lossAndGradients(parameters, gradients, BATCHES, step);
  return { loss, gradients };
}

const length = (arrays: Arrays): number =>
  Math.sqrt(arrays.reduce((sum, values) => sum + values.reduce((part, value) => part + value ** 2, 0), 0));

/**
 * How far the loss's change between `parameters + step` and `parameters - step` is from what gradients say, over what
 * they would say of a step of this length in their own direction.
 */
function deviation(task: Task, parameters: Arrays, direction: Arrays, distance: number): number {
  const { gradients } = gradientsAt(task, parameters, 3);
  const scale = distance / length(direction);
  const moved = (sign: number) =>
    parameters.map((values, j) => values.map((v, i) => v + sign * scale * direction[j]![i]!));
  const [forward, backward] = [moved(1), moved(-1)];
  let promised = 0;
  forward.forEach((values, j) => {
    values.forEach((value, i) => {
      promised += gradients[j]![i]! * (value - backward[j]![i]!);
    });
  });
  const change = gradientsAt(task, forward, 3).loss - gradientsAt(task, backward, 3).loss;
  return Math.abs(change - promised) / (2 * distance * length(gradients));
}

describe.each(Object.values(FAMILIES))('$name', (family) => {
  it.each(SEEDS)('gradients are those of the loss, key %i', (seed) => {
    const task = family.sample(keyOf(seed));
    const parameters = somewhere(task);
    const { gradients } = gradientsAt(task, parameters, 3);
    const [distance, tolerance] = SINGLE.has(family) ? [5e-3, 1e-2] : [1e-4, 2e-5];
    expect(deviation(task, parameters, gradients, distance)).toBeLessThan(tolerance);
    // Each tensor alone, in random directions: a wrong small one would not be seen beside large ones.
    const random = new Random(derive(INITIAL, 2));
    task.shapes.forEach((_, j) => {
      const direction = zeros(task);
      random.normals(direction[j]!);
      expect(deviation(task, parameters, direction, distance), `tensor ${j}`).toBeLessThan(tolerance);
    });
  });

  it('one key, one task, bit for bit; steps in any order', () => {
    const [task, same] = [family.sample(keyOf(5)), family.sample(keyOf(5))];
    expect(same.name).toBe(task.name);
    expect(same.shapes).toEqual(task.shapes);
    const parameters = somewhere(task);
    expect(somewhere(same)).toEqual(parameters);
    const forwards = [0, 1, 2, 700].map((step) => gradientsAt(task, parameters, step));
    const backwards = [700, 2, 1, 0].map((step) => gradientsAt(same, parameters, step));
    expect(backwards.reverse()).toEqual(forwards);
    expect(same.trainingLoss(parameters)).toBe(task.trainingLoss(parameters));
    expect(same.validationLoss(parameters)).toBe(task.validationLoss(parameters));
  });

  it('other keys, other tasks; names tell them apart', () => {
    const names = Array.from({ length: 50 }, (_, seed) => family.sample(keyOf(seed)).name);
    expect(new Set(names).size).toBe(50);
  });

  it('leaves parameters alone, and fills gradients of its shapes', () => {
    const task = family.sample(keyOf(6));
    const parameters = somewhere(task);
    const copies = parameters.map((values) => values.slice());
    const { loss, gradients } = gradientsAt(task, parameters, 0);
    expect(Number.isFinite(loss)).toBe(true);
    expect(gradients.every((values) => values.every(Number.isFinite))).toBe(true);
    expect(parameters).toEqual(copies);
    expect(task.initialParameters(INITIAL).map((values) => values.length)).toEqual(task.shapes.map(sizeOf));
  });

  it('is learned by Adam', () => {
    const fallen = Array.from({ length: 10 }, (_, seed) => {
      const task = family.sample(keyOf(100 + seed));
      const parameters = task.initialParameters(INITIAL);
      const gradients = zeros(task);
      const before = task.trainingLoss(parameters);
      const adam = createBaseline({ name: 'adam', learningRate: 0.01 }, task.shapes.map(sizeOf), 300);
      for (let step = 0; step < 300; step++) {
        task.lossAndGradients(parameters, gradients, BATCHES, step);
        adam.step(parameters, gradients);
      }
      return task.trainingLoss(parameters) < 0.95 * before;
    });
    expect(fallen.filter(Boolean).length).toBeGreaterThanOrEqual(8);
  });

  it('gives a loss that is not finite where parameters are not', () => {
    const task = family.sample(keyOf(8));
    const parameters = zeros(task).map((values) => values.fill(Number.NaN));
    expect(gradientsAt(task, parameters, 0).loss).toBeNaN();
    expect(task.trainingLoss(parameters)).toBeNaN();
  });
});

describe('against tfjs', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
    await tf.ready();
  });

  /** Compares a task's gradients of one batch with those that tfjs finds for the same loss. */
  function compare(
    task: Task,
    lossOf: (parameters: tf.Tensor[], examples: readonly number[]) => tf.Scalar,
    count: number,
  ) {
    const parameters = somewhere(task);
    const { loss, gradients } = gradientsAt(task, parameters, 0);
    const tensors = parameters.map((values, j) => tf.tensor(values, [...task.shapes[j]!]));
    const all = Array.from({ length: count }, (_, i) => i);
    expect(task.trainingLoss(parameters)).toBeCloseTo(lossOf(tensors, all).dataSync()[0]!, 5);

    // One example per batch: whichever it was, its loss tells.
    const losses = all.map((example) => lossOf(tensors, [example]).dataSync()[0]!);
    const example = losses.findIndex((value) => Math.abs(value - loss) < 1e-5 * (1 + loss));
    expect(example).toBeGreaterThanOrEqual(0);
    const expected = tf.grads((...variables: tf.Tensor[]) => lossOf(variables, [example]))(tensors);
    expected.forEach((tensor, j) => {
      const values = tensor.dataSync();
      const largest = Math.max(...values.map(Math.abs));
      gradients[j]!.forEach((value, i) => {
        expect(Math.abs(value - values[i]!)).toBeLessThan(2e-5 * largest + 1e-7);
      });
    });
  }

  const crossEntropy = (logits: tf.Tensor2D, targets: readonly number[], width: number): tf.Scalar =>
    tf.losses.softmaxCrossEntropy(tf.oneHot([...targets], width), logits) as tf.Scalar;

  it.each([
    { activation: 'relu', head: 'flatten', stride: 1 },
    { activation: 'tanh', head: 'average', stride: 2 },
    { activation: 'relu', head: 'average', stride: 3 },
  ] as const)('convolutions: $activation, $head, stride $stride', ({ activation, head, stride }) => {
    const [height, width, channels, classes, count] = [7, 6, 2, 3, 12];
    const data = textures(
      { height, width, channels, classes, trainingCount: count, validationCount: 4, noise: 0.3 },
      keyOf(1),
    );
    const layers = [
      { channels: 3, stride: 2 },
      { channels: 5, stride, kernelSize: 2 },
    ];
    const imageShape = [height, width, channels] as const;
    const task = convolutionTask({ ...data, imageShape, classes, layers, activation, head, batchSize: 1 });
    const images = tf.tensor4d(data.training.inputs, [count, ...imageShape]);
    compare(
      task,
      (parameters, examples) => {
        let activations: tf.Tensor4D = tf.gather(images, [...examples]);
        layers.forEach((layer, l) => {
          const kernel = parameters[2 * l] as tf.Tensor4D;
          activations = tf.add(tf.conv2d(activations, kernel, layer.stride, 'same'), parameters[2 * l + 1]!);
          activations = activation === 'relu' ? tf.relu(activations) : tf.tanh(activations);
        });
        const features =
          head === 'average' ? tf.mean(activations, [1, 2]) : tf.reshape(activations, [examples.length, -1]);
        const logits = tf.add<tf.Tensor2D>(
          tf.matMul(features as tf.Tensor2D, parameters[4] as tf.Tensor2D),
          parameters[5]!,
        );
        return crossEntropy(
          logits,
          examples.map((example) => data.training.targets[example]!),
          classes,
        );
      },
      count,
    );
  });

  it.each([
    { cell: 'tanh', kind: 'copy' },
    { cell: 'gru', kind: 'copy' },
    { cell: 'gru', kind: 'majority' },
  ] as const)('recurrent networks: $cell, $kind', ({ cell, kind }) => {
    const [count, hidden] = [10, 5];
    const data = sequences({ kind, symbols: 3, length: 6, count: count + 2, key: keyOf(2) });
    const task = recurrentTask({ sequences: data, trainingCount: count, cell, hiddenSize: hidden, batchSize: 1 });
    compare(
      task,
      ([weights, recurrent, bias, head, headBias], examples) => {
        const at = (values: Uint8Array, t: number) => examples.map((example) => values[example * data.length + t]!);
        let state: tf.Tensor2D = tf.zeros([examples.length, hidden]);
        const losses: tf.Scalar[] = [];
        for (let t = 0; t < data.length; t++) {
          const input = tf.add(tf.gather(weights!, at(data.inputs, t)), bias!);
          const product = tf.matMul(state, recurrent as tf.Tensor2D);
          if (cell === 'tanh') state = tf.tanh(tf.add<tf.Tensor2D>(input, product));
          else {
            const [z, r, a] = tf.split(input, 3, 1);
            const [u, v, w] = tf.split(product, 3, 1);
            const candidate = tf.tanh(tf.add(a!, tf.mul(tf.sigmoid(tf.add(r!, v!)), w!)));
            state = tf.add(candidate, tf.mul(tf.sigmoid(tf.add(z!, u!)), tf.sub(state, candidate)));
          }
          const targets = at(data.targets, t);
          if (targets[0] === NO_TARGET) continue;
          const logits = tf.add<tf.Tensor2D>(tf.matMul(state, head as tf.Tensor2D), headBias!);
          losses.push(crossEntropy(logits, targets, data.outputs));
        }
        return tf.mean(tf.stack(losses)) as tf.Scalar;
      },
      count,
    );
  });

  it.each(['relu', 'tanh', 'silu'] as const)('dense networks: %s', (activation) => {
    const [count, outputs] = [10, 3];
    const options = { classes: outputs, dimensions: 5, blobsPerClass: 2, spread: 0.5, labelNoise: 0 };
    const data = blobs({ ...options, trainingCount: count, validationCount: 4 }, keyOf(4));
    const task = denseTask({ ...data, hidden: [7, 6], outputs, activation, loss: 'softmax', batchSize: 1 });
    const inputs = tf.tensor2d(data.training.inputs, [count, 5]);
    compare(
      task,
      (parameters, examples) => {
        let values: tf.Tensor2D = tf.gather(inputs, [...examples]);
        for (let layer = 0; layer < 3; layer++) {
          values = tf.add(tf.matMul(values, parameters[2 * layer] as tf.Tensor2D), parameters[2 * layer + 1]!);
          if (layer === 2) break;
          if (activation === 'relu') values = tf.relu(values);
          else values = activation === 'tanh' ? tf.tanh(values) : tf.mul(values, tf.sigmoid(values));
        }
        return crossEntropy(
          values,
          examples.map((example) => data.training.targets[example]!),
          outputs,
        );
      },
      count,
    );
  });

  const text = markovText({ symbols: 6, order: 2, trainingLength: 16, validationLength: 16 }, keyOf(5));
  const symbolsAt = (examples: readonly number[], t: number) => examples.map((example) => text.training[example + t]!);

  it('models of the next symbol', () => {
    const [context, embeddingSize] = [3, 2];
    const task = languageTask({ text, context, embeddingSize, hiddenSize: 5, batchSize: 1 });
    compare(
      task,
      ([embeddings, weights, bias, head, headBias], examples) => {
        const rows = Array.from({ length: context }, (_, t) => tf.gather(embeddings!, symbolsAt(examples, t)));
        const inputs = tf.concat(rows, 1) as tf.Tensor2D;
        const hidden = tf.tanh(tf.add<tf.Tensor2D>(tf.matMul(inputs, weights as tf.Tensor2D), bias!));
        const logits = tf.add<tf.Tensor2D>(tf.matMul(hidden, head as tf.Tensor2D), headBias!);
        return crossEntropy(logits, symbolsAt(examples, context), text.symbols);
      },
      16 - context,
    );
  });

  it('attention', () => {
    const [length, size] = [5, 4];
    const task = attentionTask({ text, length, size, batchSize: 1 });
    const future = tf.tensor2d(
      Array.from({ length: length * length }, (_, i) => (i % length > i / length ? -1e9 : 0)),
      [length, length],
    );
    compare(
      task,
      ([embeddings, positions, query, key, value, output, head, bias], examples) => {
        const losses = examples.map((example) => {
          const symbols = Array.from({ length: length + 1 }, (_, t) => text.training[example + t]!);
          const inputs = tf.add<tf.Tensor2D>(tf.gather(embeddings!, symbols.slice(0, length)), positions!);
          const project = (weights: tf.Tensor) => tf.matMul(inputs, weights as tf.Tensor2D);
          const products = tf.matMul(project(query!), project(key!), false, true);
          const shares = tf.softmax(tf.add<tf.Tensor2D>(tf.mul(products, 1 / Math.sqrt(size)), future));
          const mixed = tf.matMul(tf.matMul(shares, project(value!)), output as tf.Tensor2D);
          const logits = tf.add<tf.Tensor2D>(tf.matMul(tf.add<tf.Tensor2D>(inputs, mixed), head as tf.Tensor2D), bias!);
          return crossEntropy(logits, symbols.slice(1), text.symbols);
        });
        return tf.mean(tf.stack(losses)) as tf.Scalar;
      },
      16 - length,
    );
  });
});

describe('sequences', () => {
  const rows = (kind: (typeof SEQUENCE_KINDS)[number]) => {
    const { inputs, targets } = sequences({ kind, symbols: 4, length: 7, count: 40, key: keyOf(3) });
    return Array.from({ length: 40 }, (_, row) =>
      [inputs, targets].map((values) => [...values.subarray(7 * row, 7 * row + 7)]),
    ) as [number[], number[]][];
  };
  const none = (count: number) => Array.from({ length: count }, () => NO_TARGET);

  it('copy repeats its first half', () => {
    for (const [inputs, targets] of rows('copy')) {
      expect(inputs.slice(3)).toEqual([4, 4, 4, 4]);
      expect(targets).toEqual([...none(3), ...inputs.slice(0, 3), NO_TARGET]);
    }
  });
  it('sum adds up modulo the symbols', () => {
    for (const [inputs, targets] of rows('sum')) {
      inputs.forEach((_, t) => {
        expect(targets[t]).toBe(inputs.slice(0, t + 1).reduce((a, b) => a + b) % 4);
      });
    }
  });
  it('recall asks for the first, majority for the most frequent', () => {
    for (const [inputs, targets] of rows('recall')) expect(targets).toEqual([...none(6), inputs[0]]);
    for (const [inputs, targets] of rows('majority')) {
      const times = (symbol: number) => inputs.filter((input) => input === symbol).length;
      expect(targets.slice(0, 6)).toEqual(none(6));
      for (const symbol of [0, 1, 2, 3]) expect(times(symbol)).toBeLessThanOrEqual(times(targets[6]!));
    }
  });
  it('next is the symbol that comes', () => {
    for (const [inputs, targets] of rows('next')) expect(targets.slice(0, 6)).toEqual(inputs.slice(1));
  });
});

describe('augmentation', () => {
  const family = familyNamed('recurrent');
  const task = family.sample(keyOf(4));
  const all = { reparametrise: 1, range: 5, lossScale: { probability: 1, low: 10, high: 1000 } };

  it('a reparametrised task is the same in other units', () => {
    const scales = task.shapes.map((_, j) => 2 ** (j - 2));
    const other = reparametrised(task, scales);
    const parameters = somewhere(task);
    const theirs = parameters.map((values, j) => values.map((value) => value / scales[j]!));
    const [ours, seen] = [gradientsAt(task, parameters, 4), gradientsAt(other, theirs, 4)];
    expect(seen.loss).toBe(ours.loss);
    // Powers of two: exact.
    expect(seen.gradients).toEqual(ours.gradients.map((values, j) => values.map((value) => value * scales[j]!)));
    expect(other.trainingLoss(theirs)).toBe(task.trainingLoss(parameters));
    expect(other.validationLoss(theirs)).toBe(task.validationLoss(parameters));
    const initial = other.initialParameters(INITIAL).map((values, j) => values.map((value) => value * scales[j]!));
    expect(initial).toEqual(task.initialParameters(INITIAL));
    expect(deviation(other, theirs, seen.gradients, 1e-4)).toBeLessThan(2e-5);
  });

  it('a scaled loss is scaled everywhere', () => {
    const other = scaledLoss(task, 1024);
    const parameters = somewhere(task);
    const [ours, seen] = [gradientsAt(task, parameters, 4), gradientsAt(other, parameters, 4)];
    expect(seen.loss).toBe(1024 * ours.loss);
    expect(seen.gradients).toEqual(ours.gradients.map((values) => values.map((value) => 1024 * value)));
    expect(other.trainingLoss(parameters)).toBe(1024 * task.trainingLoss(parameters));
    expect(other.validationLoss(parameters)).toBe(1024 * task.validationLoss(parameters));
    expect(other.initialParameters(INITIAL)).toEqual(task.initialParameters(INITIAL));
  });

  it('changes as many tasks of a family as asked, within its range, and says so', () => {
    const names = (augmentation: typeof all) =>
      Array.from(
        { length: 200 },
        (_, seed) => augmented(familyNamed('test-function'), augmentation).sample(keyOf(seed)).name,
      );
    const plain = Array.from({ length: 200 }, (_, seed) => familyNamed('test-function').sample(keyOf(seed)).name);
    expect(names({ ...all, reparametrise: 0, lossScale: { ...all.lossScale, probability: 0 } })).toEqual(plain);
    names(all).forEach((name, seed) => {
      const [, low, high, factor] = /^(?:.*), tensors x(.*) to x(.*), loss x(.*)$/.exec(name)!.map(Number);
      expect(name.startsWith(plain[seed]!)).toBe(true);
      expect(low).toBeGreaterThanOrEqual(0.2);
      expect(high).toBeLessThanOrEqual(5);
      expect(factor).toBeGreaterThanOrEqual(10);
      expect(factor).toBeLessThanOrEqual(1000);
    });
    const half = names({ ...all, reparametrise: 0.5, lossScale: { ...all.lossScale, probability: 0.25 } });
    expect(Math.abs(half.filter((name) => name.includes('tensors')).length - 100)).toBeLessThan(30);
    expect(Math.abs(half.filter((name) => name.includes('loss x')).length - 50)).toBeLessThan(30);
  });

  it('is the same for the same key', () => {
    const [one, two] = [augmented(family, all).sample(keyOf(9)), augmented(family, all).sample(keyOf(9))];
    expect(one.name).toBe(two.name);
    expect(gradientsAt(one, somewhere(one), 2)).toEqual(gradientsAt(two, somewhere(two), 2));
  });
});

describe('bad input', () => {
  const text = markovText({ symbols: 4, order: 1, trainingLength: 20, validationLength: 20 }, keyOf(1));
  const data = textures({ height: 4, width: 4, channels: 1, classes: 2, noise: 0 }, keyOf(1));
  const convolution = {
    ...data,
    imageShape: [4, 4, 1],
    classes: 2,
    layers: [{ channels: 2, stride: 1 }],
    activation: 'relu',
    head: 'average',
    batchSize: 4,
  } as const;
  const short = sequences({ kind: 'sum', symbols: 2, length: 4, count: 8, key: keyOf(1) });
  const recurrent = { sequences: short, trainingCount: 4, cell: 'tanh', hiddenSize: 3, batchSize: 2 } as const;
  const factors = {
    rows: 4,
    columns: 4,
    rank: 1,
    learnedRank: 2,
    noise: 0,
    seen: 0.5,
    batchSize: 4,
    initialDeviation: 1,
    key: keyOf(1),
  };
  const bowl = { shapes: [[4]], conditionNumber: 2, key: keyOf(1) };
  const valley = { function: 'rosenbrock', shapes: [[4]], sharpness: 1, key: keyOf(1) } as const;
  const task = quadraticTask(bowl);
  const augmentation = { reparametrise: 0.5, range: 5, lossScale: { probability: 0.3, low: 1e-3, high: 1e3 } };
  const refused: Record<string, () => unknown> = {
    'condition number below 1': () => quadraticTask({ ...bowl, conditionNumber: 0.5 }),
    'negative noise': () => quadraticTask({ ...bowl, noise: -1 }),
    'unknown function': () => testFunctionTask({ ...valley, function: 'toString' as 'rosenbrock' }),
    'sharpness of 0': () => testFunctionTask({ ...valley, sharpness: 0 }),
    'one number': () => testFunctionTask({ ...valley, shapes: [[1]] }),
    'no rows': () => matrixFactorisationTask({ ...factors, rows: 0 }),
    'all entries seen': () => matrixFactorisationTask({ ...factors, seen: 1 }),
    'no batch': () => matrixFactorisationTask({ ...factors, batchSize: 0 }),
    'other images': () => convolutionTask({ ...convolution, imageShape: [4, 5, 1] }),
    'too few classes': () => convolutionTask({ ...convolution, classes: 1 }),
    'stride of 0': () => convolutionTask({ ...convolution, layers: [{ channels: 2, stride: 0 }] }),
    'half a unit': () => recurrentTask({ ...recurrent, hiddenSize: 2.5 }),
    'nothing for validation': () => recurrentTask({ ...recurrent, trainingCount: 8 }),
    'one symbol': () => sequences({ kind: 'sum', symbols: 1, length: 4, count: 8, key: keyOf(1) }),
    'unknown kind': () => sequences({ kind: 'product' as 'sum', symbols: 2, length: 4, count: 8, key: keyOf(1) }),
    'order 3': () => markovText({ symbols: 4, order: 3 as 2, trainingLength: 20, validationLength: 20 }, keyOf(1)),
    'no context': () => languageTask({ text, context: 0, embeddingSize: 2, hiddenSize: 2, batchSize: 2 }),
    'text shorter than context': () =>
      languageTask({ text, context: 20, embeddingSize: 2, hiddenSize: 2, batchSize: 2 }),
    'attention of size 0': () => attentionTask({ text, length: 4, size: 0, batchSize: 2 }),
    'too few scales': () => reparametrised(task, []),
    'a negative scale': () => reparametrised(task, [-1]),
    'a factor of NaN': () => scaledLoss(task, Number.NaN),
    'a range below 1': () => augmented(familyNamed('quadratic'), { ...augmentation, range: 0.5 }),
    'a share above 1': () => augmented(familyNamed('quadratic'), { ...augmentation, reparametrise: 2 }),
  };

  it.each(Object.keys(refused))('%s', (what) => {
    expect(refused[what]).toThrow(expect.objectContaining({ name: 'VeloError', code: 'INVALID_ARGUMENT' }));
  });

  it('an unknown family is refused, with those that there are', () => {
    expect(familyNamed('quadratic')).toBe(FAMILIES.quadratic);
    for (const name of ['cubic', 'toString', '']) {
      expect(() => familyNamed(name)).toThrow(VeloError);
      expect(() => familyNamed(name)).toThrow(/convolution, .*test-function/);
    }
  });
});
