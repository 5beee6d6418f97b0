/** Summaries of results over tasks and seeds, with bootstrap intervals. */
import { keyOf, Random } from '../random.ts';

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The mean of the middle half (interquartile mean): a quarter of the values, rounded down, is left out at either end. Less
 * noisy than the median, and no outlier moves it (Agarwal et al. 2021, arXiv 2108.13264).
 */
export function interquartileMean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 4);
  return mean(values.toSorted((a, b) => a - b).slice(cut, values.length - cut));
}

/** The value below which this share of the values lies, interpolated linearly. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)]!;
  const high = sorted[Math.ceil(place)]!;
  return low === high ? low : low + (high - low) * (place - Math.floor(place));
}

/** A figure and the interval that holds 95 % of its bootstrap replicates. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** One task: the group that it belongs to, and how many seeds it was run with. */
export interface Cell {
  readonly group: string;
  readonly seeds: number;
}

/** Tasks of a sample, by index, each with the seeds of the sample. */
export type Sample = readonly { readonly task: number; readonly seeds: readonly number[] }[];

const REPLICATES = 2000;

/** Computes a statistic and its interval. */
export type Bootstrap = (statistic: (sample: Sample) => number) => Estimate;

/**
 * Statistics with their 95 % percentile bootstrap intervals. Replicates draw as many tasks as there are from each group
 * (groups are strata) and as many seeds as there are for each drawn task, both with replacement: the same replicates for
 * every statistic, and on every call. A statistic is computed of all tasks with all seeds, which gives the value, and of
 * each replicate.
 */
export function createBootstrap(cells: readonly Cell[], replicates: number = REPLICATES): Bootstrap {
  const all = cells.map(({ seeds }, task) => ({ task, seeds: Array.from({ length: seeds }, (_, seed) => seed) }));
  const groups = new Set(cells.map(({ group }) => group));
  const strata = [...groups].map((name) => [...cells.keys()].filter((task) => cells[task]!.group === name));
  const random = new Random(keyOf(0));
  const samples = Array.from(
    { length: replicates },
    (): Sample =>
      strata.flatMap((tasks) =>
        tasks.map(() => {
          const task = random.choice(tasks);
          return { task, seeds: all[task]!.seeds.map(() => random.integer(cells[task]!.seeds)) };
        }),
      ),
  );
  return (statistic) => {
    const values = samples.map(statistic);
    return { value: statistic(all), low: quantile(values, 0.025), high: quantile(values, 0.975) };
  };
}
