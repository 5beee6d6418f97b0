/** CSV text to named columns of text, every row as long as the header. */
import { VeloError } from '@velojs/core';
// The one build that runs in browsers too.
import { CsvError, parse } from 'csv-parse/browser/esm/sync';

export interface Table {
  /** Of the file, for messages. */
  readonly name: string;
  readonly columns: readonly string[];
  /** Each as long as `columns`, values trimmed. Row 0 is row 2 of the file: the header is row 1. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * Reads CSV with a header row: commas, optional double quotes, LF or CRLF, with or without a byte order mark.
 *
 * @param name of the file, for messages.
 * @throws VeloError `DATA_INVALID` naming the row where it is empty, ragged, badly quoted, or names a column twice.
 */
export function parseCsv(text: string, name: string): Table {
  const invalid = (what: string, cause?: unknown) => new VeloError('DATA_INVALID', `${name}: ${what}`, { cause });
  let records: string[][];
  try {
    records = parse(text, { bom: true, trim: true, skip_empty_lines: true, relax_column_count: true });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw invalid(`line ${cause.lines} is not valid CSV: ${cause.message}.`, cause);
  }
  const [header, ...rows] = records;
  if (!header) throw invalid('the file is empty; a header row and data rows are needed.');
  if (rows.length === 0) throw invalid('there are no data rows below the header.');

  const columns = header.map((column, i) => column || `column ${i + 1}`);
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice !== undefined) throw invalid(`the header names the column "${twice}" twice. Rename one.`);
  rows.forEach((row, i) => {
    if (row.length !== columns.length) {
      throw invalid(
        `row ${fileRow(i)} has ${row.length} values where the header has ${columns.length} columns. Fix or remove the row.`,
      );
    }
  });
  return { name, columns, rows };
}

/** Where a row stands in the file, as a spreadsheet counts: the header is row 1. */
export const fileRow = (index: number): number => index + 2;
