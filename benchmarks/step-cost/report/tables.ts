/** The tables of a report, for the terminal and the page alike. */
import { type Change, REFERENCES } from '../comparison.ts';
import type { LeftOut, ThetaName } from '../contender.ts';
import { clockOf, medianTime, type Ratio, ratioOf, select } from '../ratios.ts';
import type { Group, ProcessResults, Results, Timing } from '../results.ts';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  /** How many columns, from the first, hold names. */
  readonly textColumns: number;
  readonly rows: readonly (readonly string[])[];
}

const THETAS: Readonly<Record<ThetaName, string>> = { starter: 'starter', released: 'released size' };

export function goalTable({ goals }: Pick<Results, 'goals'>): Table {
  return {
    title: 'Goals',
    head: ['measure', 'goal', 'figure', 'quartiles', 'clock', 'verdict', 'theta of released size'],
    textColumns: 1,
    rows: goals.map(({ measure, goal, figure, released, verdict }) => [
      measure,
      goal,
      figure ? formatRatio(figure) : '-',
      figure ? formatQuartiles(figure) : '-',
      figure?.clock ?? '-',
      verdict === 'missed' ? 'MISSED' : verdict,
      released ? formatRatio(released) : '',
    ]),
  };
}

/** A row of a group's table, as numbers. */
export interface Row {
  readonly timing: Timing;
  /** Over the group's reference, measured in the same process. */
  readonly ratio: Ratio | null;
  /** Of VeLO's step: the part of the network per tensor. */
  readonly share: Ratio | null;
}

/** Everyone once, from the first process that measured him. */
export function rowsOf(processes: readonly ProcessResults[], group: string): { rows: Row[]; reference: string | null } {
  const inProcesses = processes.map(({ groups }) => groups.find(({ name }) => name === group)?.timings ?? []);
  const reference =
    REFERENCES.find((name) => inProcesses.some((timings) => select(timings, { contender: name, theta: null }))) ?? null;
  const rows = new Map<string, Row>();
  for (const timings of inProcesses) {
    const opponent = reference === null ? undefined : select(timings, { contender: reference, theta: null });
    const hasSteps = timings.some(({ part }) => part === 'step');
    for (const timing of timings) {
      const key = [timing.contender, timing.theta].join();
      if ((hasSteps && timing.part !== 'step') || rows.has(key)) continue;
      const network = hasSteps ? select(timings, { ...timing, part: 'network' }) : undefined;
      rows.set(key, {
        timing,
        ratio: opponent ? ratioOf(timing, opponent) : null,
        share: network ? ratioOf(network, timing) : null,
      });
    }
  }
  return { rows: [...rows.values()], reference };
}

/** The groups of a run in order, each once. */
export function groupsOf(processes: readonly ProcessResults[]): Group[] {
  const groups = new Map<string, Group>();
  for (const group of processes.flatMap(({ groups }) => groups)) {
    if (!groups.has(group.name)) groups.set(group.name, group);
  }
  return [...groups.values()];
}

export function groupTable(processes: readonly ProcessResults[], group: Group): Table {
  const { rows, reference } = rowsOf(processes, group.name);
  const { title, tensors, parameters } = group;
  if (parameters === null) {
    return {
      title,
      head: ['', 'theta', 'all', 'per tensor'],
      textColumns: 2,
      rows: rows.map(({ timing }) => [
        ...labels(timing),
        formatTiming(timing),
        formatTime(medianTime(timing) / tensors),
      ]),
    };
  }
  return {
    title: `${title}: ${count(tensors, 'tensor')}, ${count(parameters, 'parameter')}`,
    head: ['', 'theta', 'step', 'ns per parameter', `of ${reference}`, 'quartiles', 'LSTM and heads', 'of the step'],
    textColumns: 2,
    rows: rows.map(({ timing, ratio, share }) => {
      const perParameter = medianTime(timing) / parameters;
      return [
        ...labels(timing),
        formatTiming(timing),
        perParameter.toFixed(perParameter < 10 ? 2 : perParameter < 100 ? 1 : 0),
        ratio ? formatRatio(ratio) : '',
        ratio ? formatQuartiles(ratio) : '',
        share ? formatTime(share.median * medianTime(timing)) : '',
        share ? `${Math.round(100 * share.median)} %` : '',
      ];
    }),
  };
}

export function comparisonTable(changes: readonly Change[]): Table {
  return {
    title: 'A beside B: ratios within each run',
    head: ['', 'theta', 'on', 'over', 'A', 'quartiles', 'B', 'quartiles', 'B / A', ''],
    textColumns: 4,
    rows: changes.map(({ group, timing, opponent, before, after, change, verdict }) => [
      ...labels(timing),
      group,
      opponent,
      formatRatio(before),
      formatQuartiles(before),
      formatRatio(after),
      formatQuartiles(after),
      change.toFixed(2),
      verdict,
    ]),
  };
}

export const labels = ({ contender, theta }: Timing): [string, string] => [
  contender,
  theta === null ? '' : THETAS[theta],
];

export const TABLE_NOTE =
  'Times and ratios: medians over the rounds, of processor time; of the wall clock where threads take part ("wall"), on both sides of a ratio.';

/** Where, with what and from what it was measured. */
export function describeRun({ machine, versions, commit, rounds, date, processes }: Results): string {
  const { cpu, threads, memoryGiB, system } = machine;
  const { node, v8, velojs: _, ...others } = versions;
  const flags = processes.flatMap((one) => one.flags);
  return [
    `${cpu}, ${count(threads, 'thread')}, ${memoryGiB} GiB, ${system}`,
    `Node.js ${node} (V8 ${v8})${flags.length > 0 ? `, relaxed SIMD in a process with ${flags.join(' ')}` : ''}`,
    Object.entries(others)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    `commit ${commit ?? 'unknown'}, ${count(rounds, 'round')}, ${date.slice(0, 16).replace('T', ' ')} UTC`,
  ].join('\n');
}

/** Who was measured in no process, each once. */
export function leftOutOf(processes: readonly ProcessResults[]): LeftOut[] {
  const groups = processes.flatMap((one) => one.groups);
  const measured = new Set(groups.flatMap(({ timings }) => timings.map(({ contender }) => contender)));
  const reasons = new Map(processes.flatMap(({ leftOut }) => leftOut).map(({ name, reason }) => [name, reason]));
  return [...reasons].filter(([name]) => !measured.has(name)).map(([name, reason]) => ({ name, reason }));
}

export function formatTime(nanoseconds: number): string {
  if (nanoseconds < 1e3) return `${nanoseconds.toPrecision(3)} ns`;
  if (nanoseconds < 999.5e3) return `${(nanoseconds / 1e3).toPrecision(3)} µs`;
  return `${nanoseconds < 999.5e6 ? (nanoseconds / 1e6).toPrecision(3) : Math.round(nanoseconds / 1e6)} ms`;
}

const formatTiming = (timing: Timing) => formatTime(medianTime(timing)) + (clockOf(timing) === 'wall' ? ' wall' : '');
const format = (ratio: number) => (ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(ratio < 10 ? 2 : 1));
const formatRatio = ({ median }: Ratio) => format(median);
const formatQuartiles = ({ low, high }: Ratio) => `${format(low)} - ${format(high)}`;
const count = (n: number, what: string) => `${n.toLocaleString('en-GB')} ${what}${n === 1 ? '' : 's'}`;
