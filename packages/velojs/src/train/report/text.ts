/** A comparison as text for the terminal. */
import { stripVTControlCharacters } from 'node:util';
import type { Palette } from '../../palette.ts';
import type { Comparison } from '../comparison.ts';
import type { Task } from '../tasks/task.ts';
import { chart } from './chart.ts';
import { describeTask, tableRows } from './format.ts';

export const taskHeading = (task: Task, palette: Palette): string =>
  `${palette.bold(task.name)}: ${task.title}\n${palette.dim(describeTask(task))}`;

/** Plot and table. */
export function comparisonText(comparison: Comparison, columns: number, palette: Palette): string {
  const { head, rows } = tableRows(comparison);
  const [first, ...others] = alignColumns([head.map(palette.dim), ...rows]);
  return [chart(comparison, columns, palette), [first, ...others].join('\n')].filter(Boolean).join('\n\n');
}

/** The first column to the left, the others to the right, two spaces between. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const width = (cell: string) => stripVTControlCharacters(cell).length;
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => width(row[i]!))));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const padding = ' '.repeat(widths[i]! - width(cell));
        return i === 0 ? cell + padding : padding + cell;
      })
      .join('  '),
  );
}
