/** The report as plain text, for the terminal and the page alike. */
import { quantile } from '../step-cost/ratios.ts';
import type { GpuGroup, GpuResults, GpuTiming } from './suite.ts';

export function gpuReport({ adapter, where, rounds, groups, leftOut }: GpuResults): string {
  const { vendor, architecture, device, description, isSoftware, hasTimestamps, limits } = adapter;
  return [
    [
      `adapter: ${[vendor, architecture, device, description].filter(Boolean).join(', ') || 'unnamed'}; ${where}; ${rounds} rounds`,
      `limits: ${Object.entries(limits)
        .map(([name, value]) => `${name} ${value.toLocaleString('en')}`)
        .join(', ')}`,
      hasTimestamps
        ? 'clock: the wall, and what the GPU says that its compute passes took; ratios and bytes per second by the latter where it says'
        : 'clock: the wall (this adapter measures no time itself)',
      ...(isSoftware ? ['A PROCESSOR DOES THE WORK OF A GPU HERE: these times say nothing about GPUs.'] : []),
      ...leftOut.map(({ name, reason }) => `left out: ${name}: ${reason}`),
    ].join('\n'),
    ...groups.map(groupReport),
  ].join('\n\n');
}

const HEAD = [
  '',
  'theta',
  'ms',
  'quartiles',
  'GPU ms',
  'over Adam',
  'GB/s',
  'of copy',
  'dispatches',
  'submissions',
  'copies',
];
const TEXT_COLUMNS = 2;

function groupReport({ title, tensors, parameters, timings }: GpuGroup): string {
  const [copy, adam] = ['copy', 'Adam'].map((name) => timings.find(({ contender }) => contender === name));
  const rows = timings.map((timing) => {
    const { contender, theta, wall, gpu, counts } = timing;
    return [
      contender,
      theta ?? '',
      number(quantile(wall, 0.5)),
      `${number(quantile(wall, 0.25))} to ${number(quantile(wall, 0.75))}`,
      gpu ? number(quantile(gpu, 0.5)) : '-',
      theta && adam ? number(over(timing, adam, (milliseconds) => milliseconds)) : '',
      timing.bytes === null ? '' : number(timing.bytes / quantile(clock(timing, timing), 0.5) / 1e6),
      timing.bytes === null || !copy
        ? ''
        : `${number(100 * over(copy, timing, (milliseconds, of) => milliseconds / of.bytes!))} %`,
      ...[counts.dispatches, counts.submissions, counts.copies].map(String),
    ];
  });
  return `${title}: ${tensors} tensors, ${parameters.toLocaleString('en')} parameters\n${table([HEAD, ...rows])}`;
}

/** The GPU's own clock where both have it. */
const clock = (timing: GpuTiming, other: GpuTiming): readonly number[] =>
  timing.gpu && other.gpu ? timing.gpu : timing.wall;

/** The median of the rounds' ratios. */
function over(a: GpuTiming, b: GpuTiming, value: (milliseconds: number, of: GpuTiming) => number): number {
  const [above, below] = [clock(a, b), clock(b, a)];
  return quantile(
    above.map((milliseconds, round) => value(milliseconds, a) / value(below[round]!, b)),
    0.5,
  );
}

const number = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column < TEXT_COLUMNS ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
