/** Progress for people: a bar on a terminal, a line per finished run elsewhere. */
import type { SingleBar } from 'cli-progress';
import type { Palette } from '../../palette.ts';
import { progressBar } from '../../progress-bar.ts';
import { type OptimizerSpec, optimizerLabel } from '../optimizers.ts';
import type { Task } from '../tasks/task.ts';
import type { Run } from '../training.ts';
import { formatLoss, formatTest, testHeading } from './format.ts';

export interface Progress {
  start(task: Task, runs: number): void;
  update(optimizer: OptimizerSpec, steps: number, loss: number): void;
  finishRun(run: Run): void;
  /** Leaves the terminal as it was; may be called at any time. */
  stop(): void;
}

export function barProgress(stream: NodeJS.WriteStream, palette: Palette): Progress {
  let bar: SingleBar | undefined;
  let task: Task;
  let finished = 0;
  return {
    start(started, runs) {
      task = started;
      finished = 0;
      bar = progressBar(stream, palette, '{percentage} %  {optimizer}, loss {loss}');
      bar.start(runs * task.steps, 0, { optimizer: '', loss: '-' });
    },
    update(optimizer, steps, loss) {
      bar?.update(finished * task.steps + steps, { optimizer: optimizerLabel(optimizer), loss: formatLoss(loss) });
    },
    finishRun() {
      finished++;
      bar?.update(finished * task.steps);
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}

export function lineProgress(print: (line: string) => void): Progress {
  let task: Task;
  return {
    start(started) {
      task = started;
    },
    update() {},
    finishRun(run) {
      print(
        `${optimizerLabel(run.optimizer)}: final loss ${formatLoss(run.trainLoss)}, ${testHeading(task)} ${formatTest(task, run)}`,
      );
    },
    stop() {},
  };
}
