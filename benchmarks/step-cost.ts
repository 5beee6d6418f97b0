/**
 * What a step of VeLO costs, on every backend that runs here, beside Adam. `benchmarks/README.md` tells how to read it.
 *
 *     npm run bench [-- --rounds 21] [--only WORKLOAD] [--json FILE] [--html FILE]
 *     npm run bench -- --compare A.json B.json
 *
 * Exit codes: 0 done, 1 something failed, 2 wrong usage.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { compareResults } from './step-cost/comparison.ts';
import { RELAXED } from './step-cost/contender.ts';
import { goalResults } from './step-cost/goals.ts';
import { resultsHtml } from './step-cost/report/html.ts';
import { comparisonText, resultsText } from './step-cost/report/text.ts';
import { type ProcessResults, type Results, readResults, resultsOf } from './step-cost/results.ts';
import { WORKLOADS } from './step-cost/workloads.ts';

const { values: options, positionals } = readArguments();
const only = options.only ?? null;
const rounds = Number(options.rounds);
const names = [...WORKLOADS.map(({ name }) => name), 'network'];
if (!Number.isInteger(rounds) || rounds < 1) usage(`--rounds takes a whole number from 1, not ${options.rounds}.`);
if (only !== null && !names.includes(only)) usage(`--only takes one of ${names.join(', ')}, not ${only}.`);
for (const file of [options.json, options.html]) {
  if (file && !existsSync(dirname(file))) usage(`There is no folder ${dirname(file)} to write to.`);
}
if (positionals.length !== (options.compare ? 2 : 0))
  usage('--compare takes two files that --json wrote; nothing else takes one.');

try {
  if (options.compare) {
    const [before, after] = positionals.map(readResults) as [Results, Results];
    console.log(comparisonText(before, after, compareResults(before, after)));
  } else {
    const results = await run();
    console.log(resultsText(results, process.stdout.columns ?? 100));
    if (options.json) writeFileSync(options.json, `${JSON.stringify(results)}\n`);
    if (options.html) writeFileSync(options.html, resultsHtml(results));
  }
} catch (error) {
  // Not left to Node.js: TensorFlow.js throws what nobody caught anew, with its own source in front.
  console.error(error);
  process.exitCode = 1;
}

async function run(): Promise<Results> {
  // Large, and not needed for anything else.
  const { runSuite } = await import('./step-cost/suite.ts');
  const { runRelaxedProcess } = await import('./step-cost/relaxed-process.ts');
  const processes: ProcessResults[] = [{ flags: [], ...(await runSuite({ field: 'all', only, rounds })) }];
  const isLeftOut = (contender: string) => processes[0]!.leftOut.some(({ name }) => name === contender);
  if (isLeftOut(RELAXED) && !isLeftOut('VeLO wasm')) processes.push(await runRelaxedProcess({ only, rounds }));
  const results = resultsOf(rounds, processes);
  return { ...results, goals: goalResults(processes) };
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '21' },
        only: { type: 'string' },
        json: { type: 'string' },
        html: { type: 'string' },
        compare: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
