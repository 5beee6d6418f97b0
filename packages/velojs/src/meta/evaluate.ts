/** `velojs evaluate`: how good a theta is, beside tuned baselines. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, extname, resolve } from 'node:path';
import type { Theta } from '@velojs/core';
import type { EvaluationProgress, SuiteSource } from '@velojs/meta/evaluation';
import { loadTheta, starterTheta, veloMini } from '@velojs/weights';
import type { SingleBar } from 'cli-progress';
import { type Command, Option } from 'commander';
import { INTERRUPTED } from '../interrupt.ts';
import { paletteFor } from '../palette.ts';
import { progressBar } from '../progress-bar.ts';
import { usage } from '../weights/download.ts';
import { checkFree } from '../weights/output.ts';
import { catchEnd, threadCount } from './options.ts';

interface EvaluateOptions {
  readonly theta: readonly string[];
  readonly suite: string;
  readonly data?: string;
  readonly task?: readonly string[];
  readonly seeds: number;
  readonly folder: string;
  readonly threads: number;
  readonly json: boolean;
  readonly report?: string;
  readonly force: boolean;
}

const BUILT_IN: Readonly<Record<string, () => Theta>> = { 'velo-mini': veloMini, starter: () => starterTheta() };

const HELP = `
Every task is trained with each theta and, in suites that compare, with five baselines at 15 learning rates each.
Finished runs are kept in --folder: another theta costs its own runs alone, and an evaluation that was stopped goes
on where it was.

Examples:
  velojs evaluate --theta mine/best.theta --theta velo-mini --report mine.html
  velojs evaluate --suite mnist --data folder-with-the-idx-files
  velojs evaluate --theta mine/best.theta --suite ./my-suite.js --seeds 2
`;

export function addEvaluateCommand(program: Command): void {
  program
    .command('evaluate')
    .description('evaluates a theta on held-out tasks, beside tuned baselines')
    .addOption(
      new Option('--theta <file or name>', `file or name (${Object.keys(BUILT_IN).join(', ')}, or see velojs list)`)
        .argParser(collect)
        .default([], 'velo-mini'),
    )
    .option('--suite <name or module>', 'held-out, validation, robustness, mnist, or a module of your own', 'held-out')
    .option('--data <folder>', 'the files of MNIST, for --suite mnist')
    .addOption(new Option('--task <name>', 'only this task of the suite').argParser(collect))
    .option('--seeds <n>', 'runs of every optimizer on every task', threadCount, 5)
    .option('--folder <folder>', 'where finished runs are kept', 'evaluation')
    .option('--threads <n>', 'threads (default: all)', threadCount, availableParallelism())
    .option('--report <file>', 'also write a web page with the curves')
    .option('--force', 'replace --report if it exists', false)
    .option('--json', 'print one JSON document per theta instead of text', false)
    .addHelpText('after', HELP)
    .action(evaluateCommand);
}

async function evaluateCommand(options: EvaluateOptions): Promise<void> {
  const { seeds, folder, threads, json, report, task: tasks } = options;
  if (report !== undefined) checkFree(report, options.force);
  const { evaluate, htmlReport, jsonReport, textReport } = await import('@velojs/meta/evaluation');
  const suite = suiteOf(options);
  const names = options.theta.length > 0 ? options.theta : ['velo-mini'];
  const optimizers = await Promise.all(
    names.map(async (name) => ({ name: titleOf(name, names), theta: await thetaOf(name) })),
  );
  const { signal, release } = catchEnd();
  const progress = process.stderr.isTTY ? barProgress() : lineProgress();
  try {
    const evaluation = await evaluate({
      ...{ optimizers, suite, seeds, folder, threads, signal },
      ...(tasks === undefined ? {} : { tasks }),
      onProgress: progress.update,
    });
    progress.stop();
    if (evaluation.dropped > 0) {
      process.stderr.write(
        `${evaluation.dropped} damaged lines in ${folder} were dropped, and their runs done again.\n`,
      );
    }
    if (report !== undefined) writeFileSync(report, htmlReport(evaluation));
    if (json) for (const { name } of optimizers) process.stdout.write(`${jsonReport(evaluation, name)}\n`);
    else
      process.stdout.write(`${textReport(evaluation)}\n${report === undefined ? '' : `The report is in ${report}.\n`}`);
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.stop();
    process.stderr.write('Stopped. What is finished is kept; the same command goes on from there.\n');
    process.exitCode = INTERRUPTED;
  } finally {
    progress.stop();
    release();
  }
}

const collect = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text];

const thetaOf = async (name: string): Promise<Theta> =>
  Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name]!() : loadTheta(name, { allowUnverified: true });

/** A file is called by its name alone, if no other theta is. */
function titleOf(name: string, all: readonly string[]): string {
  const short = (path: string) => basename(path, extname(path));
  return all.filter((other) => short(other) === short(name)).length > 1 ? name : short(name);
}

function suiteOf({ suite, data }: EvaluateOptions): SuiteSource {
  if (suite === 'mnist') {
    if (data === undefined) throw usage('--suite mnist needs --data, the folder with its files.');
    return { name: suite, folder: data };
  }
  if (/[./\\]/.test(suite)) return { module: resolve(suite) };
  return { name: suite as 'held-out' };
}

interface EvaluationDisplay {
  update(progress: EvaluationProgress): void;
  stop(): void;
}

function barProgress(): EvaluationDisplay {
  let bar: SingleBar | undefined;
  return {
    update({ runs, steps, finished }) {
      const texts = { runs: `${runs.done} of ${runs.total} runs`, task: finished?.task ?? '' };
      if (!bar) {
        bar = progressBar(process.stderr, paletteFor(process.stderr, process.env), '{runs}  {task}');
        bar.start(steps.total, steps.done, texts);
      }
      bar.update(steps.done, texts);
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}

/** A line per tenth. */
function lineProgress(): EvaluationDisplay {
  let tenths = -1;
  return {
    update({ runs, steps }) {
      const reached = steps.total === 0 ? 10 : Math.floor((10 * steps.done) / steps.total);
      if (reached === tenths) return;
      tenths = reached;
      process.stderr.write(`${runs.done} of ${runs.total} runs\n`);
    },
    stop() {},
  };
}
