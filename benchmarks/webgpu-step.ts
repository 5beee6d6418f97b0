/**
 * What a step of VeLO costs on a GPU, beside Adam and beside copying memory. `benchmarks/README.md` tells how to read it;
 * `benchmarks/webgpu-page` measures the same in a browser.
 *
 *     npm run bench:webgpu [-- --rounds 11] [--only WORKLOAD] [--json FILE]
 *
 * Exit codes: 0 done, 1 something failed, 2 wrong usage, 3 there is no GPU.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { VeloError } from '@velojs/core';
import { testingGpu } from '../packages/backend-webgpu/src/testing-device.ts';
import { gpuReport } from './webgpu-step/report.ts';
import { runGpuSuite } from './webgpu-step/suite.ts';
import { GPU_WORKLOADS } from './webgpu-step/workloads.ts';

const options = readArguments();
const rounds = Number(options.rounds);
const only = options.only ?? null;
const names = GPU_WORKLOADS.map(({ name }) => name);
if (!Number.isInteger(rounds) || rounds < 1) usage(`--rounds takes a whole number from 1, not ${options.rounds}.`);
if (only !== null && !names.includes(only)) usage(`--only takes one of ${names.join(', ')}, not ${only}.`);
if (options.json && !existsSync(dirname(options.json)))
  usage(`--json: there is no folder ${dirname(options.json)} to write to.`);

try {
  const where = `Node.js ${process.versions.node}, ${process.platform} ${process.arch}`;
  const say = (text: string) => console.error(text);
  const results = await runGpuSuite({ gpu: await testingGpu(), only, rounds, where, say });
  console.log(gpuReport(results));
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results)}\n`);
} catch (error) {
  if (!(error instanceof VeloError && error.code === 'BACKEND_UNAVAILABLE')) throw error;
  console.error(error.message);
  process.exitCode = 3;
}

function readArguments() {
  try {
    return parseArgs({
      options: { rounds: { type: 'string', default: '11' }, only: { type: 'string' }, json: { type: 'string' } },
    }).values;
  } catch (error) {
    return usage((error as Error).message);
  }
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
