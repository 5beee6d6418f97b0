/** What one process measures. */
import type { Shape } from '@velojs/core';
import { type Contender, DIRECT, RELAXED, type Task } from './contender.ts';
import { checkResults } from './correctness.ts';
import { measure } from './measure.ts';
import { directController } from './optimizers/direct-controller.ts';
import { lineup } from './optimizers/index.ts';
import type { Group, Part, ProcessResults, Timing } from './results.ts';
import { parameterCount, problemOf, WORKLOADS } from './workloads.ts';

export interface SuiteOptions {
  /** `relaxed`: only VeLO with relaxed SIMD and those that it is compared with. */
  readonly field: 'all' | 'relaxed';
  /** A workload's name or `network`; null for all. */
  readonly only: string | null;
  readonly rounds: number;
}

/** How many tensors go through the network per tensor at once, in the groups that measure nothing else. */
const TENSORS = [1, 6, 50];
/** The most of them also go through the network in its direct form. */
const DIRECT_TENSORS = 50;

export async function runSuite({ field, only, rounds }: SuiteOptions): Promise<Omit<ProcessResults, 'flags'>> {
  const { contenders, leftOut, dispose } = await lineup(field);
  if (field === 'relaxed' && !contenders.some(({ name }) => name === RELAXED)) return { groups: [], leftOut };
  say('checking results');
  await checkResults(contenders);

  const groups: Group[] = [];
  for (const { name, title, shapes } of WORKLOADS) {
    if (only !== null && only !== name) continue;
    say(`measuring ${title}`);
    const problem = problemOf(shapes);
    const entries = contenders.flatMap((contender) => [
      entry(contender, 'step', contender.start(problem)),
      ...networkEntries(contender, shapes),
    ]);
    const timings = await timed(entries, rounds);
    groups.push({ name, title, tensors: shapes.length, parameters: parameterCount(shapes), timings });
  }
  for (const tensors of TENSORS) {
    if (only !== null && only !== 'network') continue;
    const title = `network per tensor, ${tensors === 1 ? 'one tensor' : `${tensors} tensors at once`}`;
    say(`measuring ${title}`);
    const shapes = Array.from({ length: tensors }, () => [128, 128]);
    const entries = contenders.flatMap((contender) => networkEntries(contender, shapes));
    if (field === 'all' && tensors === DIRECT_TENSORS) {
      entries.push({
        contender: DIRECT,
        theta: 'released',
        threads: 1,
        part: 'network',
        task: await directController(shapes),
      });
    }
    groups.push({
      name: `network-${tensors}`,
      title,
      tensors,
      parameters: null,
      timings: await timed(entries, rounds),
    });
  }
  dispose();
  return { groups, leftOut };
}

/** Progress; standard output is for results. */
function say(what: string): void {
  process.stderr.write(`${what} ...\n`);
}

type Entry = Omit<Timing, 'cpu' | 'wall'> & { readonly task: Task };

const entry = ({ name, theta, threads }: Contender, part: Part, task: Task): Entry => ({
  contender: name,
  theta,
  threads,
  part,
  task,
});

const networkEntries = (contender: Contender, shapes: readonly Shape[]): Entry[] =>
  contender.controller ? [entry(contender, 'network', contender.controller(shapes))] : [];

async function timed(entries: readonly Entry[], rounds: number): Promise<Timing[]> {
  const samples = await measure(
    entries.map(({ task }) => task),
    rounds,
  );
  for (const { task } of entries) task.dispose();
  return entries.map(({ task: _, ...labels }, i) => ({ ...labels, ...samples[i]! }));
}
