/** Measurements for tests, made up. */
import type { Group, ProcessResults, Results, Timing } from './results.ts';
import { resultsOf } from './results.ts';

/** Of both clocks, where `wall` is not given. */
export function timing(contender: string, cpu: readonly number[], rest: Partial<Timing> = {}): Timing {
  const theta = contender.startsWith('VeLO') ? 'starter' : null;
  return { contender, theta, threads: 1, part: 'step', cpu, wall: cpu, ...rest };
}

export const group = (name: string, ...timings: Timing[]): Group => ({
  name,
  title: `title of ${name}`,
  tensors: 2,
  parameters: 1000,
  timings,
});

export const processOf = (...groups: Group[]): ProcessResults => ({ flags: [], groups, leftOut: [] });

export const results = (...processes: ProcessResults[]): Results => ({ ...resultsOf(3, processes), goals: [] });
