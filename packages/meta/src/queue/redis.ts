/** Connections to Redis, and what is said when they break. */
import { VeloError } from '@velojs/core';
import type { Redis } from 'ioredis';

export type Libraries = {
  readonly Queue: typeof import('bullmq').Queue;
  readonly Worker: typeof import('bullmq').Worker;
  readonly WaitingError: typeof import('bullmq').WaitingError;
  readonly Redis: typeof import('ioredis').Redis;
};

/** BullMQ and ioredis: optional, and loaded when there is a run beyond this machine. */
export async function loadLibraries(): Promise<Libraries> {
  try {
    const [{ Queue, Worker, WaitingError }, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { Queue, Worker, WaitingError, Redis };
  } catch (cause) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      'Workers on other machines need BullMQ and ioredis, which are not installed here: npm install bullmq ioredis',
      { cause },
    );
  }
}

/** The longest that a first connection may take. */
const CONNECT_TIMEOUT = 10_000;
/** Between attempts to reach a Redis that was there before. */
const RETRY_DELAY = 500;
/** What is waited for when a connection is given up, as Redis may not answer. */
const FAREWELL = 3_000;

/**
 * A connection that has been made once; when it breaks, commands wait until it is there again.
 *
 * @param onState told when Redis does not answer any more, and when it does again.
 * @throws VeloError `INVALID_ARGUMENT` for an address that is none, or that nothing answers at.
 */
export async function connect(
  { Redis }: Libraries,
  address: string,
  onState: (isThere: boolean) => void,
): Promise<Redis> {
  if (!/^rediss?:\/\/./.test(address) || !URL.canParse(address)) {
    throw new VeloError('INVALID_ARGUMENT', `The address of Redis must be like redis://host:6379, not "${address}".`);
  }
  let wasThere = false;
  let problem = 'no answer';
  const redis = new Redis(address, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT,
    keepAlive: CONNECT_TIMEOUT,
    retryStrategy: () => (wasThere ? RETRY_DELAY : null),
  });
  redis.on('error', (error: Error) => {
    problem = error.message;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    redis.disconnect();
    if (/^(NOAUTH|WRONGPASS)/.test((cause as Error).message)) problem = (cause as Error).message;
    // Without the password that an address may have.
    const { host } = new URL(address);
    throw new VeloError('INVALID_ARGUMENT', `Redis cannot be used at ${host}: ${problem.replace(/\.$/, '')}.`, {
      cause,
    });
  }
  wasThere = true;
  let isThere = true;
  redis.on('close', () => {
    if (isThere && redis.status !== 'end') onState(false);
    isThere = false;
  });
  redis.on('ready', () => {
    isThere = true;
    onState(true);
  });
  return redis;
}

/**
 * Does `command` until it has been done: a broken connection may have cut it. It must be one that may be done twice.
 *
 * @throws VeloError `WORKER_LOST` where Redis refuses it, such as for want of room.
 */
export async function persist<R>(redis: Redis, command: () => Promise<R>): Promise<R> {
  for (;;) {
    try {
      return await command();
    } catch (cause) {
      const { name, message } = cause as Error;
      if (redis.status === 'end') throw cause;
      if (name === 'ReplyError' && !/^(LOADING|TRYAGAIN|CLUSTERDOWN|MASTERDOWN)/.test(message)) {
        throw new VeloError(
          'WORKER_LOST',
          `Redis refuses to go on: ${message}. The run goes on from its last checkpoint.`,
          {
            cause,
          },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    }
  }
}

/** Cleans up before a connection is given up, for as long as Redis may be expected to answer. */
export async function farewell(cleanUp: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FAREWELL);
  });
  await Promise.race([cleanUp().catch(() => {}), patience]);
  clearTimeout(timer);
}
