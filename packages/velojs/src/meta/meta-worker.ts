/** `velojs meta-worker`: a machine's part in a meta-training that is led elsewhere. */
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { INTERRUPTED } from '../interrupt.ts';
import { readConfig } from './config-file.ts';
import { loadMeta } from './load-meta.ts';
import { catchEnd, redisAddress, threadCount } from './options.ts';

interface MetaWorkerOptions {
  readonly redis: string;
  readonly run: string;
  readonly threads: number;
  readonly config?: string;
}

const HELP = `
It may be started before the run is, stays when the leader goes and comes back, and ends when the run is finished.
Ctrl-C gives back what it was doing. It must have the same version of velojs and of Node as the leader.

Example:
  velojs meta-worker --redis redis://queue:6379 --run mine
`;

export function addMetaWorkerCommand(program: Command): void {
  program
    .command('meta-worker')
    .description('does work for a meta-training on another machine')
    .requiredOption('--redis <address>', 'where jobs are, such as redis://host:6379', redisAddress)
    .requiredOption('--run <name>', 'what the run is called')
    .option('--threads <n>', 'threads (default: all)', threadCount, availableParallelism())
    .option('--config <file>', 'a copy of the configuration, if its modules lie elsewhere on this machine')
    .addHelpText('after', HELP)
    .action(metaWorkerCommand);
}

async function metaWorkerCommand({ redis, run, threads, config }: MetaWorkerOptions): Promise<void> {
  const meta = await loadMeta();
  const { signal, release } = catchEnd();
  try {
    await meta.serveWorker({
      ...{ connection: redis, run, threads, signal },
      ...(config === undefined ? {} : { config: readConfig(meta, config) }),
      onEvent: (event) => void process.stdout.write(`${event}\n`),
    });
  } finally {
    release();
  }
  if (signal.aborted) process.exitCode = INTERRUPTED;
}
