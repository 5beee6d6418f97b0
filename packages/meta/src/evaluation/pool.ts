/** Threads that train. */
import { setMaxListeners } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { type Theta, VeloError } from '@velojs/core';
import { openThread } from '../open-thread.ts';
import type { PlannedRun } from './plan.ts';
import type { SuiteSource } from './suite.ts';
import type { RunResult } from './training-run.ts';
import { PURPOSE, WORKER_MODULE, type WorkerAnswer, type WorkerRequest, type WorkerStart } from './worker.ts';

/** A run that has ended this many threads ends the evaluation. */
const ATTEMPTS = 3;

/**
 * Does `runs` on `threads` threads. A thread that dies is replaced and its run done again.
 *
 * @param onResult called with every finished run, in any order; what it throws ends the work.
 * @throws the signal's reason; VeloError `WORKER_LOST`; what a run throws. No thread is left in any case.
 */
export async function runAll(
  runs: readonly PlannedRun[],
  { suite, threads, signal }: { suite: SuiteSource; threads: number; signal: AbortSignal | undefined },
  onResult: (run: PlannedRun, result: RunResult) => void,
): Promise<void> {
  const thetas = [...new Set(runs.flatMap(({ optimizer }) => (optimizer.name === 'velo' ? [optimizer.theta] : [])))];
  const start: WorkerStart = { velojs: PURPOSE, suite, thetas };
  const queue = runs.values();
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  setMaxListeners(0, either);
  try {
    await Promise.all(
      Array.from({ length: Math.min(threads, runs.length) }, async () => {
        let thread = new Thread(start);
        try {
          for (const run of queue) {
            let result: RunResult | undefined;
            for (let attempt = 1; !result; attempt++) {
              result = await thread.run(requestFor(run, thetas), either).catch(async (error: unknown) => {
                if (!(error instanceof ThreadLost)) throw error;
                if (attempt >= ATTEMPTS) {
                  throw new VeloError(
                    'WORKER_LOST',
                    `A run of ${run.file} on ${run.task.name} has ended ${ATTEMPTS} threads: ${error.message}.`,
                    { cause: error },
                  );
                }
                thread = new Thread(start);
                return undefined;
              });
            }
            onResult(run, result);
          }
        } finally {
          await thread.close();
        }
      }),
    );
  } catch (error) {
    stop.abort(error);
    throw signal?.aborted ? signal.reason : error;
  }
}

const requestFor = ({ task, optimizer, seed, extent }: PlannedRun, thetas: readonly Theta[]): WorkerRequest => ({
  task: task.name,
  optimizer:
    optimizer.name === 'velo'
      ? { name: 'velo', theta: thetas.indexOf(optimizer.theta), told: optimizer.told ?? 1 }
      : optimizer,
  seed,
  extent,
});

class ThreadLost extends Error {}

class Thread {
  readonly #worker: Worker;
  #lost: ThreadLost | null = null;
  #settle: { resolve: (result: RunResult) => void; reject: (error: unknown) => void } | null = null;

  constructor(start: WorkerStart) {
    this.#worker = openThread(WORKER_MODULE, start);
    this.#worker.on('message', (answer: WorkerAnswer) => {
      const settle = this.#settle;
      this.#settle = null;
      if ('result' in answer) settle?.resolve(answer.result);
      else {
        const { code, message } = answer.error;
        settle?.reject(code ? new VeloError(code, message) : new Error(message));
      }
    });
    this.#worker.on('error', (error) => {
      this.#lost = new ThreadLost(error.message, { cause: error });
    });
    this.#worker.on('exit', () => {
      this.#lost ??= new ThreadLost('it ended');
      this.#settle?.reject(this.#lost);
    });
  }

  /** @throws ThreadLost, the signal's reason, or what the run throws. */
  async run(request: WorkerRequest, signal: AbortSignal): Promise<RunResult> {
    signal.throwIfAborted();
    if (this.#lost) throw this.#lost;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<RunResult>((resolve, reject) => {
        this.#settle = { resolve, reject };
        onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        this.#worker.postMessage(request);
      });
    } finally {
      if (onAbort) signal.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    this.#settle = null;
    await this.#worker.terminate();
  }
}
