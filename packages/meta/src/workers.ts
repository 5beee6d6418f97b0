/** Who runs pairs: behind one interface, so that the outer loop does not care where they are. */
import type { PairResult } from './particles.ts';
import type { Replica } from './replica.ts';
import type { SearchState } from './search.ts';

export interface Workers {
  /** Threads or processes, as far as it is known. */
  readonly count: number;
  /** Workers that were lost and replaced so far. */
  readonly lost: number;
  /**
   * The results of these pairs for the next update, in their order, whoever runs them.
   *
   * @throws the signal's reason when it is aborted.
   */
  runPairs(pairs: readonly number[], signal?: AbortSignal): Promise<PairResult[]>;
  /** The scores of these validation tasks, in their order. */
  validate(tasks: readonly number[], signal?: AbortSignal): Promise<number[]>;
  /** The next update is made of these results. */
  update(results: readonly PairResult[]): Promise<void>;
  close(): Promise<void>;
}

/** Starts workers at a state of the search. */
export type StartWorkers = (replica: Replica, state: SearchState) => Promise<Workers>;

/** In this thread, on the leader's own replica. */
export const ownThread: StartWorkers = async (replica) => {
  const all = async <R>(items: readonly number[], one: (item: number) => R, signal?: AbortSignal): Promise<R[]> => {
    const results: R[] = [];
    for (const item of items) {
      // Lets signals and timers in.
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      results.push(one(item));
    }
    return results;
  };
  return {
    count: 1,
    lost: 0,
    runPairs: (pairs, signal) => all(pairs, (pair) => replica.runPair(pair), signal),
    validate: (tasks, signal) => all(tasks, (task) => replica.validate(task), signal),
    update: async () => {},
    close: async () => {},
  };
};
