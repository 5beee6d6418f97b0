/** The user's own data as a task. */
import { VeloError } from '@velojs/core';
import { parseCsv } from '../data/csv.ts';
import { takeExamples } from '../data/dataset.ts';
import { idxDataset } from '../data/idx.ts';
import { checkTable, type TableOptions } from '../data/table.ts';
import { createRandom } from '../random.ts';
import { digitNames, networkTask } from './index.ts';
import type { Task, TaskSettings } from './task.ts';

export interface SplitSettings {
  /** Use only the first so many examples of the file. */
  readonly examples?: number | undefined;
  /** Examples to hold out: a share below 1, or a number of them; default a fifth. */
  readonly test?: number | undefined;
}

const DEFAULT_TEST = 0.2;

/** A file's content, unzipped, and its name for messages. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @throws VeloError `DATA_INVALID`, `INVALID_ARGUMENT` */
export function csvTask(file: NamedBytes, options: TableOptions, settings: TaskSettings & SplitSettings): Task {
  const whole = parseCsv(new TextDecoder().decode(file.bytes), file.name);
  const table = { ...whole, rows: whole.rows.slice(0, settings.examples) };
  const { kind, classes, datasets } = checkTable(table, options);
  const { train, test, targetScale, targetMean } = datasets(split(table.rows.length, table.name, settings));
  return networkTask(
    { name: table.name, title: `predicts "${options.target}"`, kind, classes, train, test, targetScale, targetMean },
    settings,
  );
}

/** @throws VeloError `DATA_INVALID`, `INVALID_ARGUMENT` */
export function idxTask(images: NamedBytes, labels: NamedBytes, settings: TaskSettings & SplitSettings): Task {
  const dataset = idxDataset(images, labels, settings.examples);
  const { name } = images;
  const rows = split(dataset.count, name, settings);
  return networkTask(
    {
      name,
      title: `images of ${dataset.inputSize} pixels, ${dataset.outputSize} classes`,
      kind: 'classification',
      train: takeExamples(dataset, rows.train),
      test: takeExamples(dataset, rows.test),
      classes: digitNames(dataset.outputSize),
      targetScale: 1,
      targetMean: 0,
    },
    settings,
  );
}

/** A random split: files are often sorted, and then their end is no sample of the whole. */
function split(count: number, name: string, { seed, test = DEFAULT_TEST }: TaskSettings & SplitSettings) {
  if (count < 2)
    throw new VeloError(
      'DATA_INVALID',
      `${name}: one example is too few: some to train on and some to test on are needed.`,
    );
  const testCount = test < 1 ? Math.max(1, Math.round(test * count)) : test;
  if (testCount >= count) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `Of the ${count} examples of ${name}, ${testCount} cannot be held out. Hold out fewer (--test).`,
    );
  }
  const order = createRandom(seed, 'split').permutation(count);
  return { train: order.subarray(0, count - testCount), test: order.subarray(count - testCount) };
}
