/** The tasks that bring their own data. */
import { VeloError } from '@velojs/core';
import type { Dataset } from '../data/dataset.ts';
import type { Kind } from '../data/table.ts';
import { createRandom, type Random } from '../random.ts';
import { friedman, TARGET_DEVIATION, TARGET_MEAN } from './friedman.ts';
import { GLYPH_SIDE, glyphs } from './glyphs.ts';
import { spirals } from './spirals.ts';
import type { Task, TaskSettings } from './task.ts';

interface Recipe {
  readonly title: string;
  readonly kind: Kind;
  readonly make: (count: number, random: Random) => Dataset;
  readonly trainCount: number;
  readonly testCount: number;
  readonly hidden: readonly number[];
  readonly classes: readonly string[] | null;
  readonly targetScale?: number;
  readonly targetMean?: number;
}

/** `0`, `1`, ...: classes that are numbers. */
export const digitNames = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

const RECIPES: Readonly<Record<string, Recipe>> = {
  glyphs: {
    title: `drawn digits, ${GLYPH_SIDE}x${GLYPH_SIDE} pixels, 10 classes`,
    kind: 'classification',
    make: glyphs,
    trainCount: 4000,
    testCount: 500,
    hidden: [64],
    classes: digitNames(10),
  },
  spirals: {
    title: 'two spirals in the plane, 2 classes',
    kind: 'classification',
    make: spirals,
    trainCount: 1000,
    testCount: 500,
    hidden: [32, 32],
    classes: digitNames(2),
  },
  friedman: {
    title: "Friedman's noisy function of 10 inputs, a regression",
    kind: 'regression',
    make: friedman,
    trainCount: 2000,
    testCount: 500,
    hidden: [64, 64],
    classes: null,
    targetScale: TARGET_DEVIATION,
    targetMean: TARGET_MEAN,
  },
};

export const TASK_NAMES: readonly string[] = Object.keys(RECIPES);
export const DEFAULT_STEPS = 600;
export const DEFAULT_BATCH_SIZE = 64;

/**
 * Makes the data of a task and says what to train on it.
 *
 * @throws VeloError `INVALID_ARGUMENT` for a name that is not among `TASK_NAMES`.
 */
export function createTask(name: string, settings: TaskSettings): Task {
  const recipe = Object.hasOwn(RECIPES, name) ? RECIPES[name] : undefined;
  if (!recipe)
    throw new VeloError('INVALID_ARGUMENT', `There is no task "${name}". The tasks are ${TASK_NAMES.join(', ')}.`);
  const random = createRandom(settings.seed, 'data');
  const train = recipe.make(recipe.trainCount, random);
  const test = recipe.make(recipe.testCount, random);
  return networkTask(
    {
      name,
      title: recipe.title,
      kind: recipe.kind,
      classes: recipe.classes,
      train,
      test,
      targetScale: recipe.targetScale ?? 1,
      targetMean: recipe.targetMean ?? 0,
    },
    { ...settings, hidden: settings.hidden ?? recipe.hidden },
  );
}

/**
 * Fills in the network and the length of a task.
 *
 * @throws VeloError `INVALID_ARGUMENT` where the batch asked for is larger than the training set.
 */
export function networkTask(
  data: Pick<Task, 'name' | 'title' | 'kind' | 'classes' | 'train' | 'test' | 'targetScale' | 'targetMean'>,
  { steps = DEFAULT_STEPS, batchSize, hidden = [64] }: TaskSettings,
): Task {
  const { train } = data;
  if (batchSize !== undefined && batchSize > train.count) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `A batch of ${batchSize} is more than the ${train.count} training examples of ${data.name}.`,
    );
  }
  return {
    ...data,
    layers: [train.inputSize, ...hidden, train.outputSize],
    batchSize: batchSize ?? Math.min(DEFAULT_BATCH_SIZE, train.count),
    steps,
  };
}
