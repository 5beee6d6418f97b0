/** Loss curves in the terminal, on a logarithmic axis. */
import plot, { type LineFormatterArgs, type Settings } from 'simple-ascii-chart';
import type { Palette } from '../../palette.ts';
import { type Comparison, type ShownRun, shownRuns } from '../comparison.ts';
import { lossHeading } from './format.ts';
import { formatTick, logTicks } from './scale.ts';

const STYLES = {
  velo: { ansi: 'ansiGreen', color: 'green', letter: 'V' },
  default: { ansi: 'ansiYellow', color: 'yellow', letter: 'a' },
  best: { ansi: 'ansiCyan', color: 'cyan', letter: 'b' },
} as const satisfies Record<ShownRun['role'], object>;

const HEIGHT = 14;
/** What the axis and its labels take beside the plot. */
const MARGIN = 12;

/**
 * Curves with a heading and a legend, no wider than `columns`: coloured lines, or letters where there is no colour.
 * `null` where nothing can be drawn: no run has two points.
 */
export function chart(comparison: Comparison, columns: number, palette: Palette): string | null {
  const shown = shownRuns(comparison)
    .map(({ run, ...rest }) => ({ ...rest, points: run.curve.filter(({ loss }) => loss > 0) }))
    .filter(({ points }) => points.length > 1);
  if (shown.length === 0) return null;
  const curves = shown.map(({ points }) => points.map(({ step, loss }): [number, number] => [step, Math.log10(loss)]));
  const losses = shown.flatMap(({ points }) => points.map(({ loss }) => loss));
  const settings: Settings = {
    width: Math.max(20, Math.min(columns, 100) - MARGIN),
    height: HEIGHT,
    xLabel: 'step',
    formatter: (value, { axis }) => (axis === 'y' ? formatTick(10 ** value) : Math.round(value)),
    customYAxisTicks: logTicks(Math.min(...losses), Math.max(...losses)).map(Math.log10),
    customXAxisTicks: [0.25, 0.5, 0.75].map((share) => Math.round(share * comparison.task.steps)),
    ...(palette.isColorSupported
      ? { color: shown.map(({ role }) => STYLES[role].ansi) }
      : { lineFormatter: asLetters(curves, shown) }),
  };
  const legend = shown.map(({ role, label }) => {
    const { color, letter } = STYLES[role];
    return palette.isColorSupported ? palette[color](`━━ ${label}`) : `${letter} = ${label}`;
  });
  const heading = `${lossHeading(comparison.task)} of the training batches, logarithmic`;
  return [heading, plot(curves, settings).replace(/^\n+|\s+$/g, ''), `  ${legend.join('   ')}`].join('\n');
}

/** The library tells a point's position in its curve but not which curve: found again by its values. */
const asLetters =
  (curves: readonly (readonly [number, number])[][], shown: readonly Pick<ShownRun, 'role'>[]) =>
  ({ x, y, index, plotX, plotY }: LineFormatterArgs) => {
    const curve = curves.findIndex((points) => points[index]?.[0] === x && points[index]?.[1] === y);
    return { x: plotX, y: plotY, symbol: STYLES[shown[curve]?.role ?? 'velo'].letter };
  };
