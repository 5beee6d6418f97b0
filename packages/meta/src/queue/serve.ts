/** A machine's part in a run that a leader elsewhere leads. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import type { MetaConfig } from '../config.ts';
import { Replica } from '../replica.ts';
import { checkThreads } from '../threads.ts';
import { connect, farewell, type Libraries, loadLibraries, persist } from './redis.ts';
import {
  agreedConfig,
  checkStart,
  encodeMessage,
  type Keys,
  keysOf,
  REMEMBERED,
  type RunAddress,
  type RunRecord,
  type RunStatus,
} from './run-record.ts';
import { Slot } from './slot.ts';

export interface ServeWorkerOptions extends RunAddress {
  /** Threads, each of which is a worker; default 1. */
  readonly threads?: number;
  /** The run's configuration with modules where they lie on this machine; default: where they lie at the leader. */
  readonly config?: MetaConfig;
  /** Told what happens, for people. */
  readonly onEvent?: (event: string) => void;
  /** Ends it: what it was doing is given back to others. */
  readonly signal?: AbortSignal;
}

const POLL = 500;

/**
 * Works for a run until that is finished or `signal` is aborted. It may come before the leader does, and stays when the
 * leader goes and comes back.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where BullMQ is not installed; `INVALID_ARGUMENT` for a Redis that does not
 * answer, a number of threads that is none, or where numbers would come out otherwise than at the leader: another version, configuration or module.
 * @example
 * ```ts
 * await serveWorker({ connection: 'redis://queue:6379', run: 'mine', threads: 8 });
 * ```
 */
export async function serveWorker(options: ServeWorkerOptions): Promise<void> {
  const { signal, onEvent = () => {} } = options;
  checkThreads(options.threads ?? 1);
  const keys = keysOf(options.run);
  const libraries = await loadLibraries();
  const redis = await connect(libraries, options.connection, (isThere) => {
    onEvent(isThere ? 'Redis is there again' : 'Redis does not answer, waiting for it');
  });
  try {
    for (let isWaiting = false; !signal?.aborted; ) {
      const { status, record, version } = await persist(redis, () => redis.hgetall(keys.run));
      if (status === ('finished' satisfies RunStatus)) {
        onEvent(`the run ${options.run} is finished`);
        return;
      }
      if (record === undefined || version === undefined) {
        if (!isWaiting) onEvent(`waiting for the run ${options.run} to begin`);
        isWaiting = true;
        await new Promise((resolve) => setTimeout(resolve, POLL));
        continue;
      }
      await serveRecord({ libraries, redis, keys, record, version, options, onEvent });
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    redis.disconnect();
  }
}

/** Until the run is finished, or is another than it was. */
async function serveRecord(context: {
  libraries: Libraries;
  redis: Redis;
  keys: Keys;
  record: string;
  version: string;
  options: ServeWorkerOptions;
  onEvent: (event: string) => void;
}): Promise<void> {
  const { libraries, redis, keys, options, onEvent } = context;
  const { signal, threads = 1 } = options;
  const record = JSON.parse(context.record) as RunRecord;
  const config = agreedConfig(record, options.config);
  const replica = await Replica.create(config);
  try {
    checkStart(record, replica);
  } finally {
    replica.dispose();
  }

  const place = randomUUID().slice(0, 8);
  const { patience } = record;
  const slots = Array.from(
    { length: threads },
    (_, i) => new Slot({ libraries, redis, keys, config, patience, id: `${place}-${i}` }),
  );
  const name = `${hostname()} ${process.pid}`;
  const showUp = () => {
    const signs = redis.multi().sadd(keys.workers, ...slots.map(({ id }) => id));
    for (const { id } of slots) signs.set(keys.worker(id), name, 'PX', patience);
    return signs.exec();
  };
  let timer: NodeJS.Timeout | undefined;
  let end: ((error?: unknown) => void) | undefined;
  try {
    await persist(redis, showUp);
    await persist(redis, () =>
      redis.rpush(keys.inbox, ...slots.map(({ id }) => encodeMessage({ worker: id, news: 'there' }))),
    );
    onEvent(`working for the run ${options.run} in ${threads} ${threads === 1 ? 'thread' : 'threads'}`);
    await new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error));
      if (signal?.aborted) resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
      let isBusy = false;
      timer = setInterval(async () => {
        if (isBusy) return;
        isBusy = true;
        try {
          await showUp();
          const [status, present] = await redis.hmget(keys.run, 'status', 'version');
          if (status === ('finished' satisfies RunStatus) || present !== context.version) end?.();
        } catch {
          // Tried again the next time.
        } finally {
          isBusy = false;
        }
      }, patience / 3);
      for (const slot of slots) slot.start(end);
    });
  } finally {
    clearInterval(timer);
    await farewell(async () => {
      await Promise.all(slots.map((slot) => slot.stop()));
      const signs = redis.multi().srem(keys.workers, ...slots.map(({ id }) => id));
      for (const { id } of slots) signs.del(keys.worker(id));
      for (const { id } of slots) signs.rpush(keys.inbox, encodeMessage({ worker: id, news: 'gone' }));
      // The leader may not come back to read it.
      await signs.expire(keys.inbox, REMEMBERED).exec();
    });
    if (signal?.aborted) for (const slot of slots) slot.abandon();
  }
}
