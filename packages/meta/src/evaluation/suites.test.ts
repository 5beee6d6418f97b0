import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sizeOf } from '@velojs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyOf } from '../random.ts';
import { openSuite, type Suite, type SuiteTask } from './suite.ts';

const SUITES = await Promise.all(
  (['held-out', 'validation', 'robustness'] as const).map(async (name) => openSuite({ name })),
);
const [heldOut, validation, robustness] = SUITES as [Suite, Suite, Suite];

const beginning = (entry: SuiteTask) => {
  const task = entry.create();
  const parameters = task.initialParameters(keyOf(0));
  const gradients = task.shapes.map((shape) => new Float32Array(sizeOf(shape)));
  const loss = task.lossAndGradients(parameters, gradients, keyOf(1), 0);
  return {
    name: task.name,
    loss,
    gradients,
    training: task.trainingLoss(parameters),
    validation: task.validationLoss(parameters),
  };
};

describe.each(SUITES)('$name', ({ tasks }) => {
  it('has names, groups and lengths', () => {
    expect(new Set(tasks.map(({ name }) => name)).size).toBe(tasks.length);
    for (const { steps, group } of tasks) {
      expect(Number.isInteger(steps) && steps >= 50 && steps <= 12_800).toBe(true);
      expect(group).not.toBe('');
    }
  });
  it('makes tasks that can be trained, the same ones every time', () => {
    for (const entry of tasks.filter((_, i) => tasks.length < 200 || i % 9 === 0)) {
      const first = beginning(entry);
      expect(beginning(entry), entry.name).toEqual(first);
      for (const loss of [first.loss, first.training, first.validation]) {
        expect(Number.isFinite(loss), `${entry.name}: ${loss}`).toBe(true);
      }
      expect(first.training, entry.name).toBeGreaterThan(0);
      expect(
        first.gradients.some((gradient) => gradient.some((value) => value !== 0)),
        entry.name,
      ).toBe(true);
    }
  });
});

it('holds out 40 familiar tasks and 21 others', () => {
  const count = (group: string) => heldOut.tasks.filter((task) => task.group === group).length;
  expect([heldOut.tasks.length, count('familiar'), count('beyond')]).toEqual([61, 40, 21]);
  expect(heldOut).toMatchObject({ compared: true, extent: 4 });
  expect(new Set(heldOut.tasks.filter(({ group }) => group === 'familiar').map(({ steps }) => steps))).toEqual(
    new Set([500, 1500]),
  );
});

it('validates and tests robustness on other tasks than it holds out', () => {
  const marks = (suite: Suite) => suite.tasks.flatMap((task) => task.create().name.match(/#[0-9a-f]{8}/)?.[0] ?? []);
  const held = new Set(marks(heldOut));
  expect(held.size).toBe(40);
  for (const mark of [...marks(validation), ...marks({ ...robustness, tasks: robustness.tasks.slice(0, 100) })]) {
    expect(held.has(mark)).toBe(false);
  }
});

it('validates at four horizons, with large losses, zero output layers and longer trainings', () => {
  expect([...new Set(validation.tasks.map(({ group }) => group))]).toEqual([
    'N = 100',
    'N = 400',
    'N = 1600',
    'N = 6400',
    'loss x100',
    'loss x1000',
    'zero output layer',
    'N = 12800',
  ]);
  const zero = validation.tasks.filter(({ group }) => group === 'zero output layer').map((entry) => entry.create());
  for (const task of zero) {
    const [last, before] = task.initialParameters(keyOf(0)).toReversed();
    expect([...last!, ...before!].every((value) => value === 0)).toBe(true);
  }
});

it('tests robustness in 500 runs of 50 to 10,000 steps at six decades of the loss', () => {
  expect(robustness.tasks).toHaveLength(500);
  const steps = robustness.tasks.map((task) => task.steps);
  expect(Math.min(...steps)).toBeLessThan(60);
  expect(Math.max(...steps)).toBeGreaterThan(9000);
});

describe('mnist', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'velojs-mnist-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const idx = (sizes: readonly number[], values: (i: number) => number) => {
    const header = Buffer.alloc(4 + 4 * sizes.length);
    header.writeUInt32BE(0x800 + sizes.length);
    sizes.forEach((size, axis) => {
      header.writeUInt32BE(size, 4 + 4 * axis);
    });
    const count = sizes.reduce((product, size) => product * size, 1);
    return Buffer.concat([header, Uint8Array.from({ length: count }, (_, i) => values(i))]);
  };
  const files = (images: Uint8Array, labels: Uint8Array) => {
    writeFileSync(join(folder, 't10k-images-idx3-ubyte.gz'), gzipSync(images));
    writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), labels);
  };
  const labels = idx([20], (i) => i % 10);

  it('reads its files, gzipped or not', async () => {
    files(
      idx([20, 28, 28], (i) => i % 256),
      labels,
    );
    const suite = await openSuite({ name: 'mnist', folder });
    expect(suite).toMatchObject({ name: 'mnist-t10k', compared: true, extent: 1 });
    for (const entry of suite.tasks) {
      const { name, loss, validation } = beginning(entry);
      expect(name).toMatch(/MNIST 784-(64|128)-10/);
      expect(loss).toBeGreaterThan(1);
      expect(Number.isFinite(validation)).toBe(true);
    }
  });

  it.each([
    ['cut short', idx([20, 28, 28], () => 0).subarray(0, 1000)],
    ['of another size', idx([20, 14, 14], () => 0)],
    ['no IDX', Buffer.from('<html>')],
  ])('says that images are %s', async (_, images) => {
    files(images, labels);
    const { tasks } = await openSuite({ name: 'mnist', folder });
    expect(() => tasks[0]!.create()).toThrow(expect.objectContaining({ code: 'DATA_INVALID' }));
  });
});
