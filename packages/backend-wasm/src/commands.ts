/**
 * Who runs the kernels: this thread, this thread with helpers, or a worker that leads helpers while a page stays
 * responsive. All three run the same commands in the order they are given.
 */
import { VeloError } from '@velojs/core';
import type { Kernels, ThreadKernels } from './kernel-module.ts';
import type { Worker } from './workers.ts';

type Name = 'copy' | 'controller' | 'update' | 'leadController' | 'leadUpdate';

export interface Commands {
  /** Threads that share the work of a command. */
  readonly threads: number;
  /** Number of the last command that was given, and of the last that is done; commands count from 1. */
  readonly given: number;
  readonly done: number;
  /** @throws VeloError `WORKER_LOST` */
  run(name: Name, ...parameters: number[]): void;
  /** Blocks until command `number` is done. @throws VeloError `WORKER_LOST` */
  wait(number: number): void;
  /** Resolves when every command given so far is done. @throws VeloError `WORKER_LOST` */
  settled(): Promise<void>;
  close(): void;
}

/** Everything happens at once, here. */
export function ownThread(kernels: Kernels): Commands {
  return {
    threads: 1,
    given: 0,
    done: 0,
    run(name, ...parameters) {
      (kernels[name as keyof Kernels] as (...parameters: number[]) => void)(...parameters);
    },
    wait() {},
    async settled() {},
    close() {},
  };
}

/** This thread leads, and blocks until its helpers are done too. */
export function leadHere(kernels: ThreadKernels, helpers: readonly Worker[]): Commands {
  let given = 0;
  let done = 0;
  let lost: VeloError | null = null;
  for (const helper of helpers) helper.onLost((reason) => (lost ??= workerLost(reason, false)));
  const check = () => {
    if (lost) throw lost;
  };
  return {
    threads: helpers.length + 1,
    get given() {
      return given;
    },
    get done() {
      return done;
    },
    run(name, ...parameters) {
      check();
      given++;
      const finished = (kernels[name] as (...parameters: number[]) => number | undefined)(...parameters);
      if (finished === 0) {
        lost = workerLost('it does not answer', true);
        throw lost;
      }
      done = given;
    },
    wait: check,
    settled: async () => check(),
    close() {
      for (const helper of helpers) helper.terminate();
    },
  };
}

/** Seconds after which a worker that has not finished a command counts as lost: the largest memory takes five. */
const PATIENCE = 20;

/** A page must not block: `leader` runs the commands, and this thread goes on. */
export function leadElsewhere(
  leader: Worker,
  helpers: readonly Worker[],
  words: () => Int32Array,
  doneIndex: number,
): Commands {
  let given = 0;
  let lost: VeloError | null = null;
  let waiting: { number: number; resolve: () => void; reject: (error: VeloError) => void }[] = [];
  const done = () => Atomics.load(words(), doneIndex);
  // Browsers do not tell when a worker is terminated.
  let watch: ReturnType<typeof setInterval> | undefined;
  const startWatch = () => {
    let [seen, seconds] = [done(), 0];
    watch ??= setInterval(() => {
      const now = done();
      seconds = now === seen ? seconds + 1 : 0;
      seen = now;
      if (seconds === PATIENCE) lose('it does not answer');
    }, 1000);
  };
  const keepWaiting = (still: typeof waiting) => {
    waiting = still;
    if (waiting.length > 0) return;
    clearInterval(watch);
    watch = undefined;
  };
  const fail = (error: VeloError) => {
    lost ??= error;
    for (const { reject } of waiting) reject(lost);
    keepWaiting([]);
  };
  const lose = (reason: string) => fail(workerLost(reason, done() < given));
  for (const worker of [leader, ...helpers]) worker.onLost(lose);
  leader.onMessage((message) => {
    if ((message as { result?: number }).result === 0) lose('it does not answer');
    const finished = done();
    for (const { number, resolve } of waiting) if (number <= finished) resolve();
    keepWaiting(waiting.filter(({ number }) => number > finished));
  });
  return {
    threads: helpers.length + 1,
    get given() {
      return given;
    },
    get done() {
      return done();
    },
    run(name, ...parameters) {
      if (lost) throw lost;
      leader.send({ id: ++given, name, parameters });
    },
    wait(number) {
      const start = Date.now();
      while (done() < number) {
        if (Date.now() - start > PATIENCE * 1000) lose('it does not answer');
        if (lost) throw lost;
      }
      if (lost) throw lost;
    },
    settled: () =>
      new Promise((resolve, reject) => {
        if (lost) reject(lost);
        else if (done() >= given) resolve();
        else {
          waiting.push({ number: given, resolve, reject });
          startWatch();
        }
      }),
    close() {
      for (const worker of [leader, ...helpers]) worker.terminate();
      fail(new VeloError('DISPOSED', 'The backend was closed before its last steps were done.'));
    },
  };
}

function workerLost(reason: string, midStep: boolean): VeloError {
  const state = midStep
    ? 'It was in the middle of a step: state may be half written, go on from the last one that you exported'
    : 'State is as it was before this call: export it';
  return new VeloError('WORKER_LOST', `A worker thread is gone (${reason}). ${state}, and create another backend.`);
}
