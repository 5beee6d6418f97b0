/** A classification of the user's own data: which class was taken for which. */
import type { Picture } from '../../engine/protocol.ts';
import { colour } from '../colours.ts';
import { prepare } from './canvas.ts';

type Confusion = Extract<Picture, { kind: 'confusion' }>;

/** With more classes numbers and names do not fit. */
const MOST_NUMBERS = 12;

export function drawConfusion(
  canvas: HTMLCanvasElement,
  ink: string,
  names: readonly string[] | null,
  picture: Confusion | null,
): void {
  const prepared = prepare(canvas, (width) => width);
  if (!prepared || !picture) return;
  const { context, width } = prepared;
  const { classes, counts } = picture;
  const left = 14;
  const cell = (width - left) / classes;
  context.font = '10px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (let actual = 0; actual < classes; actual++) {
    const row = counts.subarray(actual * classes, (actual + 1) * classes);
    const total = row.reduce((a, b) => a + b, 0) || 1;
    for (let predicted = 0; predicted < classes; predicted++) {
      const share = row[predicted]! / total;
      const [x, y] = [left + predicted * cell, left + actual * cell];
      context.fillStyle = colour('--inset');
      context.fillRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
      context.globalAlpha = 0.75 * share;
      context.fillStyle = colour(predicted === actual ? ink : '--bad');
      context.fillRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
      context.globalAlpha = 1;
      if (classes <= MOST_NUMBERS && row[predicted]! > 0) {
        context.fillStyle = colour('--text');
        context.fillText(String(row[predicted]), x + cell / 2, y + cell / 2);
      }
    }
    if (classes <= MOST_NUMBERS) {
      const name = (names?.[actual] ?? String(actual)).slice(0, Math.max(1, Math.floor(cell / 6)));
      context.fillStyle = colour('--faint');
      context.fillText(name, left + (actual + 0.5) * cell, left / 2);
      context.save();
      context.translate(left / 2, left + (actual + 0.5) * cell);
      context.rotate(-Math.PI / 2);
      context.fillText(name, 0, 0);
      context.restore();
    }
  }
}

export function describeConfusion({ classes, counts }: Confusion): string {
  const total = counts.reduce((a, b) => a + b, 0);
  const right = Array.from({ length: classes }, (_, i) => counts[i * classes + i]!).reduce((a, b) => a + b, 0);
  return `confusion of ${classes} classes: ${right} of ${total} held-out examples right`;
}
