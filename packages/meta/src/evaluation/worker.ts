/** A thread that trains: what it is sent, one run at a time. The module is both what starts it and what it runs. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type Theta, VeloError, type VeloErrorCode } from '@velojs/core';
import type { BaselineSpec } from '../baselines/index.ts';
import type { Task } from '../task.ts';
import { openSuite, type Suite, type SuiteSource } from './suite.ts';
import { type RunResult, trainingRun } from './training-run.ts';

/** What a thread is started with. */
export interface WorkerStart {
  readonly velojs: typeof PURPOSE;
  readonly suite: SuiteSource;
  /** So that runs need not carry them. */
  readonly thetas: readonly Theta[];
}

export interface WorkerRequest {
  readonly task: string;
  readonly optimizer: BaselineSpec | { readonly name: 'velo'; readonly theta: number; readonly told: number };
  readonly seed: number;
  readonly extent: number;
}

export type WorkerAnswer =
  | { readonly result: RunResult }
  | { readonly error: { readonly message: string; readonly code: VeloErrorCode | null } };

export const PURPOSE = 'evaluation-run';
/** For `openThread`. */
export const WORKER_MODULE: string = import.meta.url;

function serve(start: WorkerStart): void {
  let suite: Promise<Suite> | undefined;
  let current: { readonly name: string; readonly task: Task; readonly steps: number } | undefined;
  const taskNamed = async (name: string) => {
    if (current?.name === name) return current;
    suite ??= openSuite(start.suite);
    const entry = (await suite).tasks.find((task) => task.name === name);
    if (!entry) throw new VeloError('INVALID_ARGUMENT', `The suite has no task "${name}" in a thread of its own.`);
    current = { name, task: entry.create(), steps: entry.steps };
    return current;
  };
  parentPort!.on('message', async ({ task: name, optimizer, seed, extent }: WorkerRequest) => {
    try {
      const { task, steps } = await taskNamed(name);
      const spec = optimizer.name === 'velo' ? { ...optimizer, theta: start.thetas[optimizer.theta]! } : optimizer;
      const result = await trainingRun({ task, optimizer: spec, seed, steps, extent });
      parentPort!.postMessage({ result } satisfies WorkerAnswer);
    } catch (error) {
      const code = error instanceof VeloError ? error.code : null;
      parentPort!.postMessage({ error: { message: (error as Error).message, code } } satisfies WorkerAnswer);
    }
  });
}

if (!isMainThread && (workerData as Partial<WorkerStart> | null)?.velojs === PURPOSE) serve(workerData as WorkerStart);
