/** The times of a group as bars on a logarithmic axis. Colours come from the page's style sheet, by class. */
import { escapeHtml } from '../../../packages/velojs/src/train/report/html-text.ts';
import { clockOf, medianTime, quantile } from '../ratios.ts';
import type { Group, ProcessResults } from '../results.ts';
import { formatTime, labels, rowsOf } from './tables.ts';

const WIDTH = 880;
const ROW = 22;
const LEFT = 250;
const RIGHT = WIDTH - 90;

export function barsSvg(processes: readonly ProcessResults[], group: Group): string {
  const bars = rowsOf(processes, group.name)
    .rows.map(({ timing }) => ({
      timing,
      time: medianTime(timing),
      low: quantile(timing[clockOf(timing)], 0.25),
      high: quantile(timing[clockOf(timing)], 0.75),
    }))
    .sort((a, b) => a.time - b.time);
  if (bars.length === 0) return '';
  const times = bars.flatMap(({ low, high }) => [low, high]);
  // Bars of a logarithmic axis have no natural beginning: a power of ten that leaves the shortest some length.
  const lowest = Math.floor(Math.log10(Math.min(...times) / 2));
  const highest = Math.max(Math.log10(Math.max(...times)), lowest + 1);
  const x = (time: number) => LEFT + ((Math.log10(time) - lowest) / (highest - lowest)) * (RIGHT - LEFT);
  const decades = Array.from({ length: Math.floor(highest) - lowest + 1 }, (_, i) => 10 ** (lowest + i));
  const bottom = bars.length * ROW;

  return `<svg viewBox="0 0 ${WIDTH} ${bottom + 22}" role="img" aria-label="${escapeHtml(group.title)}">
${decades
  .map(
    (time) =>
      `<line class="grid" x1="${x(time).toFixed(1)}" x2="${x(time).toFixed(1)}" y1="0" y2="${bottom}"/>` +
      `<text class="tick" x="${x(time).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${formatDecade(time)}</text>`,
  )
  .join('\n')}
${bars
  .map(({ timing, time, low, high }, i) => {
    const middle = (i + 0.5) * ROW;
    const label = escapeHtml(labels(timing).filter(Boolean).join(', '));
    const kind = timing.theta === null ? 'adam' : 'velo';
    return (
      `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${label}</text>` +
      `<rect class="bar ${kind}" x="${LEFT}" y="${middle - 7}" width="${(x(time) - LEFT).toFixed(1)}" height="14" rx="2"/>` +
      `<line class="spread" x1="${x(low).toFixed(1)}" x2="${x(high).toFixed(1)}" y1="${middle}" y2="${middle}"/>` +
      `<text x="${(x(Math.max(time, high)) + 8).toFixed(1)}" y="${middle + 4}">${formatTime(time)}</text>`
    );
  })
  .join('\n')}
</svg>`;
}

const formatDecade = (time: number): string =>
  time < 1e3 ? `${Math.round(time)} ns` : time < 1e6 ? `${Math.round(time / 1e3)} µs` : `${Math.round(time / 1e6)} ms`;
