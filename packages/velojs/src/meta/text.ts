/** A run as text for the terminal. */
import { stripVTControlCharacters } from 'node:util';
import plot from 'simple-ascii-chart';
import type { Palette } from '../palette.ts';
import { formatCount } from '../train/report/format.ts';
import type { History } from './history.ts';
import type { MetaConfig, MetaProgress, Validation } from './load-meta.ts';

const HEIGHT = 10;
/** What the axis and its labels take beside the plot. */
const MARGIN = 12;
/** Validations that are shown. */
const ROWS = 6;
const BAR = 30;

export const formatScore = (score: number): string => (Number.isFinite(score) ? score.toFixed(3) : '-');

/** `1 d 3 h`, `2 h 05 min`, `12 min 03 s`, `40 s` */
export function formatDuration(seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600), Math.floor(seconds / 60)];
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${two(minutes % 60)} min`;
  return minutes > 0 ? `${minutes} min ${two(seconds % 60)} s` : `${Math.ceil(seconds)} s`;
}

/** What is trained, in one line. */
export function describeRun(config: MetaConfig, size: string): string {
  const { estimator, pairs, horizon, updates } = config;
  const families = Object.keys(config.tasks.families).length;
  const kind =
    estimator.kind === 'es' ? 'ES, whole trainings' : `PES, ${formatCount(estimator.truncation)} steps at a time`;
  return (
    `${formatCount(updates)} updates of ${pairs} pairs (${kind}), trainings of ${formatCount(horizon.low)} to ` +
    `${formatCount(horizon.high)} steps, ${families} task ${families === 1 ? 'family' : 'families'}, ${size}`
  );
}

/** An update in a line, for where there is no terminal. */
export function updateLine(progress: MetaProgress, history: History): string {
  const { step, updates, objective, dropped, lost } = progress;
  const rates = history.rates();
  const left = history.remaining();
  return [
    `update ${step} of ${updates}: objective ${formatScore(objective)}`,
    ...(rates ? [`${rates.updates.toPrecision(3)} updates/s`, `${formatRate(rates.innerSteps)} steps/s`] : []),
    ...(dropped > 0 ? [`${dropped} pairs dropped`] : []),
    ...(lost > 0 ? [`${lost} workers lost`] : []),
    ...(left === null ? [] : [`${formatDuration(left)} left`]),
  ].join(', ');
}

export function validationLine({ step, score, horizons, isBest }: Validation, { horizons: lengths }: History): string {
  const parts = horizons.map((value, i) => `N = ${lengths[i]}: ${formatScore(value)}`);
  return `validation after ${step}: ${formatScore(score)} (${parts.join(', ')})${isBest ? ', the best so far' : ''}`;
}

/** The state of a run as a block of lines no wider than `columns`: figures, validations, plot. */
export function runView(history: History, columns: number, palette: Palette): string[] {
  const { latest } = history;
  const rates = history.rates();
  const left = history.remaining();
  const share = latest ? latest.step / latest.updates : 0;
  const done = Math.round(BAR * share);
  const bar = palette.green('━'.repeat(done)) + palette.dim('─'.repeat(BAR - done));
  const figures = [
    ['objective', formatScore(history.objective())],
    ['updates/s', rates ? rates.updates.toPrecision(3) : '-'],
    ['inner steps/s', rates ? formatRate(rates.innerSteps) : '-'],
    ['pairs dropped', formatCount(history.dropped)],
    ['workers lost', formatCount(latest?.lost ?? 0)],
  ];
  const lines = [
    `${bar} ${latest ? `update ${latest.step} of ${latest.updates}` : 'starting'}${left === null ? '' : `, ${formatDuration(left)} left`}`,
    '',
    ...figures.map(([name = '', value = '']) => `${palette.dim(name.padEnd(14))} ${value}`),
  ];
  if (history.validations.length > 0) lines.push('', ...validationTable(history, palette));
  const chart = objectiveChart(history, columns, palette);
  if (chart) lines.push('', ...chart.split('\n'));
  return lines.map((line) => cut(line, columns));
}

function validationTable({ validations, horizons }: History, palette: Palette): string[] {
  const best = validations.reduce((a, b) => (b.score < a.score ? b : a));
  const shown = validations.slice(-ROWS);
  if (!shown.includes(best)) shown.splice(0, 1, best);
  const head = ['validation', 'score', ...horizons.map((length) => `N = ${length}`)];
  const rows = shown.map((validation) => [
    `${validation.step}${validation === best ? ' *' : '  '}`,
    ...[validation.score, ...validation.horizons].map(formatScore),
  ]);
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padStart(widths[i]!)).join('  ');
  return [palette.dim(line(head)), ...rows.map(line), palette.dim('* the best, in best.theta; lower is better')];
}

/** Means of the objective over as many updates as one column takes; null before there are two. */
function objectiveChart({ objectives, latest }: History, columns: number, palette: Palette): string | null {
  const width = Math.max(20, Math.min(columns, 100) - MARGIN);
  const size = Math.max(1, Math.ceil(objectives.length / width));
  const points: [number, number][] = [];
  for (let at = 0; at < objectives.length; at += size) {
    const values = objectives.slice(at, at + size).filter(Number.isFinite);
    if (values.length > 0) points.push([at + values.length, values.reduce((a, b) => a + b, 0) / values.length]);
  }
  if (points.length < 2 || !latest) return null;
  const text = plot(points, {
    ...{ width, height: HEIGHT, xLabel: 'update' },
    formatter: (value, { axis }) => (axis === 'y' ? value.toFixed(2) : Math.round(value)),
    customXAxisTicks: [0.25, 0.5, 0.75, 1].map((share) => Math.round(share * objectives.length)),
    ...(palette.isColorSupported ? { color: 'ansiGreen' } : {}),
  });
  return `objective of the perturbed thetas\n${text.replace(/^\n+|\s+$/g, '')}`;
}

const formatRate = (value: number): string => formatCount(Number(value.toPrecision(3)));

/** A line that would wrap would be redrawn in the wrong place. */
function cut(line: string, columns: number): string {
  return stripVTControlCharacters(line).length <= columns ? line : stripVTControlCharacters(line).slice(0, columns);
}
