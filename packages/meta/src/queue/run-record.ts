/** What a run is in Redis: its keys, what a worker must agree with, and what is sent. */
import { deserialize, serialize } from 'node:v8';
import { VeloError } from '@velojs/core';
import type { MetaConfig } from '../config.ts';
import { configChecksum, moduleChecksums, startChecksum } from '../identity.ts';
import type { PairResult } from '../particles.ts';
import type { Replica } from '../replica.ts';
import type { SearchState } from '../search.ts';
import { VERSION } from '../version.ts';

export interface RunAddress {
  /** Of Redis, such as `redis://host:6379`, or `rediss:` for an encrypted connection. */
  readonly connection: string;
  /** What the run is called there: letters, digits, `.`, `_` and `-`. */
  readonly run: string;
}

/** Seconds for which a finished run is remembered, so that workers that come late are told. */
export const REMEMBERED = 86_400;

/** The name of the queue that all workers share; the others are a worker's own. */
export const SHARED_QUEUE = 'jobs';

export interface Keys {
  readonly prefix: string;
  /** A hash: `session`, `status`, `record` and the checksum of that, `version`. */
  readonly run: string;
  /** A hash: the results of an update by its number. */
  readonly updates: string;
  /** A state of the search that the updates which are kept lead on from. */
  readonly state: string;
  /** A list: messages to the leader. */
  readonly inbox: string;
  /** A set: the workers that there are, as far as it is known. */
  readonly workers: string;
  /** Is there for as long as the worker can be believed to be. */
  worker(id: string): string;
  /** The session of the leader that there is. */
  readonly leader: string;
}

/** @throws VeloError `INVALID_ARGUMENT` for a name that cannot be used. */
export function keysOf(run: string): Keys {
  if (!/^[\w.-]{1,80}$/.test(run)) {
    throw new VeloError('INVALID_ARGUMENT', `"${run}" cannot be the name of a run: letters, digits, ".", "_" and "-".`);
  }
  // In braces: a cluster keeps all of it on one machine.
  const prefix = `velojs:{${run}}`;
  return {
    prefix,
    run: `${prefix}:run`,
    updates: `${prefix}:updates`,
    state: `${prefix}:state`,
    inbox: `${prefix}:inbox`,
    workers: `${prefix}:workers`,
    worker: (id) => `${prefix}:worker:${id}`,
    leader: `${prefix}:leader`,
  };
}

/** What is the same for all who take part. */
export interface RunRecord {
  readonly velojs: string;
  /** Its `Math.exp` and the like are part of the result. */
  readonly v8: string;
  readonly config: MetaConfig;
  /** Of the numbers of the theta that is started from. */
  readonly start: string;
  /** Of each module's file; null for packages. */
  readonly modules: readonly (string | null)[];
  /** Milliseconds that a worker may be silent. */
  readonly patience: number;
}

/** `running`: a leader is there, or was until a moment ago. `paused`: it will come back. `finished`: it will not. */
export type RunStatus = 'running' | 'paused' | 'finished';

const v8 = (): string => process.versions.v8.split('.').slice(0, 2).join('.');

export function recordOf(replica: Replica, patience: number): RunRecord {
  const { config } = replica;
  return {
    velojs: VERSION,
    v8: v8(),
    config,
    start: startChecksum(replica),
    modules: moduleChecksums(config),
    patience,
  };
}

/**
 * The configuration that a worker runs: the record's, or its own, which may have its modules elsewhere.
 *
 * @throws VeloError `INVALID_ARGUMENT` where numbers could come out otherwise than at the leader.
 */
export function agreedConfig(record: RunRecord, own: MetaConfig | undefined): MetaConfig {
  for (const [name, here, there] of [
    ['velojs', VERSION, record.velojs],
    ["Node's V8", v8(), record.v8],
  ] as const) {
    if (here !== there) throw refused(`it has ${name} ${here}, and the run ${there}: results would not be the same`);
  }
  const config = own ?? record.config;
  if (configChecksum(config) !== configChecksum(record.config))
    throw refused('its configuration is another than that of the run');
  const modules = moduleChecksums(config);
  const differing = modules.findIndex((checksum, i) => checksum !== record.modules[i]);
  if (modules.length !== record.modules.length || differing >= 0) {
    throw refused(`its file ${config.tasks.modules[differing] ?? ''} is another than that of the run`);
  }
  return config;
}

/** @throws VeloError `INVALID_ARGUMENT` where the start is another than the leader's. */
export function checkStart(record: RunRecord, replica: Replica): void {
  if (startChecksum(replica) !== record.start)
    throw refused('the theta that it starts from is another than that of the run');
}

const refused = (reason: string) => new VeloError('INVALID_ARGUMENT', `This worker cannot take part: ${reason}.`);

/** A piece of work. */
export interface JobData {
  readonly session: string;
  readonly kind: 'pair' | 'validation';
  /** The update that is being made. */
  readonly step: number;
  readonly index: number;
}

/** To the leader. */
export type Message =
  | (JobData & { readonly worker: string; readonly values: readonly number[] })
  | (JobData & { readonly worker: string; readonly error: string; readonly code?: string })
  | { readonly worker: string; readonly news: 'there' | 'gone' | 'replaced' };

export const encodeMessage = (message: Message): string => JSON.stringify(message);

/** JSON has no NaN: it comes back from `null`. */
export function decodeMessage(text: string): Message {
  const message = JSON.parse(text) as Message;
  return 'values' in message ? { ...message, values: message.values.map((value) => value ?? Number.NaN) } : message;
}

/** 16 bytes per pair. */
export const encodeResults = (results: readonly PairResult[]): Buffer =>
  Buffer.from(Float64Array.from(results.flat()).buffer);

export function decodeResults(bytes: Uint8Array): PairResult[] {
  const values = new Float64Array(Uint8Array.from(bytes).buffer);
  return Array.from({ length: values.length / 2 }, (_, pair) => [values[2 * pair]!, values[2 * pair + 1]!]);
}

export const encodeState = (state: SearchState): Buffer => serialize(state);
export const decodeState = (bytes: Buffer): SearchState => deserialize(bytes) as SearchState;
