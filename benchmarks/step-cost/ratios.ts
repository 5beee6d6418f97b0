/** Ratios of times that were measured in the same rounds. */
import type { ThetaName } from './contender.ts';
import type { Part, ProcessResults, Timing } from './results.ts';

/** The median of the rounds' ratios, with their quartiles. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Processor time, or the clock on the wall where one of the two uses several threads. */
  readonly clock: Clock;
}

export type Clock = 'cpu' | 'wall';

export function ratioOf(numerator: Timing, denominator: Timing): Ratio {
  const clock = clockOf(numerator, denominator);
  const ratios = numerator[clock].map((value, round) => value / denominator[clock][round]!);
  return { median: quantile(ratios, 0.5), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75), clock };
}

export const clockOf = (...timings: readonly Timing[]): Clock =>
  timings.some(({ threads }) => threads > 1) ? 'wall' : 'cpu';

/** Nanoseconds per run. */
export const medianTime = (timing: Timing): number => quantile(timing[clockOf(timing)], 0.5);

/** Between the two nearest values, in proportion. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
  return below + (above - below) * (position - Math.floor(position));
}

export interface Selection {
  readonly contender: string;
  readonly theta: ThetaName | null;
  /** Default `step`. */
  readonly part?: Part;
}

export const select = (
  timings: readonly Timing[],
  { contender, theta, part = 'step' }: Selection,
): Timing | undefined =>
  timings.find((timing) => timing.contender === contender && timing.theta === theta && timing.part === part);

/** Of the first process that measured both in the group of this name. */
export function findRatio(
  processes: readonly ProcessResults[],
  group: string,
  numerator: Selection,
  denominator: Selection,
): Ratio | null {
  for (const { groups } of processes) {
    const timings = groups.find(({ name }) => name === group)?.timings ?? [];
    const [above, below] = [select(timings, numerator), select(timings, denominator)];
    if (above && below) return ratioOf(above, below);
  }
  return null;
}
