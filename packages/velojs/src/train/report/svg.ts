/** Loss curves as an SVG drawing, on a logarithmic axis. Colours come from the page's style sheet, by class. */
import { type Comparison, shownRuns } from '../comparison.ts';
import { optimizerLabel } from '../optimizers.ts';
import type { Run } from '../training.ts';
import { formatCount, formatLoss, lossHeading } from './format.ts';
import { escapeHtml } from './html-text.ts';
import { formatTick, logTicks } from './scale.ts';

const [WIDTH, HEIGHT] = [720, 360];
const PLOT = { left: 64, right: WIDTH - 16, top: 12, bottom: HEIGHT - 44 };

/** The shown runs in front, the rest of the sweep faint behind them. `null` where there is nothing to draw. */
export function lossSvg(comparison: Comparison): string | null {
  const { task, runs } = comparison;
  const shown = shownRuns(comparison);
  const drawn = [
    ...runs
      .filter((run) => !shown.some((other) => other.run === run))
      .map((run) => ({ run, role: 'other', label: optimizerLabel(run.optimizer) })),
    // VeLO last, so that it lies on top.
    ...shown.toReversed(),
  ].filter(({ run }) => pointsOf(run).length > 1);
  if (drawn.length === 0) return null;

  const losses = drawn.flatMap(({ run }) => pointsOf(run).map(({ loss }) => loss));
  const [low, high] = [Math.log(Math.min(...losses) * 0.95), Math.log(Math.max(...losses) * 1.05)];
  const x = (step: number) => PLOT.left + (step / task.steps) * (PLOT.right - PLOT.left);
  const y = (loss: number) => PLOT.bottom - ((Math.log(loss) - low) / (high - low)) * (PLOT.bottom - PLOT.top);
  const stepTicks = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * task.steps));
  const middle = (PLOT.top + PLOT.bottom) / 2;

  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Loss against step on ${escapeHtml(task.name)}">
${logTicks(Math.exp(low), Math.exp(high))
  .map(
    (tick) =>
      `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
      `<text x="${PLOT.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${formatTick(tick)}</text>`,
  )
  .join('\n')}
${stepTicks
  .map(
    (tick) =>
      `<text x="${x(tick).toFixed(1)}" y="${PLOT.bottom + 18}" text-anchor="middle">${formatCount(tick)}</text>`,
  )
  .join('\n')}
<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">step</text>
<text transform="translate(13 ${middle}) rotate(-90)" text-anchor="middle">${lossHeading(task)}, logarithmic</text>
<line class="axis" x1="${PLOT.left}" x2="${PLOT.right}" y1="${PLOT.bottom}" y2="${PLOT.bottom}"/>
${drawn
  .map(({ run, role, label }) => {
    const points = pointsOf(run).map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
    const title = `${label}: final loss ${formatLoss(run.trainLoss)}`;
    return `<polyline class="curve ${role}" points="${points.join(' ')}"><title>${title}</title></polyline>`;
  })
  .join('\n')}
</svg>`;
}

const pointsOf = ({ curve }: Run) => curve.filter(({ loss }) => loss > 0);
