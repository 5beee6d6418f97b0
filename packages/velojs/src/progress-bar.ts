/** How bars look on a terminal. */
import { SingleBar } from 'cli-progress';
import type { Palette } from './palette.ts';

/** A bar that leaves nothing behind. @param text what stands beside it, with the placeholders of cli-progress. */
export const progressBar = (stream: NodeJS.WriteStream, palette: Palette, text: string): SingleBar =>
  new SingleBar({
    stream,
    format: `${palette.green('{bar}')} ${text}  ({eta_formatted} left)`,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    etaBuffer: 50,
    fps: 10,
  });
