import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VeloError } from '@velojs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TASK_NAMES } from './index.ts';
import { selectTasks, type TaskOptions } from './select.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-tasks-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const select = (options: Partial<TaskOptions>) => selectTasks({ seed: 0, ...options });
const csv = (text: string, options: Partial<TaskOptions> = {}) =>
  select({ data: file('x.csv', text), target: 'y', ...options });

const numbers = ['a,y', ...Array.from({ length: 50 }, (_, i) => `${i},${i}.5`)].join('\n');

describe('selectTasks', () => {
  it('takes all tasks where nothing is asked for', () => {
    expect(select({})).toHaveLength(TASK_NAMES.length);
  });

  it('takes the tasks that are named', () => {
    expect(select({ task: ['spirals'] }).map((make) => make().name)).toEqual(['spirals']);
  });

  it('splits a file at random, by the seed, every row once', () => {
    const rows = (seed: number) => {
      const { train, test } = csv(numbers, { seed })[0]!();
      expect([train.count, test.count]).toEqual([40, 10]);
      return [train.targets, test.targets];
    };
    expect(rows(1)).toEqual(rows(1));
    expect(rows(1)).not.toEqual(rows(2));
    const { train, test } = csv(numbers)[0]!();
    expect(new Set([...train.targets, ...test.targets]).size).toBe(50);
  });

  it('takes a number of test examples, and the first examples only', () => {
    const { train, test } = csv(numbers, { examples: 12, test: 4 })[0]!();
    expect([train.count, test.count]).toEqual([8, 4]);
  });

  it('holds out one of very few', () => {
    const { train, test } = csv('a,y\n1,1.5\n2,2.5\n')[0]!();
    expect([train.count, test.count]).toEqual([1, 1]);
  });

  it.each<[string, () => Partial<TaskOptions>, string, string]>([
    ['a task that is not there', () => ({ task: ['chess'] }), 'INVALID_ARGUMENT', 'The tasks are glyphs'],
    [
      'two sources',
      () => ({ task: ['glyphs'], data: 'x' }),
      'INVALID_ARGUMENT',
      '--task and --data exclude each other',
    ],
    ['data without a target', () => ({ data: 'x.csv' }), 'INVALID_ARGUMENT', '--data needs --target'],
    ['a target without data', () => ({ target: 'y' }), 'INVALID_ARGUMENT', 'belong to --data'],
    ['a test share without a file', () => ({ test: 0.2 }), 'INVALID_ARGUMENT', 'belong to --data and --images'],
    [
      'examples of a made-up task',
      () => ({ task: ['glyphs'], examples: 9 }),
      'INVALID_ARGUMENT',
      'belong to --data and',
    ],
    ['images without labels', () => ({ images: 'x' }), 'INVALID_ARGUMENT', 'need each other'],
    ['labels without images', () => ({ labels: 'x' }), 'INVALID_ARGUMENT', 'need each other'],
    [
      'a file that is not there',
      () => ({ data: join(folder, 'no.csv'), target: 'y' }),
      'DATA_INVALID',
      'cannot be read',
    ],
    ['all rows as test', () => ({ data: file('n.csv', numbers), target: 'y', test: 50 }), 'INVALID_ARGUMENT', '--test'],
    ['one row', () => ({ data: file('1.csv', 'a,y\n1,2.5\n'), target: 'y' }), 'DATA_INVALID', 'one example is too few'],
    ['bad text in two rows', () => ({ data: file('t.csv', 'a,y\n1,2\nx,3\n'), target: 'y' }), 'DATA_INVALID', 'row 3'],
    ['a large batch', () => ({ data: file('n.csv', numbers), target: 'y', batchSize: 41 }), 'INVALID_ARGUMENT', '40'],
  ])('refuses %s', (_, options, code, message) => {
    try {
      select(options());
    } catch (error) {
      expect(error).toBeInstanceOf(VeloError);
      expect((error as VeloError).code).toBe(code);
      expect((error as VeloError).message).toContain(message);
      return;
    }
    expect.unreachable();
  });
});
