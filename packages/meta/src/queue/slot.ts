/** One worker: a queue that it takes jobs from, and a thread with a replica that does them. */
import { once } from 'node:events';
import type { Worker as Thread } from 'node:worker_threads';
import { VeloError } from '@velojs/core';
import type { Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { MetaConfig } from '../config.ts';
import { openReplicaThread } from '../open-thread.ts';
import type { PairResult } from '../particles.ts';
import type { Answer, Request } from '../threads.ts';
import { ATTEMPTS, lossMessage } from './leader.ts';
import { type Libraries, persist } from './redis.ts';
import { decodeResults, decodeState, encodeMessage, type JobData, type Keys, SHARED_QUEUE } from './run-record.ts';

export interface SlotOptions {
  readonly libraries: Libraries;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly config: MetaConfig;
  readonly patience: number;
  /** Of the worker, and where pairs keep state of its queue. */
  readonly id: string;
}

export class Slot {
  readonly id: string;
  readonly #options: SlotOptions;
  #worker: Worker<JobData> | undefined;
  #thread: Thread | null = null;
  /** What the thread's replica is of: the leader's session, and the update that comes next. */
  #session = '';
  #step = 0;
  #stopping = false;

  constructor(options: SlotOptions) {
    this.id = options.id;
    this.#options = options;
  }

  /** @param end called with what makes it useless to go on. */
  start(end: (error: unknown) => void): void {
    const { libraries, redis, keys, config, patience } = this.#options;
    const queue = config.estimator.kind === 'pes' ? this.id : SHARED_QUEUE;
    const worker = new libraries.Worker<JobData>(queue, (job, token) => this.#process(job, token), {
      ...{ connection: redis, prefix: keys.prefix, name: this.id },
      // A worker that is silent for so long has lost its job to another; the third such loss is the job's fault.
      ...{ lockDuration: patience, stalledInterval: patience / 2, maxStalledCount: ATTEMPTS - 1 },
      runRetryDelay: 500,
    });
    // Connections come back by themselves.
    worker.on('error', () => {});
    worker.on('failed', (job, error) => {
      // The last attempt.
      if (job?.finishedOn !== undefined) this.#tellFailure(job.data, error).catch(end);
    });
    this.#worker = worker;
  }

  /** Gives back what it is doing. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#thread?.terminate();
    await this.#worker?.close();
  }

  /** At the end, Redis may not answer any more: without its connections. */
  abandon(): void {
    this.#stopping = true;
    void this.#thread?.terminate();
    this.#worker?.disconnect().catch(() => {});
  }

  async #process(job: Job<JobData>, token: string | undefined): Promise<void> {
    const { redis, keys, libraries } = this.#options;
    const { data } = job;
    try {
      if (!(await this.#prepare(data))) return;
      const result = (await this.#ask({ kind: data.kind, index: data.index })) as PairResult | number;
      const values = typeof result === 'number' ? [result] : result;
      const message = encodeMessage({ ...data, worker: this.id, values });
      await persist(redis, () => redis.rpush(keys.inbox, message));
    } catch (error) {
      if (!this.#stopping) throw error;
      await job.moveToWait(token);
      throw new libraries.WaitingError();
    }
  }

  /** Brings the replica to the job's update; false where that is over. */
  async #prepare({ session, step }: JobData): Promise<boolean> {
    const { redis, keys } = this.#options;
    if (this.#session === session && this.#step > step) return false;
    if (this.#thread === null || this.#session !== session) await this.#restart(session);
    for (;;) {
      const [from, wanted] = [this.#step, step + 1 - this.#step];
      if (wanted <= 0) return false;
      const steps = Array.from({ length: wanted }, (_, i) => String(from + i));
      const [present, results] = await persist(redis, () =>
        Promise.all([redis.hget(keys.run, 'session'), redis.hmgetBuffer(keys.updates, ...steps)]),
      );
      if (present !== session || results.at(-1) !== null) return false;
      const known = results.slice(0, -1);
      if (known.includes(null)) {
        // Too far behind: updates of that time are not kept.
        await this.#restart(session);
        continue;
      }
      for (const bytes of known) this.#post({ kind: 'update', results: decodeResults(bytes!) });
      this.#step = step;
      return true;
    }
  }

  /** A new thread, at the state of the search that is in Redis. */
  async #restart(session: string): Promise<void> {
    const { redis, keys, config } = this.#options;
    await this.#thread?.terminate();
    const bytes = await persist(redis, () => redis.getBuffer(keys.state));
    if (bytes === null) throw new VeloError('WORKER_LOST', 'Redis has lost the state of the run.');
    const state = decodeState(bytes);
    const thread = openReplicaThread();
    let failure: Error | undefined;
    thread.on('error', (error) => {
      failure = error;
    });
    thread.on('exit', () => {
      thread.emit('gone', new Error(`its thread has ended${failure ? `: ${failure.message}` : ''}`));
      if (this.#thread !== thread) return;
      this.#thread = null;
      if (!this.#stopping) this.#tell('replaced').catch(() => {});
    });
    this.#thread = thread;
    this.#session = session;
    this.#step = state.step;
    try {
      await this.#ask({ kind: 'start', config, state });
    } catch (error) {
      this.#thread = null;
      void thread.terminate();
      throw error;
    }
  }

  async #ask(request: Request): Promise<PairResult | number | null> {
    const thread = this.#thread;
    if (!thread || this.#stopping) throw new Error('its thread has ended');
    const answered = new AbortController();
    try {
      const gone = once(thread, 'gone', answered).then(([error]) => {
        throw error;
      });
      const message = once(thread, 'message', answered);
      this.#post(request);
      const [answer] = (await Promise.race([message, gone])) as [Answer];
      if ('result' in answer) return answer.result;
      const { message: text, code } = answer.error;
      throw code === undefined ? new Error(text) : new VeloError(code as VeloError['code'], text);
    } finally {
      answered.abort();
    }
  }

  #post(request: Request): void {
    this.#thread!.postMessage(request);
  }

  #tell(news: 'replaced'): Promise<number> {
    const { redis, keys } = this.#options;
    return redis.rpush(keys.inbox, encodeMessage({ worker: this.id, news }));
  }

  async #tellFailure(data: JobData, error: Error): Promise<void> {
    const { redis, keys } = this.#options;
    const isLoss = /its thread has ended|stalled/.test(error.message);
    const failure = isLoss
      ? { error: lossMessage(data, error.message), code: 'WORKER_LOST' }
      : { error: error.message, ...(error instanceof VeloError ? { code: error.code } : {}) };
    await persist(redis, () => redis.rpush(keys.inbox, encodeMessage({ ...data, worker: this.id, ...failure })));
  }
}
