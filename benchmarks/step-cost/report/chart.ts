/** What a step takes against what there is to train, in the terminal, on logarithmic axes. */
import plot, { type LineFormatterArgs } from 'simple-ascii-chart';
import { formatTick, logTicks } from '../../../packages/velojs/src/train/report/scale.ts';
import { medianTime } from '../ratios.ts';
import type { ProcessResults } from '../results.ts';
import { groupsOf, labels, rowsOf } from './tables.ts';

/** Workloads that differ in size most of all. */
const GROUPS = ['tiny-mlp', 'mlp', '1024x1024', '4M'];
const CURVES = [
  { contender: 'VeLO cpu', theta: 'starter', letter: 'C' },
  { contender: 'VeLO wasm', theta: 'starter', letter: 'V' },
  { contender: 'VeLO wasm', theta: 'released', letter: 'R' },
  { contender: 'tfjs-cpu Adam', theta: null, letter: 'c' },
  { contender: 'tfjs-wasm Adam', theta: null, letter: 't' },
  { contender: 'JavaScript Adam', theta: null, letter: 'j' },
  { contender: 'our WASM Adam', theta: null, letter: 'a' },
] as const;

const HEIGHT = 18;
/** What the axis and its labels take beside the plot. */
const MARGIN = 12;

/** Null where fewer than two of the workloads were measured. */
export function chart(processes: readonly ProcessResults[], columns: number): string | null {
  const groups = groupsOf(processes).filter(({ name }) => GROUPS.includes(name));
  if (groups.length < 2) return null;
  const curves = CURVES.map((curve) => ({
    letter: curve.letter,
    points: groups.flatMap(({ name, parameters }): [number, number][] => {
      const row = rowsOf(processes, name).rows.find(
        ({ timing }) => timing.contender === curve.contender && timing.theta === curve.theta,
      );
      return row ? [[Math.log10(parameters!), Math.log10(medianTime(row.timing) / 1e3)]] : [];
    }),
    name: labels({ ...curve, threads: 1, part: 'step', cpu: [], wall: [] })
      .filter(Boolean)
      .join(', '),
  })).filter(({ points }) => points.length > 1);

  const microseconds = curves.flatMap(({ points }) => points.map(([, y]) => 10 ** y));
  const text = plot(
    curves.map(({ points }) => points),
    {
      width: Math.max(40, Math.min(columns, 110) - MARGIN),
      height: HEIGHT,
      xLabel: 'parameters',
      formatter: (value) => formatTick(10 ** value),
      customXAxisTicks: groups.map(({ parameters }) => Math.log10(parameters!)),
      customYAxisTicks: logTicks(Math.min(...microseconds), Math.max(...microseconds)).map(Math.log10),
      lineFormatter: ({ x, y, index, plotX, plotY }: LineFormatterArgs) => {
        // The library tells a point's position in its curve but not which curve: found again by its values.
        const curve = curves.find(({ points }) => points[index]?.[0] === x && points[index]?.[1] === y);
        return { x: plotX, y: plotY, symbol: curve?.letter ?? '?' };
      },
    },
  );
  return [
    'Microseconds per step against the number of parameters, both logarithmic',
    text.replace(/^\n+|\s+$/g, ''),
    curves.map(({ letter, name }) => `${letter} = ${name}`).join('   '),
  ].join('\n');
}
