/** A report as text for the terminal. */
import CliTable from 'cli-table3';
import type { Change } from '../comparison.ts';
import type { Results } from '../results.ts';
import { chart } from './chart.ts';
import {
  comparisonTable,
  describeRun,
  goalTable,
  groupsOf,
  groupTable,
  leftOutOf,
  TABLE_NOTE,
  type Table,
} from './tables.ts';

/** All there is, the goals at the end. */
export function resultsText(results: Results, columns: number): string {
  const { processes } = results;
  const leftOut = leftOutOf(processes).map(({ name, reason }) => `left out: ${name}: ${reason}`);
  return [
    [describeRun(results), ...leftOut].join('\n'),
    ...groupsOf(processes).map((group) => tableText(groupTable(processes, group))),
    chart(processes, columns),
    `${tableText(goalTable(results))}\n${TABLE_NOTE}`,
  ]
    .filter((part) => part !== null)
    .join('\n\n');
}

export const comparisonText = (before: Results, after: Results, changes: readonly Change[]): string =>
  [`A: ${describeRun(before)}`, `B: ${describeRun(after)}`, tableText(comparisonTable(changes))].join('\n\n');

/** Names to the left, numbers to the right. */
function tableText({ title, head, textColumns, rows }: Table): string {
  const table = new CliTable({
    head: [...head],
    colAligns: head.map((_, i) => (i < textColumns ? 'left' : 'right')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: NO_LINES,
  });
  table.push(...rows.map((row) => [...row]));
  return `${title}\n${table.toString()}`;
}

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid', 'middle']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .map((name) => [name, '']),
);
