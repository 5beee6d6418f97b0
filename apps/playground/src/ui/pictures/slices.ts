/** A function of several inputs along one of them: the truth, and what every network makes of it. */
import type { Slice } from '../../engine/protocol.ts';
import { colour, runColourName } from '../colours.ts';
import { prepare } from './canvas.ts';

const EDGE = 5;

/** @param predictions per run; null where there is none yet. VeLO's is drawn last. */
export function drawSlice(
  canvas: HTMLCanvasElement,
  slice: Slice,
  range: { low: number; high: number },
  predictions: readonly (Float32Array | null)[],
): void {
  const prepared = prepare(canvas, (width) => Math.round(width * 0.75));
  if (!prepared) return;
  const { context, width, height } = prepared;
  const [left, right] = [slice.x[0]!, slice.x.at(-1)!];
  const room = 0.25 * (range.high - range.low) || 1;
  const [low, high] = [range.low - room, range.high + room];
  const line = (values: Float32Array): Path2D => {
    const path = new Path2D();
    values.forEach((value, i) => {
      const x = EDGE + ((slice.x[i]! - left) / (right - left || 1)) * (width - 2 * EDGE);
      const y = height - EDGE - ((value - low) / (high - low)) * (height - 2 * EDGE);
      if (i === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
    });
    return path;
  };
  context.lineJoin = 'round';
  context.lineWidth = 5;
  context.strokeStyle = colour('--line-strong');
  context.stroke(line(slice.truth));
  for (let run = predictions.length - 1; run >= 0; run--) {
    const values = predictions[run];
    if (!values) continue;
    context.lineWidth = run === 0 ? 2.2 : 1.4;
    context.strokeStyle = colour(runColourName(run));
    context.stroke(line(values));
  }
}

/** Least and greatest of the truth over all slices: one scale for all, so that inputs without influence are flat. */
export const slicesRange = (slices: readonly Slice[]): { low: number; high: number } => ({
  low: Math.min(...slices.map(({ truth }) => Math.min(...truth))),
  high: Math.max(...slices.map(({ truth }) => Math.max(...truth))),
});
