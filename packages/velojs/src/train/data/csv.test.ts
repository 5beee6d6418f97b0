import { VeloError } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.ts';

const rowsOf = (text: string) => parseCsv(text, 'x.csv').rows;
const messageOf = (text: string): string => {
  try {
    parseCsv(text, 'x.csv');
  } catch (error) {
    if (error instanceof VeloError && error.code === 'DATA_INVALID') return error.message;
    throw error;
  }
  throw new Error('parsed');
};

describe('parseCsv', () => {
  it('reads a header and rows', () => {
    expect(parseCsv('a,b\n1,x\n2,y\n', 'x.csv')).toEqual({
      name: 'x.csv',
      columns: ['a', 'b'],
      rows: [
        ['1', 'x'],
        ['2', 'y'],
      ],
    });
  });

  it('takes a byte order mark, CRLF, quotes, blanks around values and empty lines', () => {
    const { columns, rows } = parseCsv('\uFEFFa,"b, c"\r\n 1 ,"say ""hi"""\r\n\r\n2,"two\nlines"', 'x.csv');
    expect(columns).toEqual(['a', 'b, c']);
    expect(rows).toEqual([
      ['1', 'say "hi"'],
      ['2', 'two\nlines'],
    ]);
  });

  it('names a column that has no name, such as the index that pandas writes', () => {
    expect(parseCsv(',a\n0,1\n', 'x.csv').columns).toEqual(['column 1', 'a']);
  });

  it('keeps missing values, for the columns that are used to complain about', () => {
    expect(rowsOf('a,b\n1,\n')).toEqual([['1', '']]);
  });

  it.each([
    ['an empty file', '', 'x.csv: the file is empty'],
    ['blank lines only', '\n\n', 'x.csv: the file is empty'],
    ['a header alone', 'a,b\n', 'x.csv: there are no data rows'],
    ['a short row', 'a,b\n1,2\n3\n', 'x.csv: row 3 has 1 values where the header has 2 columns'],
    ['a long row', 'a,b\n1,2,3\n', 'x.csv: row 2 has 3 values where the header has 2 columns'],
    ['a quote that never ends', 'a,b\n1,"2\n3,4\n', 'is not valid CSV'],
    ['a name twice', 'a,b,a\n1,2,3\n', 'the header names the column "a" twice'],
  ])('refuses %s', (_, text, message) => {
    expect(messageOf(text)).toContain(message);
  });
});
