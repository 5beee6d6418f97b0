/** `velojs meta-train`: a theta of one's own. */
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { INTERRUPTED } from '../interrupt.ts';
import { paletteFor } from '../palette.ts';
import { usage } from '../weights/download.ts';
import { readConfig } from './config-file.ts';
import { type Display, lines, live, silent } from './display.ts';
import { History } from './history.ts';
import { loadMeta, type Meta, type MetaConfig } from './load-meta.ts';
import { catchEnd, redisAddress, threadCount } from './options.ts';
import { describeRun, formatDuration, formatScore } from './text.ts';

interface MetaTrainOptions {
  readonly config: string;
  readonly folder?: string;
  readonly threads?: number;
  readonly redis?: string;
  readonly run?: string;
  readonly quiet: boolean;
  readonly json: boolean;
}

const HELP = `
The folder gets best.theta (the best on validation tasks, which is what to use), latest.theta, a log (log.jsonl)
and a checkpoint. Ctrl-C saves one; the same command goes on from it, and gives the same numbers as if it had not
been stopped. docs/meta-training.md tells what a configuration says and how to choose.

Examples:
  velojs meta-train --config mine.json
  velojs meta-train --config mine.json --redis redis://queue:6379 --run mine
  velojs meta-worker --redis redis://queue:6379 --run mine      on every other machine
`;

export function addMetaTrainCommand(program: Command): void {
  program
    .command('meta-train')
    .description('learns an optimizer: a theta of your own, for your kind of task')
    .requiredOption('--config <file>', 'what to train, JSON')
    .option('--folder <folder>', 'where the run is kept (default: beside the configuration, by its name)')
    .option('--threads <n>', 'threads of this machine (default: all, and with --redis none)', threadCount)
    .option('--redis <address>', 'let workers on other machines do the work (velojs meta-worker)', redisAddress)
    .option('--run <name>', 'what the run is called there')
    .option('--quiet', 'print the result only', false)
    .option('--json', 'print the result as one JSON document; progress goes to stderr', false)
    .addHelpText('after', HELP)
    .action(metaTrainCommand);
}

async function metaTrainCommand(options: MetaTrainOptions): Promise<void> {
  const { redis, run } = options;
  if ((redis === undefined) !== (run === undefined)) throw usage('--redis and --run belong together.');
  const meta = await loadMeta();
  const config = readConfig(meta, options.config);
  const folder = options.folder ?? join(dirname(options.config), basename(options.config).replace(/\.json$/i, ''));
  if (folder === options.config) throw usage('Say where the run is to be kept, with --folder.');
  const history = new History(folder, config.validation.horizons);
  const display = displayFor(options, history);
  const threads = options.threads ?? (redis === undefined ? availableParallelism() : 0);
  const size = redis === undefined ? `${threads} ${threads === 1 ? 'thread' : 'threads'}` : 'workers through Redis';
  display.say(`${describeRun(config, size)}; kept in ${relative('.', folder) || '.'}`);

  const { signal, release } = catchEnd();
  let result: { score: number } | null = null;
  try {
    const train = (workers: ReturnType<Meta['threads']>, ending: AbortSignal) =>
      meta.metaTrain({
        ...{ config, folder, workers, signal: ending },
        onUpdate: display.update,
        onValidation: display.validate,
      });
    result =
      redis === undefined
        ? await train(meta.threads(threads), signal)
        : await lead(meta, { config, threads, signal, train, address: { connection: redis, run: run! }, display });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    display.stop();
    release();
  }
  report(options, folder, history, result);
  if (!result) process.exitCode = INTERRUPTED;
}

/** The work is done elsewhere, and by threads of this machine if it is told so. */
async function lead<R>(
  meta: Meta,
  options: {
    config: MetaConfig;
    threads: number;
    signal: AbortSignal;
    address: { connection: string; run: string };
    display: Display;
    train: (workers: ReturnType<Meta['threads']>, signal: AbortSignal) => Promise<R>;
  },
): Promise<R> {
  const { config, threads, address, display, train } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const training = train(meta.queueWorkers({ ...address, onEvent: display.say }), signal);
  const serving =
    threads === 0 ? undefined : meta.serveWorker({ ...address, config, threads, signal, onEvent: display.say });
  // A worker of this process that cannot take part ends the run, which says why.
  serving?.catch((error: unknown) => ending.abort(error));
  try {
    return await training;
  } finally {
    ending.abort();
    await serving?.catch(() => {});
  }
}

function displayFor({ quiet, json }: MetaTrainOptions, history: History): Display {
  if (quiet) return silent();
  const stream = json ? process.stderr : process.stdout;
  return stream.isTTY
    ? live(stream, history, paletteFor(stream, process.env))
    : lines((line) => void stream.write(`${line}\n`), history);
}

function report({ json }: MetaTrainOptions, folder: string, history: History, result: { score: number } | null): void {
  const { latest, validations, objectives } = history;
  const best = validations.length > 0 ? validations.reduce((a, b) => (b.score < a.score ? b : a)) : null;
  if (json) {
    const document = {
      ...{ format: 'velojs-meta-train', version: 1, folder, interrupted: result === null },
      updates: objectives.length,
      best: best && { step: best.step, score: best.score, horizons: best.horizons },
      first: validations[0] ? { score: validations[0].score, horizons: validations[0].horizons } : null,
      seconds: latest?.seconds ?? null,
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else if (result) {
    const took = latest ? ` (${formatDuration(latest.seconds)} in all)` : '';
    process.stdout.write(
      `Done${took}. Validation score ${formatScore(result.score)}, ${formatScore(validations[0]?.score ?? result.score)} before training.\n` +
        `The theta is ${join(folder, 'best.theta')}. In a program: createVelo({ theta: await loadTheta('${join(folder, 'best.theta')}'), ... })\n`,
    );
  } else {
    process.stdout.write(`Stopped after update ${objectives.length}. The same command goes on from there.\n`);
  }
}
