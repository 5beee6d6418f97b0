/** Progress of downloads for people, on stderr: a bar on a terminal, a line per file elsewhere. */
import type { DownloadProgress } from '@velojs/weights';
import type { SingleBar } from 'cli-progress';
import { paletteFor } from '../palette.ts';
import { progressBar } from '../progress-bar.ts';
import { formatMegabytes } from './format.ts';

export interface DownloadDisplay {
  readonly update: (progress: DownloadProgress) => void;
  /** Leaves the terminal as it was; may be called at any time. */
  readonly stop: () => void;
}

export const downloadDisplay = (stream: NodeJS.WriteStream): DownloadDisplay =>
  stream.isTTY ? bars(stream) : lines(stream);

function bars(stream: NodeJS.WriteStream): DownloadDisplay {
  const palette = paletteFor(stream, process.env);
  let bar: SingleBar | undefined;
  let shown = '';
  const stop = () => {
    bar?.stop();
    bar = undefined;
    shown = '';
  };
  return {
    update({ url, loaded, total }) {
      const texts = { loaded: formatMegabytes(loaded), whole: total === null ? '?' : formatMegabytes(total) };
      if (url !== shown) {
        stop();
        shown = url;
        stream.write(`${heading(url, loaded)}\n`);
        bar = progressBar(stream, palette, '{loaded} of {whole}');
        bar.start(total ?? 0, loaded, texts);
      }
      bar?.setTotal(total ?? Math.max(1, loaded));
      bar?.update(loaded, texts);
    },
    stop,
  };
}

function lines(stream: NodeJS.WriteStream): DownloadDisplay {
  let shown = '';
  return {
    update({ url, loaded, total }) {
      if (url === shown) return;
      shown = url;
      stream.write(`${heading(url, loaded)}${total === null ? '' : `, ${formatMegabytes(total)}`}\n`);
    },
    stop() {},
  };
}

const heading = (url: string, loaded: number): string =>
  `Downloading ${url}${loaded > 0 ? `, going on at ${formatMegabytes(loaded)}` : ''}`;
