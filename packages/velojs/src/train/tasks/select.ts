/** Which tasks the options of the command ask for. */
import { VeloError } from '@velojs/core';
import type { Kind } from '../data/table.ts';
import { createTask, TASK_NAMES } from './index.ts';
import { csvTask, idxTask, type SplitSettings } from './own-data.ts';
import { readFile } from './read-file.ts';
import type { Task, TaskSettings } from './task.ts';

export interface TaskOptions extends TaskSettings, SplitSettings {
  readonly task?: readonly string[];
  readonly data?: string;
  readonly target?: string;
  readonly kind?: Kind;
  readonly ignore?: readonly string[];
  readonly images?: string;
  readonly labels?: string;
}

/** Made one by one, when their turn comes; a user's file is read at once, so that a mistake in it shows at once. */
export function selectTasks(options: TaskOptions): (() => Task)[] {
  const { task: taskNames, data, target, images, labels } = options;
  const sources = [taskNames && '--task', data && '--data', (images ?? labels) && '--images'].filter(Boolean);
  if (sources.length > 1) throw usage(`${sources.join(' and ')} exclude each other.`);
  if (data !== undefined) {
    if (target === undefined) throw usage('--data needs --target, the column to predict.');
    const task = csvTask(readFile(data), { target, kind: options.kind, ignore: options.ignore ?? [] }, options);
    return [() => task];
  }
  if (target !== undefined || options.kind !== undefined || options.ignore !== undefined) {
    throw usage('--target, --kind and --ignore belong to --data.');
  }
  if (images !== undefined || labels !== undefined) {
    if (images === undefined || labels === undefined) throw usage('--images and --labels need each other.');
    const task = idxTask(readFile(images), readFile(labels), options);
    return [() => task];
  }
  if (options.examples !== undefined || options.test !== undefined) {
    throw usage('--examples and --test belong to --data and --images.');
  }
  const names = taskNames ?? TASK_NAMES;
  const unknown = names.find((name) => !TASK_NAMES.includes(name));
  if (unknown !== undefined) throw usage(`There is no task "${unknown}". The tasks are ${TASK_NAMES.join(', ')}.`);
  return names.map((name) => () => createTask(name, options));
}

const usage = (message: string) => new VeloError('INVALID_ARGUMENT', message);
