/** Times tasks against each other. */
import type { Task } from './contender.ts';

/** Nanoseconds per run, one entry per round. */
export interface Samples {
  /** Processor time of the whole process: what others do on this machine does not count. */
  readonly cpu: readonly number[];
  readonly wall: readonly number[];
}

/** Time since it was started, in nanoseconds. */
export type Clock = () => () => { cpu: number; wall: number };

/** Node's. */
const processClock: Clock = () => {
  const startCpu = process.cpuUsage();
  const startWall = process.hrtime.bigint();
  return () => {
    const wall = Number(process.hrtime.bigint() - startWall);
    const { user, system } = process.cpuUsage(startCpu);
    return { cpu: (user + system) * 1000, wall };
  };
};

/** Shorter series are below what the clocks resolve; in nanoseconds. */
const SHORTEST = 1e7;
/** Until loops are compiled and caches filled; in nanoseconds. A run of few rounds is a quick look. */
const warmUpFor = (rounds: number): number => Math.min(3e8, rounds * 2e7);

/**
 * Times every task once per round, the tasks in another random order each time, so that a slow moment of the machine
 * weighs on all of them.
 *
 * @param goOn asked after every round.
 */
export async function measure(
  tasks: readonly Task[],
  rounds: number,
  { clock = processClock, goOn = () => true }: { clock?: Clock; goOn?: () => boolean | Promise<boolean> } = {},
): Promise<Samples[]> {
  const series: { task: Task; runs: number; cpu: number[]; wall: number[] }[] = [];
  for (const task of tasks)
    series.push({ task, runs: await warmUp(task, warmUpFor(rounds), clock), cpu: [], wall: [] });
  for (let round = 0; round < rounds && (round === 0 || (await goOn())); round++) {
    for (const { task, runs, cpu, wall } of shuffled(series)) {
      const sample = await time(task, runs, clock);
      cpu.push(sample.cpu);
      wall.push(sample.wall);
    }
  }
  return series.map(({ cpu, wall }) => ({ cpu, wall }));
}

/** Returns how many runs make a series. */
async function warmUp(task: Task, duration: number, clock: Clock): Promise<number> {
  let runs = 1;
  let spent = 0;
  for (let series = 0; series < 3 || spent < duration; series++) {
    const { wall } = await time(task, runs, clock);
    spent += wall * runs;
    runs = Math.ceil(SHORTEST / wall);
  }
  return runs;
}

async function time(task: Task, runs: number, clock: Clock): Promise<{ cpu: number; wall: number }> {
  task.prepare?.();
  const elapsed = clock();
  for (let i = 0; i < runs; i++) task.run();
  await task.finish?.();
  const { cpu, wall } = elapsed();
  return { cpu: cpu / runs, wall: wall / runs };
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
