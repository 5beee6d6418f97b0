/** A regression: predicted against true, in the units of the target, held-out examples. */
import { colour } from '../colours.ts';
import { formatNumber } from '../format.ts';
import { prepare } from './canvas.ts';

export interface Predictions {
  readonly actual: Float32Array;
  readonly predicted: Float32Array;
}

/** More points than this cannot be told apart. */
const MOST_POINTS = 800;
const EDGE = 14;

export function drawScatter(canvas: HTMLCanvasElement, ink: string, picture: Predictions | null): void {
  const prepared = prepare(canvas, (width) => width);
  if (!prepared) return;
  const { context, width } = prepared;
  const extent = picture ? rangeOf(picture.actual) : null;
  const place = (value: number) =>
    extent ? EDGE + ((value - extent.low) / (extent.high - extent.low || 1)) * (width - 2 * EDGE) : 0;
  context.strokeStyle = colour('--line-strong');
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, width);
  context.lineTo(width, 0);
  context.stroke();
  if (!picture || !extent) return;
  context.globalAlpha = 0.7;
  context.fillStyle = colour(ink);
  const every = Math.max(1, Math.ceil(picture.actual.length / MOST_POINTS));
  const radius = Math.max(1.2, width / 130);
  for (let i = 0; i < picture.actual.length; i += every) {
    // Far off is drawn at the edge.
    const y = Math.min(width - 2, Math.max(2, width - place(picture.predicted[i]!)));
    context.beginPath();
    context.arc(place(picture.actual[i]!), y, radius, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
  context.fillStyle = colour('--faint');
  context.font = '10px system-ui, sans-serif';
  context.textAlign = 'right';
  context.fillText('true', width - 4, width - 5);
  context.textAlign = 'left';
  context.fillText('predicted', 4, 11);
}

export function describeScatter({ actual, predicted }: Predictions): string {
  const squares = actual.reduce((sum, value, i) => sum + (value - predicted[i]!) ** 2, 0);
  return `predicted against true for ${actual.length} held-out examples; root mean squared error ${formatNumber(Math.sqrt(squares / actual.length))}`;
}

const rangeOf = (values: Float32Array) => ({
  low: values.reduce((a, b) => Math.min(a, b), Infinity),
  high: values.reduce((a, b) => Math.max(a, b), -Infinity),
});
