/** A table of text to standardised numbers: columns of numbers, columns of categories, a target. */
import { VeloError } from '@velojs/core';
import { fileRow, type Table } from './csv.ts';
import { type Dataset, oneHot } from './dataset.ts';

export type Kind = 'classification' | 'regression';

export interface TableOptions {
  /** The column to predict. */
  readonly target: string;
  /** Guessed from the target column if undefined: text and few whole numbers are classes. */
  readonly kind?: Kind | undefined;
  /** Columns to leave out. */
  readonly ignore?: readonly string[];
}

/** Columns that are checked, and not yet standardised: that takes the rows to train on. */
export interface CheckedTable {
  readonly kind: Kind;
  /** Names of the classes in the order of the outputs; null for a regression. */
  readonly classes: readonly string[] | null;
  /** @param rows indices into the table's rows. */
  datasets(rows: { readonly train: Uint32Array; readonly test: Uint32Array }): {
    readonly train: Dataset;
    readonly test: Dataset;
    /** One unit of the datasets' target in units of the column; 1 for classes. */
    readonly targetScale: number;
    /** Where the datasets' target is 0, in units of the column; 0 for classes. */
    readonly targetMean: number;
  };
}

/** More different texts than this in one column are names rather than categories. */
const MOST_CATEGORIES = 20;
/** More different values than this in the target are not classes. */
const MOST_CLASSES = 1000;
/** Whole numbers are taken for classes where each occurs at least so often on average. */
const LEAST_ROWS_PER_CLASS = 5;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i;

type Column = { readonly numbers: Float64Array } | { readonly texts: readonly string[] };

/**
 * Checks a table and says how it becomes a training and a test set.
 *
 * Columns of numbers are standardised to mean 0 and deviation 1 over the training rows, as is the target of a regression.
 * A column of which every row is text becomes one 0/1 input per category.
 *
 * @throws VeloError `DATA_INVALID` naming row and column of a missing or non-finite value or of text among numbers, or the
 *   column that is not there; `INVALID_ARGUMENT` where the target is to be ignored.
 */
export function checkTable(table: Table, options: TableOptions): CheckedTable {
  const targetIndex = columnIndex(table, options.target);
  const ignored = new Set(options.ignore?.map((name) => columnIndex(table, name)));
  if (ignored.has(targetIndex)) {
    throw new VeloError('INVALID_ARGUMENT', `"${options.target}" is the target and cannot be ignored.`);
  }
  const features = table.columns.flatMap((_, i) => (i === targetIndex || ignored.has(i) ? [] : [i]));
  if (features.length === 0) throw invalid(table, 'there is no column besides the target to learn from.');
  const inputs = features.flatMap((i) => inputColumns(table, i));
  const target = readTarget(table, targetIndex, options.kind);

  return {
    kind: 'classes' in target ? 'classification' : 'regression',
    classes: 'classes' in target ? target.names : null,
    datasets({ train, test }) {
      const columns = inputs.map((input) =>
        'flags' in input ? input.flags : standardise(input.numbers, train).values,
      );
      const standardised = 'numbers' in target ? standardise(target.numbers, train) : undefined;
      const dataset = (rows: Uint32Array): Dataset => ({
        count: rows.length,
        inputSize: columns.length,
        outputSize: 'classes' in target ? target.names.length : 1,
        inputs: interleave(columns, rows),
        targets:
          'classes' in target
            ? oneHot(
                Array.from(rows, (row) => target.classes[row]!),
                target.names.length,
              )
            : interleave([standardised!.values], rows),
      });
      return {
        train: dataset(train),
        test: dataset(test),
        targetScale: standardised?.scale ?? 1,
        targetMean: standardised?.mean ?? 0,
      };
    },
  };
}

/** What one column is good for. */
export interface ColumnSummary {
  readonly name: string;
  /** Its first value. */
  readonly example: string;
  /** `categories` are few different texts; `mixed` is neither all numbers nor all text, or has missing values. */
  readonly holds: 'numbers' | 'categories' | 'text' | 'mixed';
  /** Why it cannot be among the inputs; null if it can. */
  readonly notInput: string | null;
  /** Why it cannot be the target; null if it can. */
  readonly notTarget: string | null;
  /** What it is as a target, if nothing is said; null if it cannot be one. */
  readonly targetKind: Kind | null;
}

/** Every column of a table, for who has to choose the target and what to leave out. */
export function summariseColumns(table: Table): ColumnSummary[] {
  const attempt = <Value>(body: () => Value): { value: Value | null; reason: string | null } => {
    try {
      return { value: body(), reason: null };
    } catch (error) {
      if (error instanceof VeloError) return { value: null, reason: error.message };
      throw error;
    }
  };
  return table.columns.map((name, index) => {
    const column = attempt(() => readColumn(table, index)).value;
    const input = attempt(() => inputColumns(table, index));
    const target = attempt(() => readTarget(table, index, undefined));
    return {
      name,
      example: table.rows[0]![index]!,
      holds: !column ? 'mixed' : 'numbers' in column ? 'numbers' : input.value ? 'categories' : 'text',
      notInput: input.reason,
      notTarget: target.reason,
      targetKind: target.value && ('classes' in target.value ? 'classification' : 'regression'),
    };
  });
}

function columnIndex(table: Table, name: string): number {
  const index = table.columns.indexOf(name);
  if (index >= 0) return index;
  const columns = table.columns.map((column) => `"${column}"`).join(', ');
  throw invalid(table, `there is no column "${name}". The columns are ${columns}.`);
}

function inputColumns(table: Table, index: number): ({ numbers: Float64Array } | { flags: Float64Array })[] {
  const column = readColumn(table, index);
  if ('numbers' in column) return [column];
  const categories = distinct(column.texts);
  if (categories.length > MOST_CATEGORIES) {
    const name = table.columns[index]!;
    throw invalid(
      table,
      `column "${name}" holds text with ${categories.length} different values; at most ${MOST_CATEGORIES} are read as categories. ` +
        `Leave it out (--ignore "${name}").`,
    );
  }
  return categories.map((category) => ({
    flags: Float64Array.from(column.texts, (text) => (text === category ? 1 : 0)),
  }));
}

/** Class indices by row, or numbers. */
function readTarget(
  table: Table,
  index: number,
  asked: Kind | undefined,
): { classes: Uint32Array; names: string[] } | { numbers: Float64Array } {
  const name = table.columns[index]!;
  const column = readColumn(table, index);
  const values: readonly (string | number)[] = 'numbers' in column ? Array.from(column.numbers) : column.texts;
  const classes = distinct(values);
  if (classes.length < 2 && values.length > 1) {
    throw invalid(table, `every row of the target "${name}" is ${classes[0]}: there is nothing to learn.`);
  }
  const kind = asked ?? (looksLikeClasses(column, classes.length) ? 'classification' : 'regression');
  if (kind === 'regression') {
    if ('numbers' in column) return column;
    throw invalid(table, `a regression needs numbers, and the target "${name}" holds text such as "${values[0]}".`);
  }
  if (classes.length > MOST_CLASSES) {
    throw invalid(
      table,
      `the target "${name}" has ${classes.length} different values; at most ${MOST_CLASSES} classes are possible.`,
    );
  }
  const classOf = new Map(classes.map((value, i) => [value, i]));
  return { classes: Uint32Array.from(values, (value) => classOf.get(value)!), names: classes.map(String) };
}

const looksLikeClasses = (column: Column, classes: number) =>
  'texts' in column ||
  (column.numbers.every(Number.isInteger) &&
    classes <= MOST_CATEGORIES &&
    classes * LEAST_ROWS_PER_CLASS <= column.numbers.length);

/** A column is all numbers or all text; anything between is a mistake in the file. */
function readColumn(table: Table, index: number): Column {
  const name = table.columns[index]!;
  const texts = table.rows.map((row) => row[index]!);
  const at = (row: number) => `row ${fileRow(row)}, column "${name}"`;
  texts.forEach((text, row) => {
    if (text === '') throw invalid(table, `${at(row)}: the value is missing. Fill it in or remove the row.`);
  });
  const isNumber = texts.map((text) => NUMBER.test(text) || NOT_FINITE.test(text));
  if (!isNumber.includes(true)) return { texts };
  const odd = isNumber.indexOf(false);
  if (odd >= 0) {
    throw invalid(
      table,
      `${at(odd)}: "${texts[odd]}" is text, but ${at(isNumber.indexOf(true))} is the number ${texts[isNumber.indexOf(true)]}. ` +
        'A column must be all numbers or all text.',
    );
  }
  const numbers = Float64Array.from(texts, Number);
  const bad = numbers.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw invalid(table, `${at(bad)}: ${texts[bad]} is not a finite number. Correct it or remove the row.`);
  return { numbers };
}

/** In double precision: float32 would lose small differences of large numbers, such as times. */
function standardise(
  values: Float64Array,
  trainRows: Uint32Array,
): { values: Float64Array; scale: number; mean: number } {
  const mean = trainRows.reduce((sum, row) => sum + values[row]! / trainRows.length, 0);
  const variance = trainRows.reduce((sum, row) => sum + (values[row]! - mean) ** 2 / trainRows.length, 0);
  const scale = Math.sqrt(variance) || 1;
  return { values: values.map((value) => (value - mean) / scale), scale, mean };
}

/** `[indices, columns]` in float32. */
function interleave(columns: readonly Float64Array[], indices: Uint32Array): Float32Array {
  const matrix = new Float32Array(indices.length * columns.length);
  indices.forEach((row, i) => {
    for (let j = 0; j < columns.length; j++) matrix[i * columns.length + j] = columns[j]![row]!;
  });
  return matrix;
}

const distinct = <Value extends string | number>(values: readonly Value[]): Value[] =>
  [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));

const invalid = (table: Table, what: string) => new VeloError('DATA_INVALID', `${table.name}: ${what}`);
