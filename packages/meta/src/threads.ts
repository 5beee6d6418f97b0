/** Workers as threads of this process: each with a replica, sticky to its pairs where these keep state. */
import type { Worker } from 'node:worker_threads';
import { VeloError } from '@velojs/core';
import type { MetaConfig } from './config.ts';
import { openReplicaThread } from './open-thread.ts';
import type { PairResult } from './particles.ts';
import type { Replica } from './replica.ts';
import type { SearchState } from './search.ts';
import type { StartWorkers, Workers } from './workers.ts';

/** What threads are sent. */
export type Request =
  | { readonly kind: 'start'; readonly config: MetaConfig; readonly state: SearchState }
  | { readonly kind: 'pair' | 'validation'; readonly index: number }
  | { readonly kind: 'update'; readonly results: readonly PairResult[] };
/** And what they answer, to all but updates. */
export type Answer =
  | { readonly result: PairResult | number | null }
  | { readonly error: { readonly message: string; readonly code?: string } };

/** A job that has ended this many threads ends the run. */
const ATTEMPTS = 3;

interface Job {
  readonly request: Request & { readonly kind: 'pair' | 'validation' };
  attempts: number;
  readonly resolve: (result: PairResult | number) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | null;
  ready: boolean;
  /** Resolves when it has its replica, or will not have one. */
  starting: Promise<unknown>;
  started: { resolve: () => void; reject: (error: unknown) => void } | null;
}

/**
 * Threads of this process. One that dies is replaced and its job done again; results do not depend on their number.
 *
 * @param count at least 1.
 * @throws VeloError `INVALID_ARGUMENT` for a count that is none.
 */
export const threads = (count: number): StartWorkers => {
  checkThreads(count);
  return async (replica) => {
    const pool = new ThreadPool(replica, count);
    await pool.start();
    return pool;
  };
};

/** @throws VeloError `INVALID_ARGUMENT` */
export function checkThreads(count: number): void {
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `The number of threads must be a whole number from 1, not ${count}.`);
  }
}

class ThreadPool implements Workers {
  readonly count: number;
  lost = 0;
  readonly #replica: Replica;
  readonly #threads: Thread[] = [];
  #queue: Job[] = [];
  #closed = false;
  /** Why no more work is done. */
  #failure: unknown;
  readonly #sticky: boolean;

  constructor(replica: Replica, count: number) {
    this.#replica = replica;
    this.count = count;
    this.#sticky = replica.config.estimator.kind === 'pes';
  }

  async start(): Promise<void> {
    try {
      await Promise.all(Array.from({ length: this.count }, (_, i) => this.#spawn(i)));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async runPairs(pairs: readonly number[], signal?: AbortSignal): Promise<PairResult[]> {
    // The longest first, so that no thread is left with one at the end.
    const { episodes, search } = this.#replica;
    const length = (pair: number) => episodes.at(pair, search.step).totalSteps;
    const order = pairs.toSorted((a, b) => length(b) - length(a));
    const results = await this.#all('pair', order, signal);
    return pairs.map((pair) => results[order.indexOf(pair)] as PairResult);
  }

  validate(tasks: readonly number[], signal?: AbortSignal): Promise<number[]> {
    return this.#all('validation', tasks, signal) as Promise<number[]>;
  }

  async update(results: readonly PairResult[]): Promise<void> {
    // One that is being started has the state of now, and needs this update too. While it starts, others may die.
    while (this.#threads.some(({ started }) => started)) {
      await Promise.all(this.#threads.map(({ starting }) => starting));
    }
    if (this.#failure) throw this.#failure;
    for (const { worker } of this.#threads) worker.postMessage({ kind: 'update', results } satisfies Request);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#fail(new VeloError('DISPOSED', 'The workers were closed.'));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  async #all(
    kind: 'pair' | 'validation',
    indices: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<(PairResult | number)[]> {
    signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    let stop: ((reason: unknown) => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      stop = reject;
    });
    const onAbort = () => stop?.(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const done = Promise.all(
      indices.map(
        (index) =>
          new Promise<PairResult | number>((resolve, reject) => {
            this.#queue.push({ request: { kind, index }, attempts: 0, resolve, reject });
          }),
      ),
    );
    this.#dispatch();
    try {
      return await Promise.race([done, aborted]);
    } catch (error) {
      this.#queue = [];
      done.catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #dispatch(): void {
    for (const [i, thread] of this.#threads.entries()) {
      if (!thread.ready || thread.job) continue;
      // Where pairs keep state they stay with their thread.
      const at = this.#queue.findIndex(
        ({ request }) => !this.#sticky || request.kind !== 'pair' || request.index % this.count === i,
      );
      if (at < 0) continue;
      const [job] = this.#queue.splice(at, 1);
      thread.job = job!;
      thread.worker.postMessage(job!.request);
    }
  }

  /** A thread in place `i`; resolves when it has its replica. */
  #spawn(i: number): Promise<void> {
    const worker = openReplicaThread();
    const thread: Thread = { worker, job: null, ready: false, starting: Promise.resolve(), started: null };
    const started = new Promise<void>((resolve, reject) => {
      thread.started = { resolve, reject };
    });
    thread.starting = started.catch(() => {});
    this.#threads[i] = thread;
    let failure: Error | undefined;
    worker.on('message', (answer: Answer) => this.#answered(thread, answer));
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => this.#gone(i, thread, failure));
    const { config, search } = this.#replica;
    worker.postMessage({ kind: 'start', config, state: search.state } satisfies Request);
    return started;
  }

  #answered(thread: Thread, answer: Answer): void {
    const failure =
      'error' in answer
        ? answer.error.code === undefined
          ? new Error(answer.error.message)
          : new VeloError(answer.error.code as VeloError['code'], answer.error.message)
        : null;
    if (thread.started) {
      const { resolve, reject } = thread.started;
      thread.started = null;
      thread.ready = failure === null;
      if (failure) reject(failure);
      else resolve();
    } else {
      const { job } = thread;
      thread.job = null;
      // Without a job it was an update that failed: the replica is not that of the others any more.
      if (failure && !job) this.#fail(failure);
      else if (failure) job?.reject(failure);
      else job?.resolve((answer as { result: PairResult | number }).result);
    }
    this.#dispatch();
  }

  #gone(i: number, thread: Thread, failure: Error | undefined): void {
    if (this.#closed) return;
    this.lost++;
    const { job, started } = thread;
    thread.ready = false;
    thread.job = null;
    const reason = failure?.message ?? 'it ended';
    if (started) {
      thread.started = null;
      started.reject(new VeloError('WORKER_LOST', `A thread could not start: ${reason}.`));
      return;
    }
    if (job && ++job.attempts >= ATTEMPTS) {
      job.reject(
        new VeloError(
          'WORKER_LOST',
          `${job.request.kind} ${job.request.index} has ended ${ATTEMPTS} threads (${reason}). The run goes on from its last checkpoint.`,
        ),
      );
    } else if (job) this.#queue.unshift(job);
    this.#spawn(i).catch((error: unknown) => this.#fail(error));
  }

  /** Ends what is going on, and refuses what is asked for from now on: there may be nobody left to do it. */
  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const waiting of this.#queue) waiting.reject(error);
    this.#queue = [];
    for (const thread of this.#threads) {
      thread.job?.reject(error);
      thread.started?.reject(error);
      thread.started = null;
    }
  }
}
