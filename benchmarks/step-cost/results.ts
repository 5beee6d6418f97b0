/** What a run of the benchmark leaves behind: the JSON document. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { LeftOut, ThetaName } from './contender.ts';
import type { GoalResult } from './goals.ts';
import type { Samples } from './measure.ts';

/** `network`: VeLO's network per tensor (features, LSTM, heads) alone. */
export type Part = 'step' | 'network';

export interface Timing extends Samples {
  readonly contender: string;
  readonly theta: ThetaName | null;
  readonly threads: number;
  readonly part: Part;
}

/** What was measured in the same interleaved rounds. */
export interface Group {
  readonly name: string;
  readonly title: string;
  readonly tensors: number;
  /** Null where only networks per tensor were measured. */
  readonly parameters: number | null;
  readonly timings: readonly Timing[];
}

export interface ProcessResults {
  /** Options of Node.js that this process had besides. */
  readonly flags: readonly string[];
  readonly groups: readonly Group[];
  readonly leftOut: readonly LeftOut[];
}

export interface Results {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  /** ISO 8601, UTC. */
  readonly date: string;
  /** With `+` where the working tree had changes; null outside a repository. */
  readonly commit: string | null;
  readonly machine: {
    readonly cpu: string;
    readonly threads: number;
    readonly memoryGiB: number;
    readonly system: string;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** Ratios are taken within a process only. */
  readonly processes: readonly ProcessResults[];
  readonly goals: readonly GoalResult[];
}

const FORMAT = 'velojs-step-cost';
const VERSION = 1;

/** The document, but for what goals need it for. */
export function resultsOf(rounds: number, processes: readonly ProcessResults[]): Omit<Results, 'goals'> {
  return {
    format: FORMAT,
    version: VERSION,
    date: new Date().toISOString(),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      threads: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform} ${process.arch}`,
    },
    versions: { node: process.versions.node, v8: process.versions.v8, ...packageVersions() },
    rounds,
    processes,
  };
}

/**
 * Reads a document that `--json` wrote.
 *
 * @throws Error where it is something else
 */
export function readResults(path: string): Results {
  let document: Partial<Results> | null;
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as Partial<Results> | null;
  } catch (cause) {
    throw new Error(`${path} cannot be read as JSON: ${(cause as Error).message}`, { cause });
  }
  if (document?.format !== FORMAT || document.version !== VERSION) {
    throw new Error(
      `${path} is not a result of this benchmark (${FORMAT}, version ${VERSION}): write one with --json.`,
    );
  }
  return document as Results;
}

const PACKAGES = [
  'velojs',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-backend-cpu',
  '@tensorflow/tfjs-backend-wasm',
  '@jax-js/jax',
  'assemblyscript',
];

function packageVersions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  return Object.fromEntries(
    PACKAGES.flatMap((name) => {
      // Not every package exports its own manifest.
      const folder = require.resolve.paths(name)?.find((path) => existsSync(`${path}/${name}/package.json`));
      if (!folder) return [];
      const { version } = JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')) as { version: string };
      return [[name, version]];
    }),
  );
}

function commit(): string | null {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? '+' : '');
  } catch {
    return null;
  }
}
