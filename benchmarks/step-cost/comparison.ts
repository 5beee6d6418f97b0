/** Two runs of the benchmark beside each other. Absolute times depend on machine and moment: ratios within each run do not. */
import { findRatio, type Ratio } from './ratios.ts';
import type { Results, Timing } from './results.ts';

export interface Change {
  readonly group: string;
  readonly timing: Timing;
  /** What it was divided by, in both runs. */
  readonly opponent: string;
  readonly before: Ratio;
  readonly after: Ratio;
  /** Median after over median before. */
  readonly change: number;
  /** `same` where the quartiles of the two overlap. */
  readonly verdict: 'faster' | 'slower' | 'same';
}

/** The first that both runs measured: the steadiest first. */
export const REFERENCES: readonly string[] = ['tfjs-wasm Adam', 'our WASM Adam', 'JavaScript Adam'];

/** Every step of VeLO that both runs measured, over an opponent that both measured in the same process. */
export function compareResults(before: Results, after: Results): Change[] {
  const seen = new Set<string>();
  return after.processes.flatMap(({ groups }) =>
    groups.flatMap(({ name: group, timings }) =>
      timings.flatMap((timing): Change[] => {
        const key = [group, timing.contender, timing.theta].join();
        if (timing.theta === null || timing.part !== 'step' || seen.has(key)) return [];
        seen.add(key);
        const opponent = REFERENCES.find(
          (name) => ratioIn(before, group, timing, name) && ratioIn(after, group, timing, name),
        );
        if (opponent === undefined) return [];
        const [old, now] = [ratioIn(before, group, timing, opponent)!, ratioIn(after, group, timing, opponent)!];
        const verdict = now.high < old.low ? 'faster' : now.low > old.high ? 'slower' : 'same';
        return [{ group, timing, opponent, before: old, after: now, change: now.median / old.median, verdict }];
      }),
    ),
  );
}

const ratioIn = ({ processes }: Results, group: string, timing: Timing, opponent: string): Ratio | null =>
  findRatio(processes, group, timing, { contender: opponent, theta: null });
