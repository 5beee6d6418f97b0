/** Loss curves as SVG, as wide as the page lets them be, on a logarithmic axis. */
import { formatTick, logTicks } from '../../packages/velojs/src/train/report/scale.ts';

export interface Curve {
  /** Of its style. */
  readonly className: string;
  /** Positive numbers, one per step. */
  readonly values: readonly number[];
}

const HEIGHT = 280;
const PLOT = { left: 48, top: 12, bottom: HEIGHT - 36, right: 8 };

/** Draws into `svg`; the horizontal axis goes from 0 to `steps`. */
export function drawCurves(svg: SVGSVGElement, curves: readonly Curve[], steps: number): void {
  const width = svg.clientWidth;
  const values = curves.flatMap((curve) => curve.values).filter((value) => value > 0);
  const [low, high] = values.length ? [Math.min(...values) * 0.9, Math.max(...values) * 1.1] : [0.1, 3];
  const x = (step: number) => PLOT.left + (step / steps) * (width - PLOT.left - PLOT.right);
  const y = (value: number) => PLOT.bottom - (Math.log(value / low) / Math.log(high / low)) * (PLOT.bottom - PLOT.top);
  const end = width - PLOT.right;

  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  svg.innerHTML = [
    ...logTicks(low, high).map(
      (tick) =>
        `<line class="grid" x1="${PLOT.left}" x2="${end}" y1="${y(tick)}" y2="${y(tick)}"/>` +
        `<text x="${PLOT.left - 6}" y="${y(tick) + 4}" text-anchor="end">${formatTick(tick)}</text>`,
    ),
    `<line class="grid" x1="${PLOT.left}" x2="${end}" y1="${PLOT.bottom}" y2="${PLOT.bottom}"/>`,
    `<text x="${PLOT.left}" y="${PLOT.bottom + 18}">0</text>`,
    `<text x="${end}" y="${PLOT.bottom + 18}" text-anchor="end">${steps} steps</text>`,
    ...curves.map(({ className, values }) => {
      const points = values.map((value, i) => [i + 1, value] as const).filter(([, value]) => value > 0);
      const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
      return `<polyline class="curve ${className}" points="${path}"/>`;
    }),
  ].join('');
}
