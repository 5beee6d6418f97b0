/** A suite: the tasks that optimizers are judged on. */
import { pathToFileURL } from 'node:url';
import { VeloError } from '@velojs/core';
import type { Task } from '../task.ts';
import { heldOutSuite } from './held-out-suite.ts';
import { mnistSuite } from './mnist-suite.ts';
import { robustnessSuite } from './robustness-suite.ts';
import { validationSuite } from './validation-suite.ts';

export interface SuiteTask {
  /** Results are kept under this name: no two tasks of a suite have the same, and it is never given to another task. */
  readonly name: string;
  /** Tasks that are summarised together. */
  readonly group: string;
  /** N: how many steps an optimizer has. */
  readonly steps: number;
  /** Makes the task; the same one every time. */
  create(): Task;
}

export interface Suite {
  readonly name: string;
  /** Raised whenever a task changes: results of another version do not count. */
  readonly version: number;
  /**
   * Whether candidates are compared with tuned baselines, and told wrong numbers of steps. Without, they are only trained
   * on every task.
   */
  readonly compared: boolean;
  /** Adam at constant rates goes on for so many times N steps: the highest speed-up that can be seen. At least 1. */
  readonly extent: number;
  readonly tasks: readonly SuiteTask[];
}

/**
 * Where threads find a suite: the name of a built-in one, or a module (an absolute path or a URL) whose default export is a
 * `Suite`, or a function that returns one or a promise of one.
 */
export type SuiteSource =
  | { readonly name: 'held-out' | 'validation' | 'robustness' }
  /** `folder` holds the four files of MNIST, or the two of its test set, as IDX, gzipped or plain. */
  | { readonly name: 'mnist'; readonly folder: string }
  | { readonly module: string };

export const SUITE_NAMES: readonly string[] = ['held-out', 'validation', 'robustness', 'mnist'];

/**
 * @throws VeloError `INVALID_ARGUMENT` where there is no such suite, or a module has none; `DATA_INVALID` where files that
 *   it needs cannot be used.
 * @example
 * ```ts
 * const { tasks } = await openSuite({ name: 'held-out' });
 * ```
 */
export async function openSuite(source: SuiteSource): Promise<Suite> {
  if ('module' in source) return checked(await imported(source.module), `The suite of ${source.module}`);
  switch (source.name) {
    case 'held-out':
      return heldOutSuite();
    case 'validation':
      return validationSuite();
    case 'robustness':
      return robustnessSuite();
    case 'mnist':
      return mnistSuite(source.folder);
    default:
      throw invalid(
        `There is no suite "${(source as { name: unknown }).name}"; there are ${SUITE_NAMES.join(', ')}, and modules of your own.`,
      );
  }
}

async function imported(module: string): Promise<unknown> {
  const url = /^[a-z][a-z+.-]+:/i.test(module) ? module : pathToFileURL(module).href;
  let exported: unknown;
  try {
    ({ default: exported } = (await import(/* @vite-ignore */ url)) as { default: unknown });
  } catch (cause) {
    throw new VeloError('INVALID_ARGUMENT', `${module} cannot be imported: ${(cause as Error).message}`, { cause });
  }
  return typeof exported === 'function' ? await exported() : exported;
}

/** @throws VeloError `INVALID_ARGUMENT` where a suite of somebody's own is none. */
function checked(value: unknown, what: string): Suite {
  const suite = value as Partial<Suite> | null | undefined;
  if (typeof suite !== 'object' || suite === null || !Array.isArray(suite.tasks) || suite.tasks.length === 0) {
    throw invalid(`${what} is no suite: the module's default export must have a list of tasks.`);
  }
  const { name, version, compared, extent = 1, tasks } = suite;
  if (typeof name !== 'string' || !/^[\w-]+$/.test(name) || SUITE_NAMES.includes(name)) {
    throw invalid(`${what} needs a name of its own of letters, digits, _ and -, not "${name}".`);
  }
  if (!Number.isSafeInteger(version)) throw invalid(`${what} needs a version, a whole number; it has ${version}.`);
  if (typeof compared !== 'boolean') throw invalid(`${what} needs "compared", true or false; it has ${compared}.`);
  if (!(extent >= 1 && extent <= 100)) throw invalid(`${what} needs an extent from 1 to 100; it has ${extent}.`);
  const names = new Set<unknown>();
  for (const task of tasks as readonly Partial<SuiteTask>[]) {
    if (typeof task.name !== 'string' || names.has(task.name)) {
      throw invalid(`${what} needs a name for every task, and another for each: "${task.name}" is not.`);
    }
    names.add(task.name);
    if (!(Number.isSafeInteger(task.steps) && task.steps! >= 1)) {
      throw invalid(`${what} needs a whole number of steps for the task ${task.name}; it has ${task.steps}.`);
    }
    if (typeof task.group !== 'string' || typeof task.create !== 'function') {
      throw invalid(`${what} needs a group and a function "create" for the task ${task.name}.`);
    }
  }
  return { name, version: version!, compared, extent, tasks: tasks as readonly SuiteTask[] };
}

const invalid = (message: string): VeloError => new VeloError('INVALID_ARGUMENT', message);
