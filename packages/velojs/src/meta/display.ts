/** A run while it goes on: drawn again and again on a terminal, line after line elsewhere. */
import type { Palette } from '../palette.ts';
import type { History } from './history.ts';
import type { MetaProgress, Validation } from './load-meta.ts';
import { runView, updateLine, validationLine } from './text.ts';

export interface Display {
  update(progress: MetaProgress): void;
  validate(validation: Validation): void;
  /** What is said once. */
  say(line: string): void;
  /** Leaves the terminal as it was, with the last view on it. */
  stop(): void;
}

export const silent = (): Display => ({ update() {}, validate() {}, say() {}, stop() {} });

/** Milliseconds between lines about updates. */
const LINE_INTERVAL = 5_000;

export function lines(print: (line: string) => void, history: History): Display {
  let printed = -Infinity;
  return {
    update(progress) {
      history.update(progress);
      const isLast = progress.step === progress.updates;
      if (!isLast && performance.now() - printed < LINE_INTERVAL) return;
      printed = performance.now();
      print(updateLine(progress, history));
    },
    validate(validation) {
      history.validate(validation);
      print(validationLine(validation, history));
    },
    say: print,
    stop() {},
  };
}

/** Milliseconds between drawings. */
const FRAME = 250;
const ESCAPE = '\x1b[';

export function live(stream: NodeJS.WriteStream, history: History, palette: Palette): Display {
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  const size = () => ({ columns: stream.columns ?? 80, rows: stream.rows ?? 24 });
  const clear = () => {
    if (drawn > 0) stream.write(`${ESCAPE}${drawn}A\r${ESCAPE}J`);
    drawn = 0;
  };
  const draw = () => {
    timer = undefined;
    const { columns, rows } = size();
    // What scrolls away cannot be redrawn: the plot is left out where it has no room.
    const view = runView(history, columns - 1, palette).slice(0, rows - 2);
    clear();
    stream.write(`${ESCAPE}?25l${view.join('\n')}\n`);
    drawn = view.length;
  };
  const soon = () => {
    timer ??= setTimeout(draw, FRAME);
  };
  return {
    update(progress) {
      history.update(progress);
      soon();
    },
    validate(validation) {
      history.validate(validation);
      soon();
    },
    say(line) {
      clear();
      stream.write(`${line}\n`);
      soon();
    },
    stop() {
      clearTimeout(timer);
      draw();
      clearTimeout(timer);
      stream.write(`${ESCAPE}?25h`);
    },
  };
}
