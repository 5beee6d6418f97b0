import { expect, it } from 'vitest';
import { derive, keyOf, Random } from '../random.ts';
import { type DenseTaskOptions, denseTask } from './task.ts';

const random = new Random(keyOf(4));
const examples = (count: number) => ({
  count,
  inputs: random.normals(new Float32Array(count * 3)),
  targets: random.normals(new Float32Array(count * 2)),
});
const options: DenseTaskOptions = {
  training: examples(40),
  validation: examples(9),
  hidden: [5],
  outputs: 2,
  activation: 'tanh',
  loss: 'squared',
  batchSize: 7,
};
const task = denseTask(options);
const parameters = task.initialParameters(keyOf(1));
const zeros = () => parameters.map((parameter) => new Float32Array(parameter.length));

it('has the shapes of its layers and a name that tells them', () => {
  expect(task.shapes).toEqual([[3, 5], [5], [5, 2], [2]]);
  expect(task.name).toBe('dense 3-5-2 tanh, batch 7');
  expect(denseTask({ ...options, name: 'mine' }).name).toBe('mine');
});

it('a batch is a function of key and step, in any order', () => {
  const run = (key: number, step: number) => {
    const gradients = zeros();
    return [task.lossAndGradients(parameters, gradients, keyOf(key), step), ...gradients.map((g) => [...g])];
  };
  const steps = [0, 1, 2, 3].map((step) => run(8, step));
  expect([3, 1, 0, 2].map((step) => run(8, step))).toEqual([steps[3], steps[1], steps[0], steps[2]]);
  expect(new Set([...steps, run(9, 0)].map(String)).size).toBe(5);
});

it('batches draw all training examples about equally often', () => {
  // The loss of a network without weights is the square of the targets: each example's tells which it is.
  const { training } = options;
  const targets = Float32Array.from({ length: 2 * 40 }, (_, i) => (i % 2 === 0 ? 2 ** ((i / 2) % 20) : 0) ** 0.5);
  const single = denseTask({ ...options, training: { ...training, targets }, batchSize: 1 });
  const counts = new Map<number, number>();
  for (let step = 0; step < 4000; step++) {
    const loss = single.lossAndGradients(zeros(), zeros(), keyOf(2), step);
    const exponent = Math.round(Math.log2(2 * loss));
    counts.set(exponent, (counts.get(exponent) ?? 0) + 1);
  }
  expect(counts.size).toBe(20);
  expect(Math.min(...counts.values())).toBeGreaterThan(140);
  expect(Math.max(...counts.values())).toBeLessThan(270);
});

it('the training loss is the mean of what batches cost; the validation loss is of other examples', () => {
  let sum = 0;
  for (let step = 0; step < 5000; step++) sum += task.lossAndGradients(parameters, zeros(), keyOf(3), step);
  expect(sum / 5000 / task.trainingLoss(parameters)).toBeCloseTo(1, 1);
  const swapped = denseTask({ ...options, training: options.validation, validation: options.training });
  expect(swapped.trainingLoss(parameters)).toBe(task.validationLoss(parameters));
  expect(task.validationLoss(parameters)).not.toBe(task.trainingLoss(parameters));
});

it('judges on the first 512 examples', () => {
  const many = examples(600);
  const judged = denseTask({ ...options, training: many }).trainingLoss(parameters);
  const first = { count: 512, inputs: many.inputs.slice(0, 3 * 512), targets: many.targets.slice(0, 2 * 512) };
  expect(judged).toBe(denseTask({ ...options, training: first }).trainingLoss(parameters));
});

it('scales initial weights, and starts the last layer at 0 where asked to', () => {
  const [first, , last] = denseTask({ ...options, initialScale: 2, zeroOutput: true }).initialParameters(keyOf(1));
  expect(first).toEqual(parameters[0]!.map((x) => 2 * x));
  expect(last).toEqual(new Float32Array(10));
});

it('is trained by gradient descent', () => {
  const trained = task.initialParameters(derive(keyOf(1), 1));
  const before = task.trainingLoss(trained);
  const gradients = zeros();
  for (let step = 0; step < 300; step++) {
    task.lossAndGradients(trained, gradients, keyOf(5), step);
    for (const [j, parameter] of trained.entries()) {
      for (let i = 0; i < parameter.length; i++) parameter[i] = parameter[i]! - 0.1 * gradients[j]![i]!;
    }
  }
  expect(task.trainingLoss(trained)).toBeLessThan(0.9 * before);
});

it('refuses examples that fit neither each other nor the network', () => {
  const { training, validation } = options;
  const bad: Partial<DenseTaskOptions>[] = [
    { validation: { ...validation, count: 8 } },
    { validation: { ...validation, inputs: new Float32Array(9 * 4) } },
    { training: { ...training, count: 0 } },
    { training: { ...training, count: 39 } },
    { outputs: 3 },
    { batchSize: 0 },
    { hidden: [0] },
  ];
  for (const wrong of bad) {
    expect(() => denseTask({ ...options, ...wrong })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});
