/**
 * Workers on other machines, through BullMQ on Redis. Jobs carry an update's number and a pair's; results are two scalars;
 * and the results of every update are kept in Redis, from which workers compute theta themselves.
 */
import { randomUUID } from 'node:crypto';
import { VeloError } from '@velojs/core';
import type { JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { checksumOf } from '../identity.ts';
import type { PairResult } from '../particles.ts';
import type { Replica } from '../replica.ts';
import type { StartWorkers, Workers } from '../workers.ts';
import { connect, farewell, type Libraries, loadLibraries, persist } from './redis.ts';
import {
  decodeMessage,
  encodeResults,
  encodeState,
  type JobData,
  type Keys,
  keysOf,
  REMEMBERED,
  type RunAddress,
  type RunStatus,
  recordOf,
  SHARED_QUEUE,
} from './run-record.ts';

export interface QueueWorkersOptions extends RunAddress {
  /** Milliseconds that a worker may be silent before others do its work; default 15,000. */
  readonly patience?: number;
  /** Told what happens to the connection, for people. */
  readonly onEvent?: (event: string) => void;
}

/** A job that this many workers have failed at ends the run. */
export const ATTEMPTS = 3;
/** Updates between states that are written to Redis. */
const SNAPSHOT_EVERY = 64;
/** Messages that are read at once. */
const INBOX_COUNT = 1_000;

const JOB_OPTIONS: JobsOptions = {
  attempts: ATTEMPTS,
  removeOnComplete: true,
  removeOnFail: { count: 100, age: 3_600 },
};

interface Pending {
  readonly data: JobData;
  /** How often it was handed out. */
  times: number;
  /** How many workers have gone silent over it. */
  losses: number;
  /** The queue that it is in; null where there is no worker for it. */
  queue: string | null;
  since: number;
  readonly resolve: (values: readonly number[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Has the work done by those who called `serveWorker` with the same Redis and run, however many there are, whenever they
 * come and go. Until one comes, it waits.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where BullMQ is not installed; `INVALID_ARGUMENT` for a Redis that does not
 * answer at the start, or a run that someone else leads. Later a Redis that does not answer is waited for; one that has
 * lost its data, or refuses to work, is `WORKER_LOST`.
 * @example
 * ```ts
 * await metaTrain({ config, folder, workers: queueWorkers({ connection: 'redis://queue:6379', run: 'mine' }) });
 * ```
 */
export const queueWorkers =
  (options: QueueWorkersOptions): StartWorkers =>
  async (replica) => {
    const keys = keysOf(options.run);
    const libraries = await loadLibraries();
    const { onEvent = () => {}, patience = 15_000 } = options;
    const redis = await connect(libraries, options.connection, (isThere) => {
      onEvent(isThere ? 'Redis is there again' : 'Redis does not answer, waiting for it');
    });
    const leader = new QueueLeader(replica, { libraries, redis, keys, patience, run: options.run });
    try {
      await leader.start();
    } catch (error) {
      await leader.close();
      throw error;
    }
    return leader;
  };

class QueueLeader implements Workers {
  lost = 0;
  readonly #replica: Replica;
  readonly #libraries: Libraries;
  readonly #redis: Redis;
  /** For the command that waits. */
  readonly #listener: Redis;
  readonly #keys: Keys;
  readonly #run: string;
  readonly #patience: number;
  readonly #session = randomUUID().slice(0, 8);
  readonly #queues = new Map<string, Queue<JobData>>();
  readonly #pending = new Map<string, Pending>();
  readonly #workers = new Set<string>();
  /** Where pairs keep state: who has it. */
  readonly #holders = new Map<number, string>();
  readonly #isSticky: boolean;
  #timer: NodeJS.Timeout | undefined;
  #tending = false;
  #leads = false;
  #closed = false;
  #failure: unknown;
  #signal: AbortSignal | undefined;

  constructor(
    replica: Replica,
    options: { libraries: Libraries; redis: Redis; keys: Keys; patience: number; run: string },
  ) {
    this.#replica = replica;
    this.#libraries = options.libraries;
    this.#redis = options.redis;
    this.#listener = options.redis.duplicate();
    this.#listener.on('error', () => {});
    this.#keys = options.keys;
    this.#run = options.run;
    this.#patience = options.patience;
    this.#isSticky = replica.config.estimator.kind === 'pes';
  }

  get count(): number {
    return this.#workers.size;
  }

  async start(): Promise<void> {
    const { run, updates, state, inbox, leader } = this.#keys;
    await this.#lead();
    const { search } = this.#replica;
    const record = JSON.stringify(recordOf(this.#replica, this.#patience));
    await persist(this.#redis, () =>
      this.#redis
        .multi()
        .del(updates, inbox)
        .set(state, encodeState(search.state))
        .hset(run, {
          session: this.#session,
          status: 'running' satisfies RunStatus,
          record,
          version: checksumOf(record),
        })
        .persist(run)
        .pexpire(leader, this.#patience)
        .exec(),
    );
    // Jobs of a leader that went without a word; workers would drop them one by one.
    await persist(this.#redis, () => this.#queue(SHARED_QUEUE).drain());
    await this.#listener.connect();
    void this.#listen();
    await this.#findWorkers();
    this.#timer = setInterval(() => void this.#tend(), this.#patience / 3);
  }

  async runPairs(pairs: readonly number[], signal?: AbortSignal): Promise<PairResult[]> {
    // The longest first, so that no worker is left with one at the end.
    const { episodes, search } = this.#replica;
    const length = (pair: number) => episodes.at(pair, search.step).totalSteps;
    const order = pairs.toSorted((a, b) => length(b) - length(a));
    const results = await this.#all('pair', order, signal);
    const byPair = new Map(order.map((pair, i) => [pair, results[i]!]));
    return pairs.map((pair) => byPair.get(pair) as unknown as PairResult);
  }

  async validate(tasks: readonly number[], signal?: AbortSignal): Promise<number[]> {
    const results = await this.#all('validation', tasks, signal);
    return results.map(([score]) => score!);
  }

  async update(results: readonly PairResult[]): Promise<void> {
    const { step, state } = this.#replica.search;
    const { updates, state: stateKey } = this.#keys;
    const write = () => {
      const commands = this.#redis.multi().hset(updates, step, encodeResults(results));
      if (step % SNAPSHOT_EVERY === 0) {
        // Of the updates before it, those of one more period are left to workers that are a little behind.
        const old = Array.from({ length: SNAPSHOT_EVERY }, (_, i) => String(step - 2 * SNAPSHOT_EVERY + i));
        commands.set(stateKey, encodeState(state)).hdel(updates, ...old);
      }
      return commands.exec();
    };
    await this.#orAborted(persist(this.#redis, write));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#rejectAll(new VeloError('DISPOSED', 'The workers were closed.'));
    if (this.#leads) await farewell(() => this.#leave());
    this.#redis.disconnect();
    this.#listener.disconnect();
  }

  async #leave(): Promise<void> {
    const { run, updates, state, inbox, leader } = this.#keys;
    const { config, search } = this.#replica;
    const isFinished = search.step === config.updates;
    const status: RunStatus = isFinished ? 'finished' : 'paused';
    await this.#redis.hset(run, { status });
    await Promise.all([...this.#queues.values()].map((queue) => queue.drain()));
    if (isFinished) {
      await Promise.all([...this.#queues.values()].map((queue) => queue.obliterate({ force: true })));
      await this.#redis.multi().del(updates, state, inbox).expire(run, REMEMBERED).exec();
    }
    await this.#redis.del(leader);
  }

  /** Becomes the leader: at once, or when the one before, if it went without a word, has been silent for long enough. */
  async #lead(): Promise<void> {
    const { leader } = this.#keys;
    const start = Date.now();
    while (!(await this.#redis.set(leader, this.#session, 'PX', this.#patience, 'NX'))) {
      if (Date.now() - start > 1.5 * this.#patience) {
        throw new VeloError(
          'INVALID_ARGUMENT',
          `The run ${this.#run} is led by another process: end that one, or give this run another name.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, this.#patience / 3)));
    }
    this.#leads = true;
  }

  async #all(
    kind: JobData['kind'],
    indices: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<(readonly number[])[]> {
    signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    this.#signal = signal;
    const { step } = this.#replica.search;
    const added: Pending[] = [];
    const done = Promise.all(
      indices.map(
        (index) =>
          new Promise<readonly number[]>((resolve, reject) => {
            const data = { session: this.#session, kind, step, index };
            const pending = { data, times: 0, losses: 0, queue: null, since: 0, resolve, reject };
            this.#pending.set(idOf(data), pending);
            added.push(pending);
          }),
      ),
    );
    this.#handOut(added);
    try {
      return await this.#orAborted(done);
    } catch (error) {
      this.#pending.clear();
      done.catch(() => {});
      throw error;
    }
  }

  /** Rejects with the signal's reason when it is aborted first. */
  async #orAborted<R>(work: Promise<R>): Promise<R> {
    const signal = this.#signal;
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal?.reason);
      if (signal?.aborted) onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      work.catch(() => {});
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #handOut(jobs: readonly Pending[]): void {
    const byQueue = new Map<string, Pending[]>();
    const assign = (job: Pending, queue: string | null) => {
      job.queue = queue;
      job.since = Date.now();
      if (queue !== null) byQueue.set(queue, [...(byQueue.get(queue) ?? []), job]);
    };
    if (this.#isSticky) {
      const load = new Map([...this.#workers].map((worker) => [worker, 0]));
      const count = (worker: string) => load.set(worker, load.get(worker)! + 1);
      for (const { queue } of this.#pending.values()) if (queue !== null && load.has(queue)) count(queue);
      const free = jobs.filter((job) => {
        const holder = this.#holderOf(job.data);
        if (holder === undefined) return true;
        assign(job, holder);
        count(holder);
        return false;
      });
      for (const job of free) {
        const [worker] = [...load].reduce<readonly [string | null, number]>(
          (a, b) => (b[1] < a[1] ? b : a),
          [null, Infinity],
        );
        assign(job, worker);
        if (worker !== null) count(worker);
      }
    } else for (const job of jobs) assign(job, SHARED_QUEUE);
    for (const [name, members] of byQueue) {
      const queue = this.#queue(name);
      const bulk = members.map((job) => ({
        name: job.data.kind,
        data: job.data,
        // With a name of its own it is the same job however often the command is sent.
        opts: { ...JOB_OPTIONS, jobId: `${idOf(job.data)}-${job.times++}` },
      }));
      persist(this.#redis, () => queue.addBulk(bulk)).catch((error: unknown) => this.#fail(error));
    }
  }

  /** The worker that has the state of a pair's unfinished episode. */
  #holderOf({ kind, index, step }: JobData): string | undefined {
    if (kind !== 'pair') return undefined;
    const holder = this.#holders.get(index);
    const isFresh = this.#replica.episodes.at(index, step).begin === step;
    return isFresh || holder === undefined || !this.#workers.has(holder) ? undefined : holder;
  }

  #queue(name: string): Queue<JobData> {
    let queue = this.#queues.get(name);
    if (!queue) {
      const { prefix } = this.#keys;
      queue = new this.#libraries.Queue<JobData>(name, {
        ...{ connection: this.#redis, prefix },
        streams: { events: { maxLen: 10 } },
      });
      queue.on('error', () => {});
      this.#queues.set(name, queue);
    }
    return queue;
  }

  async #listen(): Promise<void> {
    const { inbox } = this.#keys;
    while (!this.#closed) {
      try {
        const first = await this.#listener.blpop(inbox, 5);
        if (!first) continue;
        this.#receive(first[1]);
        for (const text of (await this.#redis.lpop(inbox, INBOX_COUNT)) ?? []) this.#receive(text);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  #receive(text: string): void {
    const message = decodeMessage(text);
    if ('news' in message) {
      const { worker, news } = message;
      if (news === 'replaced') this.lost++;
      else if (news === 'there') this.#workers.add(worker);
      else {
        this.#workers.delete(worker);
        this.#forget(worker);
      }
      if (news !== 'replaced') this.#rearrange();
      return;
    }
    const { session, worker, kind, index } = message;
    if (session !== this.#session) return;
    // The second result of a job finds it gone.
    const pending = this.#pending.get(idOf(message));
    if (!pending) return;
    this.#pending.delete(idOf(message));
    if ('values' in message) {
      if (kind === 'pair') this.#holders.set(index, worker);
      pending.resolve(message.values);
    } else {
      const { error, code } = message;
      pending.reject(code === undefined ? new Error(error) : new VeloError(code as VeloError['code'], error));
    }
  }

  /** Gives the jobs of workers that are gone to others. */
  #rearrange(): void {
    if (!this.#isSticky) return;
    const orphans = [...this.#pending.values()].filter(({ queue }) => queue === null || !this.#workers.has(queue));
    for (const job of orphans) job.queue = null;
    this.#handOut(orphans);
  }

  async #tend(): Promise<void> {
    if (this.#tending) return;
    this.#tending = true;
    try {
      await this.#renew();
      await this.#findWorkers();
      await this.#findJobs();
    } catch (error) {
      if (error instanceof VeloError) this.#fail(error);
    } finally {
      this.#tending = false;
    }
  }

  /** Is still the leader, of a run that is still there. */
  async #renew(): Promise<void> {
    const { run, leader } = this.#keys;
    const [session, leading] = await Promise.all([this.#redis.hget(run, 'session'), this.#redis.get(leader)]);
    if (this.#closed) return;
    if (session === null) {
      throw new VeloError(
        'WORKER_LOST',
        `Redis has lost the run ${this.#run}: it should keep its data (appendonly yes). The run goes on from its last checkpoint.`,
      );
    }
    if (session !== this.#session || (leading !== null && leading !== this.#session)) {
      throw new VeloError('WORKER_LOST', `Another process has taken over the run ${this.#run}.`);
    }
    await this.#redis.set(leader, this.#session, 'PX', this.#patience);
  }

  /** Who is there: those who said so not long ago. */
  async #findWorkers(): Promise<void> {
    const { workers, worker } = this.#keys;
    const known = await this.#redis.smembers(workers);
    const signs = known.length > 0 ? await this.#redis.mget(known.map(worker)) : [];
    const gone = known.filter((_, i) => signs[i] === null);
    const before = this.#workers.size;
    for (const id of gone) {
      if (this.#workers.delete(id)) this.lost++;
      await this.#redis.srem(workers, id);
      this.#mourn(id);
    }
    for (const id of known) if (!gone.includes(id)) this.#workers.add(id);
    if (gone.length > 0 || this.#workers.size !== before) this.#rearrange();
  }

  /** Its jobs are done by others, but not for ever. */
  #mourn(worker: string): void {
    for (const job of [...this.#pending.values()]) {
      if (job.queue !== worker || ++job.losses < ATTEMPTS) continue;
      this.#pending.delete(idOf(job.data));
      job.reject(new VeloError('WORKER_LOST', lossMessage(job.data, 'they were silent')));
    }
    this.#forget(worker);
  }

  /** The queue of a worker that is gone; its jobs are given to others. */
  #forget(worker: string): void {
    const queue = this.#queues.get(worker);
    this.#queues.delete(worker);
    queue?.obliterate({ force: true }).catch(() => {});
  }

  /** Jobs that are nowhere any more: Redis lost them, or what came of them. */
  async #findJobs(): Promise<void> {
    for (const job of [...this.#pending.values()]) {
      if (job.queue === null || Date.now() - job.since < this.#patience) continue;
      const state = await this.#queue(job.queue).getJobState(`${idOf(job.data)}-${job.times - 1}`);
      if (!this.#pending.has(idOf(job.data))) continue;
      // What there is to say of one that has ended would have been said.
      if (state === 'waiting' || state === 'active' || state === 'delayed') job.since = Date.now();
      else this.#handOut([job]);
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#failure ??= error;
    this.#rejectAll(error);
  }

  #rejectAll(error: unknown): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** Of a job that workers do not survive. */
export const lossMessage = ({ kind, index }: JobData, reason: string): string =>
  `${kind} ${index} has ended ${ATTEMPTS} workers (${reason}). The run goes on from its last checkpoint.`;

const idOf = ({ session, kind, step, index }: JobData): string => `${session}-${step}-${kind}-${index}`;
