/** The user's own files as a task. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { VeloError } from '@velojs/core';
import { parseCsv } from '../data/csv.ts';
import { takeExamples } from '../data/dataset.ts';
import { idxDataset } from '../data/idx.ts';
import { checkTable, type TableOptions } from '../data/table.ts';
import { createRandom } from '../random.ts';
import { networkTask } from './index.ts';
import type { Task, TaskSettings } from './task.ts';

export interface SplitSettings {
  /** Use only the first so many examples of the file. */
  readonly examples?: number | undefined;
  /** Examples to hold out: a share below 1, or a number of them; default a fifth. */
  readonly test?: number | undefined;
}

const DEFAULT_TEST = 0.2;

/** @throws VeloError `DATA_INVALID`, `INVALID_ARGUMENT` */
export function csvTask(file: string, options: TableOptions, settings: TaskSettings & SplitSettings): Task {
  const whole = parseCsv(readFile(file).toString('utf8'), basename(file));
  const table = { ...whole, rows: whole.rows.slice(0, settings.examples) };
  const { kind, datasets } = checkTable(table, options);
  const { train, test, targetScale } = datasets(split(table.rows.length, table.name, settings));
  return networkTask(
    { name: table.name, title: `predicts "${options.target}"`, kind, train, test, targetScale },
    settings,
  );
}

/** @throws VeloError `DATA_INVALID`, `INVALID_ARGUMENT` */
export function idxTask(images: string, labels: string, settings: TaskSettings & SplitSettings): Task {
  const open = (file: string) => ({ bytes: readFile(file), name: basename(file) });
  const dataset = idxDataset(open(images), open(labels), settings.examples);
  const name = basename(images);
  const rows = split(dataset.count, name, settings);
  return networkTask(
    {
      name,
      title: `images of ${dataset.inputSize} pixels, ${dataset.outputSize} classes`,
      kind: 'classification',
      train: takeExamples(dataset, rows.train),
      test: takeExamples(dataset, rows.test),
      targetScale: 1,
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
      `Of the ${count} examples of ${name}, ${testCount} cannot be held out. Change --test.`,
    );
  }
  const order = createRandom(seed, 'split').permutation(count);
  return { train: order.subarray(0, count - testCount), test: order.subarray(count - testCount) };
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new VeloError('DATA_INVALID', `${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}
