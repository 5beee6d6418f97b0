/** An evaluation as text for the terminal. */
import type { Evaluation } from '../evaluate.ts';
import type { GroupSummary } from '../summary.ts';
import { formatCount } from './format.ts';
import { NOTE, summaryRows, taskRows } from './tables.ts';

/**
 * A table of the figures of every optimizer, over all tasks and by group, and one of the tasks.
 *
 * @example
 * ```ts
 * console.log(textReport(evaluation));
 * ```
 */
export function textReport({ suite, seeds, tasks, optimizers }: Evaluation): string {
  const heading = `${suite.name}, version ${suite.version}: ${formatCount(tasks.length)} tasks, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`;
  const summaries = optimizers.map(({ name, groups }) => summaryTable(name, groups));
  // Of a large suite those alone that went wrong.
  const wrong = new Set(optimizers.flatMap(({ groups }) => groups[0]!.diverged.map(({ task }) => task)));
  const listed = tasks.length > MOST_LISTED ? tasks.filter(({ name }) => wrong.has(name)) : tasks;
  const { head, rows } = taskRows(
    listed,
    optimizers.map(({ name }) => name),
  );
  return [heading, ...summaries, ...(rows.length > 0 ? [alignColumns([head, ...rows])] : []), NOTE].join('\n\n');
}

const MOST_LISTED = 200;

/** A column per group, or a row where there are many. */
function summaryTable(name: string, groups: readonly GroupSummary[]): string {
  const rows = summaryRows(groups[0]!);
  const title = ({ group, tasks }: GroupSummary) => `${group ?? 'all'} (${tasks})`;
  const table = [[name, ...groups.map(title)], ...rows.map(({ label, cell }) => [label, ...groups.map(cell)])];
  return alignColumns(groups.length > 4 ? table[0]!.map((_, i) => table.map((row) => row[i]!)) : table);
}

/** The first column to the left, the others to the right, two spaces between. */
function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}
