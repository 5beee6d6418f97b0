/** The `velojs` command. Exit codes: 0 done, 1 a defect of ours, 2 wrong usage or unusable data, 130 stopped by Ctrl-C. */
import { readFileSync } from 'node:fs';
import { VeloError } from '@velojs/core';
import { Command, CommanderError } from 'commander';
import { addEvaluateCommand } from './meta/evaluate.ts';
import { addMetaTrainCommand } from './meta/meta-train.ts';
import { addMetaWorkerCommand } from './meta/meta-worker.ts';
import { addTrainCommand } from './train/command.ts';
import { addConvertCommand } from './weights/convert.ts';
import { addFetchCommand } from './weights/fetch.ts';
import { printable } from './weights/format.ts';
import { addInspectCommand } from './weights/inspect.ts';
import { addListCommand } from './weights/list.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// A reader that has seen enough (`velojs train | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const HELP = `
Start here:
  velojs train               see VeLO train small networks beside Adam
  velojs fetch velo          get the weights that VeLO's authors released

\`velojs <command> --help\` has examples. Results go to stdout, progress and errors to stderr.
Exit codes: 0 done, 1 a defect of velojs, 2 wrong usage or unusable data, 130 stopped by Ctrl-C.
`;

const program = new Command('velojs')
  .description('VeLO, the learned optimizer without a learning rate')
  .version(version)
  .addHelpText('after', HELP)
  .exitOverride();
addTrainCommand(program, version);
addListCommand(program);
addFetchCommand(program);
addInspectCommand(program);
addConvertCommand(program);
addMetaTrainCommand(program);
addMetaWorkerCommand(program);
addEvaluateCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof VeloError) {
    process.stderr.write(`velojs: ${error.message.split('\n').map(printable).join('\n')} (${error.code})\n`);
    process.exitCode = 2;
  } else {
    throw error;
  }
}
