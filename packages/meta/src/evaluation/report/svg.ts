/** Drawings of results. Colours come from the page's style sheet, by class. */
import { meanLoss, type TaskEvaluation } from '../outcomes.ts';
import type { CurvePoint } from '../speed-up.ts';
import { median } from '../statistics.ts';
import { escapeHtml, formatCount, formatLoss } from './format.ts';
import { logScale, logTicks } from './scale.ts';

export interface Shown {
  /** Class of the style sheet. */
  readonly role: string;
  readonly label: string;
}

const tickLabel = (value: number): string => {
  const rounded = Number(value.toPrecision(2));
  return rounded < 1e-3 || rounded >= 1e4 ? rounded.toExponential().replace('e+', 'e') : String(rounded);
};

/** Loss curves of a task, on logarithmic axes. */
export function curvesSvg(
  task: TaskEvaluation,
  curves: readonly (Shown & { readonly points: readonly CurvePoint[] })[],
): string {
  const [width, height] = [360, 210];
  const plot = { left: 48, right: width - 8, top: 8, bottom: height - 26 };
  const points = curves.flatMap((curve) => curve.points).filter(({ loss }) => loss > 0);
  if (points.length === 0) return '';
  const losses = points.map(({ loss }) => loss);
  const high = Math.min(Math.max(...losses), 3 * meanLoss(task.initialLoss));
  const low = Math.min(Math.min(...losses), high / 2);
  const x = logScale(Math.min(...points.map(({ step }) => step)), task.steps, plot.left, plot.right);
  const y = logScale(low, high, plot.bottom, plot.top);
  const grid = logTicks(low, high).map(
    (tick) =>
      `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
      `<text x="${plot.left - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tickLabel(tick)}</text>`,
  );
  const steps = [task.steps / 100, task.steps / 10, task.steps].map(
    (step, i) =>
      `<text x="${x(step).toFixed(1)}" y="${height - 8}" text-anchor="${i === 2 ? 'end' : 'middle'}">${formatCount(Math.round(step))}</text>`,
  );
  const lines = curves.map(({ role, label, points }) => {
    const path = points
      .filter(({ loss }) => loss > 0)
      .map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
    return `<polyline class="curve ${role}" points="${path.join(' ')}"><title>${escapeHtml(label)}</title></polyline>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`Loss against step on ${task.name}`)}">
${[...grid, ...steps, ...lines].join('\n')}
</svg>`;
}

const ROW = 17;

/** A row per task: final losses over that of tuned Adam. Left of the line is better. */
export function ratiosSvg(
  tasks: readonly TaskEvaluation[],
  adam: string,
  shown: readonly (Shown & { readonly lossOf: (task: TaskEvaluation) => number })[],
): string {
  const [width, height] = [720, ROW * tasks.length + 40];
  const plot = { left: 180, right: width - 32, top: 22, bottom: height - 18 };
  const x = logScale(0.01, 100, plot.left, plot.right);
  const ticks = [0.01, 0.1, 1, 10, 100].map(
    (tick) =>
      `<line class="${tick === 1 ? 'axis' : 'grid'}" x1="${x(tick)}" x2="${x(tick)}" y1="${plot.top - 6}" y2="${plot.bottom}"/>` +
      `<text x="${x(tick)}" y="12" text-anchor="middle">${tick === 0.01 ? '&#8804; ' : tick === 100 ? '&#8805; ' : ''}${tick}</text>`,
  );
  const ratioTo = (task: TaskEvaluation, loss: number) => {
    const base = meanLoss(task.baselines[adam]!.trainingLoss);
    return loss === base ? 1 : loss / base;
  };
  const rows = tasks.map((task, i) => {
    const at = plot.top + ROW * (i + 0.5);
    const dots = shown.map(({ role, label, lossOf }) => {
      const ratio = ratioTo(task, lossOf(task));
      const title = `${task.name}: ${label} ${formatLoss(lossOf(task))}, ${ratio.toPrecision(2)} of Adam's`;
      return `<circle class="dot ${role}" cx="${x(ratio).toFixed(1)}" cy="${at}" r="4"><title>${escapeHtml(title)}</title></circle>`;
    });
    return `<text x="${plot.left - 10}" y="${at + 4}" text-anchor="end">${escapeHtml(task.name)}</text><line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}"/>${dots.join('')}`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Final training losses over that of tuned Adam, by task">
${[...ticks, ...rows].join('\n')}
</svg>`;
}

/** A dot per task: the median speed-up over its seeds, with a line at the median of all. */
export function speedUpSvg(
  tasks: readonly TaskEvaluation[],
  cap: number,
  shown: readonly (Shown & { readonly candidate: string })[],
): string {
  const [width, row] = [720, 76];
  const height = row * shown.length + 40;
  const plot = { left: 32, right: width - 32 };
  const x = logScale(1 / 16, cap, plot.left, plot.right);
  const ticks = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64].filter((tick) => tick <= cap);
  const axis = ticks.map(
    (tick) =>
      `<line class="${tick === 1 ? 'axis' : 'grid'}" x1="${x(tick)}" x2="${x(tick)}" y1="4" y2="${height - 20}"/>` +
      `<text x="${x(tick)}" y="${height - 5}" text-anchor="middle">${tick === 1 / 16 ? '&#8804; 1/16' : tick < 1 ? `1/${1 / tick}` : tick === cap ? `&#8805; ${tick}` : tick}</text>`,
  );
  const rows = shown.map(({ role, label, candidate }, i) => {
    const top = 12 + row * i;
    const values = tasks.map((task) => median(task.candidates[candidate]!.speedUp));
    const middle = median(values);
    // Dots that would lie on another are moved down.
    const taken = new Map<number, number>();
    const dots = tasks.map((task, j) => {
      const at = x(values[j]!);
      const slot = Math.round(at / 7);
      const level = taken.get(slot) ?? 0;
      taken.set(slot, level + 1);
      const y = top + 22 + ((level * 7) % 49);
      return `<circle class="dot ${role}" cx="${at.toFixed(1)}" cy="${y}" r="3.5"><title>${escapeHtml(`${task.name}: ${values[j]!.toFixed(2)}`)}</title></circle>`;
    });
    const line = `<line class="median ${role}" x1="${x(middle).toFixed(1)}" x2="${x(middle).toFixed(1)}" y1="${top + 14}" y2="${top + row - 6}"/>`;
    return `<text x="${plot.left}" y="${top + 8}">${escapeHtml(label)}: median ${middle.toFixed(2)}</text>${line}${dots.join('')}`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Speed-up over tuned Adam, by task">
${[...axis, ...rows].join('\n')}
</svg>`;
}
