/** `velojs train`: reads the options, trains, prints. */
import { closeSync, lstatSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { VeloError } from '@velojs/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { catchInterrupt, INTERRUPTED } from '../interrupt.ts';
import { type Palette, paletteFor } from '../palette.ts';
import { type Comparison, compare, verdict } from './comparison.ts';
import { loadJax } from './jax.ts';
import { optimizersFor, SWEEP } from './optimizers.ts';
import { TABLE_NOTE } from './report/format.ts';
import { htmlReport } from './report/html.ts';
import { jsonReport } from './report/json.ts';
import { barProgress, lineProgress, type Progress } from './report/progress.ts';
import { comparisonText, taskHeading } from './report/text.ts';
import { DEFAULT_BATCH_SIZE, DEFAULT_STEPS, TASK_NAMES } from './tasks/index.ts';
import { selectTasks, type TaskOptions } from './tasks/select.ts';
import type { Run } from './training.ts';

interface TrainOptions extends TaskOptions {
  readonly sweep: boolean;
  readonly report?: string;
  readonly json: boolean;
}

const HELP = `
Without --data or --images it trains ${TASK_NAMES.length} small networks on data that it makes itself.
Every training starts from the same weights and sees the same batches. VeLO is told the number of
steps and nothing else; Adam runs at its default learning rate and at ${SWEEP.join(', ')}.

Examples:
  velojs train --task spirals --steps 500
  velojs train --data houses.csv --target price --report houses.html
  velojs train --images train-images-idx3-ubyte.gz --labels train-labels-idx1-ubyte.gz --hidden 128,64
  velojs train --json > results.json
`;

export function addTrainCommand(program: Command, version: string): void {
  program
    .command('train')
    .description('trains networks with VeLO beside Adam and shows who got how far')
    .addOption(new Option('--task <names>', `made-up tasks to train: ${TASK_NAMES.join(', ')}`).argParser(names))
    .option('--data <file>', 'your own CSV file with a header row')
    .option('--target <column>', 'the column of --data to predict')
    .addOption(
      new Option('--kind <kind>', 'what --target is (default: text and few whole numbers are classes)').choices([
        'classification',
        'regression',
      ]),
    )
    .addOption(new Option('--ignore <columns>', 'columns of --data to leave out').argParser(names))
    .option('--images <file>', 'your own images, an IDX file, may be gzipped')
    .option('--labels <file>', 'the labels of --images, an IDX file, may be gzipped')
    .option('--examples <n>', 'use only the first n examples of your file', wholeNumber)
    .option('--test <n>', 'hold out n examples of your file, or n% of them, at random (default: 20%)', share)
    .option('--steps <n>', `training steps (default: ${DEFAULT_STEPS})`, wholeNumber)
    .option('--batch-size <n>', `examples per step (default: ${DEFAULT_BATCH_SIZE})`, wholeNumber)
    .option('--hidden <sizes>', 'widths of the hidden layers, such as 64,32', layerSizes)
    .option('--seed <n>', 'of data, weights and batches', seedNumber, 0)
    .option('--no-sweep', 'Adam at its default learning rate only')
    .option('--report <file>', 'also write a web page with the curves')
    .option('--json', 'print one JSON document instead of text', false)
    .addHelpText('after', HELP)
    .action((options: TrainOptions) => trainAndReport(options, version));
}

async function trainAndReport(options: TrainOptions, version: string): Promise<void> {
  if (options.report !== undefined) checkWritable(options.report);
  const tasks = selectTasks(options);
  const { signal, release } = catchInterrupt();

  const jax = await loadJax();
  const optimizers = optimizersFor({ sweep: options.sweep });
  const palette = paletteFor(process.stdout, process.env);
  const print = options.json ? () => {} : (text: string) => void process.stdout.write(`${text}\n`);
  const progress = progressFor(options, palette);

  const comparisons: Comparison[] = [];
  print(
    `VeLO with velo-mini, its default theta (nothing to tune), beside Adam at its default learning rate${
      options.sweep ? ` and at the best of ${SWEEP.length}` : ''
    }; seed ${options.seed}.`,
  );
  for (const makeTask of tasks) {
    if (signal.aborted) break;
    const task = makeTask();
    const runs: Run[] = [];
    print(`\n${taskHeading(task, palette)}`);
    progress.start(task, optimizers.length);
    try {
      await compare(
        { jax, task, optimizers, seed: options.seed },
        {
          signal,
          onProgress: progress.update,
          onRun: (run) => {
            runs.push(run);
            progress.finishRun(run);
          },
        },
      );
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      progress.stop();
    }
    if (runs.length > 0) {
      comparisons.push({ task, runs });
      print(`\n${comparisonText({ task, runs }, process.stdout.columns ?? 80, palette)}`);
    }
  }
  release();

  const interrupted = signal.aborted;
  const session = { version, seed: options.seed, interrupted, comparisons };
  if (options.json) process.stdout.write(`${jsonReport(session)}\n`);
  if (comparisons.length > 0) print(`\n${TABLE_NOTE}\n${palette.bold(verdict(comparisons))}`);
  if (interrupted) print('\nStopped before all was trained.');
  if (options.report !== undefined && comparisons.length > 0) {
    writeFileSync(options.report, htmlReport(session));
    print(`The report is in ${options.report}.`);
  }
  if (interrupted) process.exitCode = INTERRUPTED;
}

/** With --json, and for a bar, on stderr: stdout holds results only. */
function progressFor({ json }: TrainOptions, palette: Palette): Progress {
  if (process.stderr.isTTY && (json || process.stdout.isTTY)) return barProgress(process.stderr, palette);
  const stream = json ? process.stderr : process.stdout;
  return lineProgress((line) => stream.write(`${line}\n`));
}

/** Before the training, not after it. Opening tells what permissions alone do not; it leaves everything as it was. */
function checkWritable(file: string): void {
  try {
    const isNew = lstatSync(file, { throwIfNoEntry: false }) === undefined;
    closeSync(openSync(file, 'a'));
    if (isNew) rmSync(file);
  } catch (cause) {
    throw new VeloError('INVALID_ARGUMENT', `--report ${file} cannot be written: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  }
  return value;
}

function seedNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 to 999999999.');
  return Number(text);
}

/** A share below 1, or a whole number of examples. */
function share(text: string): number {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (!percent) return wholeNumber(text);
  const value = Number(percent[1]) / 100;
  if (value <= 0 || value >= 1) throw new InvalidArgumentError('A percentage must be above 0 and below 100.');
  return value;
}

const names = (text: string): string[] => text.split(',').map((name) => name.trim());
const layerSizes = (text: string): number[] => names(text).map(wholeNumber);
