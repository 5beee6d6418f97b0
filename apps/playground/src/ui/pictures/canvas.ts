/** Canvases that are as sharp as the screen. */
import type { RunEvaluation } from '../../engine/protocol.ts';
import { runColourName } from '../colours.ts';
import { element } from '../dom.ts';
import { formatNumber, formatPercent } from '../format.ts';
import type { Session } from '../session.ts';

/** The canvas's context in CSS pixels, emptied. `height` as it comes out of the width; null where nothing is to be seen. */
export function prepare(
  canvas: HTMLCanvasElement,
  height: (width: number) => number,
): { context: CanvasRenderingContext2D; width: number; height: number } | null {
  const width = canvas.clientWidth;
  if (width === 0) return null;
  const size = { width, height: height(width) };
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const [columns, rows] = [Math.round(width * ratio), Math.round(size.height * ratio)];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
    canvas.style.height = `${size.height}px`;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, size.height);
  return { context, ...size };
}

export interface RunFigure {
  readonly canvas: HTMLCanvasElement;
  /** What the picture says, in words: of the canvas for who cannot see it. */
  describe(words: string): void;
  /** Under the picture. */
  note(text: string): void;
}

/** A captioned canvas for every run. */
export function runFigures(place: HTMLElement, session: Session): RunFigure[] {
  const figures = session.runs.map(({ label }, run) => {
    const canvas = element('canvas', { role: 'img', 'aria-label': `${label}: nothing yet` });
    const note = element('span', { class: 'faint' });
    const figure = element(
      'figure',
      {},
      canvas,
      element('figcaption', {}, element('span', { class: 'name' }, swatch(run), label), note),
    );
    return {
      figure,
      canvas,
      describe: (words: string) => canvas.setAttribute('aria-label', `${label}: ${words}`),
      note: (text: string) => {
        if (note.textContent !== text) note.textContent = text;
      },
    };
  });
  place.append(element('div', { class: 'figures' }, ...figures.map(({ figure }) => figure)));
  return figures;
}

export const swatch = (run: number): HTMLElement =>
  element('i', { class: 'swatch', 'aria-hidden': 'true', style: `background: var(${runColourName(run)})` });

/** `93.4 % right`, or the mean squared error, on held-out data. */
export const testText = ({ testAccuracy, testLoss }: RunEvaluation): string => {
  if (!Number.isFinite(testLoss)) return 'diverged';
  return testAccuracy === null ? `test loss ${formatNumber(testLoss)}` : `${formatPercent(testAccuracy)} right`;
};
