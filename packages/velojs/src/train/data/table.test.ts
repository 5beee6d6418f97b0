import { VeloError } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.ts';
import { checkTable, summariseColumns, type TableOptions } from './table.ts';

/** All rows but the last to train on, the last to test on. */
function datasets(text: string, options: TableOptions) {
  const table = parseCsv(text, 'x.csv');
  const order = Uint32Array.from(table.rows.keys());
  const { kind, datasets } = checkTable(table, options);
  return { kind, ...datasets({ train: order.subarray(0, -1), test: order.subarray(-1) }) };
}
const errorOf = (text: string, options: TableOptions): VeloError => {
  try {
    datasets(text, options);
  } catch (error) {
    if (error instanceof VeloError) return error;
    throw error;
  }
  throw new Error('accepted');
};
const lines = (header: string, rows: readonly string[]) => [header, ...rows].join('\n');

describe('checkTable', () => {
  it('standardises columns of numbers and the target of a regression over the training rows', () => {
    const { kind, train, test, targetScale } = datasets(lines('a,y', ['1,10.5', '3,30.5', '7,50.5']), { target: 'y' });
    // Training rows: a has mean 2 and deviation 1, y has mean 20.5 and deviation 10.
    expect(kind).toBe('regression');
    expect([...train.inputs]).toEqual([-1, 1]);
    expect([...train.targets]).toEqual([-1, 1]);
    expect([...test.inputs]).toEqual([5]);
    expect([...test.targets]).toEqual([3]);
    expect(targetScale).toBe(10);
  });

  it('keeps small differences of large numbers', () => {
    const { train } = datasets(lines('time,y', ['1700000000001,0.5', '1700000000003,1.5', '0,0']), { target: 'y' });
    expect([...train.inputs]).toEqual([-1, 1]);
  });

  it('leaves a constant column at 0', () => {
    const { train } = datasets(lines('a,y', ['5,0.5', '5,1.5', '5,0']), { target: 'y' });
    expect([...train.inputs]).toEqual([0, 0]);
  });

  it('turns a column of text into one input per category', () => {
    const { train, test } = datasets(lines('c,y', ['red,0.5', 'blue,1.5', 'red,0']), { target: 'y' });
    expect(train.inputSize).toBe(2);
    expect([...train.inputs]).toEqual([0, 1, 1, 0]);
    expect([...test.inputs]).toEqual([0, 1]);
  });

  it('takes text in the target for classes', () => {
    const { kind, train } = datasets(lines('a,y', ['1,cat', '2,dog', '3,cat']), { target: 'y' });
    expect(kind).toBe('classification');
    expect([...train.targets]).toEqual([1, 0, 0, 1]);
  });

  it('takes few whole numbers in the target for classes, and many for a regression', () => {
    const rows = Array.from({ length: 20 }, (_, i) => i);
    expect(
      datasets(
        lines(
          'a,y',
          rows.map((i) => `${i},${i % 4}`),
        ),
        { target: 'y' },
      ).kind,
    ).toBe('classification');
    expect(
      datasets(
        lines(
          'a,y',
          rows.map((i) => `${i},${i % 5}`),
        ),
        { target: 'y' },
      ).kind,
    ).toBe('regression');
  });

  it('does as it is told with --kind and --ignore', () => {
    const text = lines(
      'a,b,y',
      Array.from({ length: 20 }, (_, i) => `${i},${i},${i % 2}`),
    );
    const { kind, train } = datasets(text, { target: 'y', kind: 'regression', ignore: ['b'] });
    expect(kind).toBe('regression');
    expect([train.inputSize, train.outputSize]).toEqual([1, 1]);
  });

  const many = Array.from({ length: 30 }, (_, i) => `name ${i},${i}.5`);
  it.each<[string, string, TableOptions, string]>([
    ['a target that is not there', 'a,b\n1,2\n', { target: 'y' }, 'no column "y". The columns are "a", "b".'],
    ['an ignored column that is not there', 'a,y\n1,2\n', { target: 'y', ignore: ['b'] }, 'no column "b"'],
    ['nothing to learn from', 'y\n1\n2\n', { target: 'y' }, 'no column besides the target'],
    ['text in a number column', 'a,y\n1,1\n2,2\nx,3\n', { target: 'y' }, 'row 4, column "a": "x" is text'],
    ['a number in a text column', 'a,y\nu,1\n2,2\n', { target: 'y' }, 'row 2, column "a": "u" is text, but row 3'],
    ['text in a number target', 'a,y\n1,1\n2,?\n', { target: 'y' }, 'row 3, column "y": "?" is text'],
    ['a missing value', 'a,y\n1,1\n,2\n', { target: 'y' }, 'row 3, column "a": the value is missing'],
    ['NaN', 'a,y\n1,1\nNaN,2\n', { target: 'y' }, 'row 3, column "a": NaN is not a finite number'],
    ['infinity', 'a,y\n1,1\n2,-inf\n', { target: 'y' }, 'row 3, column "y": -inf is not a finite number'],
    [
      'more than a double holds',
      'a,y\n1,1\n1e999,2\n',
      { target: 'y' },
      'row 3, column "a": 1e999 is not a finite number',
    ],
    ['too many categories', lines('a,y', many), { target: 'y' }, 'column "a" holds text with 30 different values'],
    ['a regression on text', 'a,y\n1,u\n2,v\n', { target: 'y', kind: 'regression' }, 'a regression needs numbers'],
    ['one number only', 'a,y\n1,7\n2,7\n', { target: 'y', kind: 'regression' }, 'every row of the target "y" is 7'],
    ['one class only', 'a,y\n1,u\n2,u\n', { target: 'y' }, 'every row of the target "y" is u'],
  ])('refuses %s', (_, text, options, message) => {
    const error = errorOf(text, options);
    expect(error.code).toBe('DATA_INVALID');
    expect(error.message).toContain(message);
  });

  it('refuses to ignore the target', () => {
    expect(errorOf('a,y\n1,2\n', { target: 'y', ignore: ['y'] }).code).toBe('INVALID_ARGUMENT');
  });
});

describe('summariseColumns', () => {
  it('says what each column is good for, and why not', () => {
    const names = Array.from({ length: 30 }, (_, i) => `${i},${i % 2},${i % 2 ? 'a' : 'b'},name ${i},${i || 'none'},7`);
    const summary = summariseColumns(parseCsv(lines('number,few,text,names,mixed,same', names), 'x.csv'));
    expect(summary.map(({ name, targetKind }) => [name, targetKind])).toEqual([
      ['number', 'regression'],
      ['few', 'classification'],
      ['text', 'classification'],
      ['names', 'classification'],
      ['mixed', null],
      ['same', null],
    ]);
    expect(summary.map(({ notInput }) => notInput !== null)).toEqual([false, false, false, true, true, false]);
    expect(summary[3]!.notInput).toContain('30 different values');
    expect(summary[4]!.notTarget).toContain('all numbers or all text');
    expect(summary[5]!.notTarget).toContain('nothing to learn');
    expect(summary.map(({ holds }) => holds)).toEqual(['numbers', 'numbers', 'categories', 'text', 'mixed', 'numbers']);
    expect(summary[0]!.example).toBe('0');
  });
});
