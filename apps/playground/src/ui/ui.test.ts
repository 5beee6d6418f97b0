import { describe, expect, it } from 'vitest';
import { readAddress, type Settings, writeAddress } from './address.ts';
import { commandOf } from './code.ts';
import { curvesCsv } from './downloads.ts';
import { formatNumber, formatTime } from './format.ts';
import { Numbers } from './numbers.ts';
import { nearestRate, RATES } from './rates.ts';
import { smooth } from './smooth.ts';

const defaults: Settings = {
  task: 'spirals',
  steps: 600,
  seed: 0,
  hidden: null,
  batchSize: null,
  backend: null,
  opponents: [{ name: 'adam', learningRate: 0.001 }],
  theta: 'default',
};
const read = (hash: string) => readAddress(hash, { defaults, tasks: ['spirals', 'glyphs'], most: 3 });

describe('address', () => {
  it('reads what it writes', () => {
    const settings: Settings = {
      task: 'glyphs',
      steps: 1234,
      seed: 7,
      hidden: [64, 32],
      batchSize: 16,
      backend: 'webgpu',
      opponents: [
        { name: 'adam', learningRate: 0.0003 },
        { name: 'adam', learningRate: 0.01, decay: 'cosine' },
        { name: 'sgd', learningRate: 0.1, momentum: 0.8 },
      ],
      theta: 'velo',
    };
    expect(read(`#${writeAddress(settings)}`)).toEqual({ settings, complaints: [] });
    expect(read(`#${writeAddress(defaults)}`)).toEqual({ settings: defaults, complaints: [] });
  });

  it('takes no opponents at all', () => {
    expect(read('#vs=').settings.opponents).toEqual([]);
  });

  it.each([
    'task=chess',
    'steps=0',
    'steps=1e3',
    'steps=99999999',
    'seed=-1',
    'hidden=0',
    'hidden=1,2,3,4,5,6,7,8,9',
    'batch=x',
    'backend=abacus',
    'theta=../file',
    'vs=adam',
    'vs=adam:0',
    'vs=adam:0.1:0.9',
    'vs=sgd:0.1:1',
    'vs=adam:1,adam:1,adam:1,adam:1',
  ])('takes the default for %s and says so', (part) => {
    const { settings, complaints } = read(`#${part}`);
    expect(settings).toEqual(defaults);
    expect(complaints).toEqual([expect.stringContaining(part)]);
  });
});

it('says so of what no link has', () => {
  const { settings, complaints } = read('#taks=glyphs&steps=600&%');
  expect(settings).toEqual(defaults);
  expect(complaints).toEqual([expect.stringContaining('has taks,'), expect.stringContaining('has %,')]);
});

describe('smooth', () => {
  const steps = Float64Array.of(1, 2, 3, 4, 14);

  it('leaves a constant and its beginning alone', () => {
    for (const value of smooth(steps, Float64Array.of(3, 3, 3, 3, 3), 5)) expect(value).toBeCloseTo(3);
    expect(smooth(steps, Float64Array.of(9, 1, 1, 1, 1), 5)[0]).toBeCloseTo(9);
  });

  it('lets a point that stands for many steps weigh as many', () => {
    const smoothed = smooth(steps, Float64Array.of(1, 1, 1, 1, 0), 5);
    expect(smoothed[4]).toBeLessThan(0.2);
    expect(smooth(Float64Array.of(1, 2, 3, 4, 5), Float64Array.of(1, 1, 1, 1, 0), 5)[4]).toBeGreaterThan(0.6);
  });
});

it('keeps numbers over many appends, and halves them', () => {
  const numbers = new Numbers();
  for (let i = 0; i < 1000; i++) numbers.append([i, i + 0.5]);
  expect(numbers.length).toBe(2000);
  expect(numbers.values[1999]).toBe(999.5);
  numbers.halve();
  expect([...numbers.values.slice(0, 3), numbers.values.at(-1)]).toEqual([0, 1, 2, 999.5]);
});

it('has round learning rates, each nearest to itself', () => {
  expect(RATES).toContain(0.001);
  expect(RATES).toContain(0.0003);
  expect(RATES.map(nearestRate)).toEqual(RATES.map((_, i) => i));
});

it('writes curves of unequal length', () => {
  const run = (label: string, loss: number[]) => ({
    label,
    loss: Float32Array.from(loss),
    time: Float64Array.from(loss, (_, i) => i + 1),
    tests: [],
  });
  expect(curvesCsv({ runs: [run('VeLO', [1, 0.5]), run('A, "B"', [2])] })).toBe(
    'step,VeLO loss,VeLO ms,"A, ""B"" loss","A, ""B"" ms"\n1,1,1,2,1\n2,0.5,2,,\n',
  );
});

it('names the command that does the same', () => {
  expect(commandOf({ ...defaults, hidden: [8, 4], batchSize: 32, seed: 3 })).toBe(
    'npx velojs train --task spirals --steps 600 --hidden 8,4 --batch-size 32 --seed 3',
  );
});

it.each([
  [0, '0'],
  [0.00012, '1.2e-4'],
  [0.0123456, '0.0123'],
  [1234.5, '1230'],
  [123456, '1.23e5'],
  [Number.NaN, 'not finite'],
])('writes %d as %s', (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

it.each([
  [0.25, '250 µs'],
  [12.34, '12.3 ms'],
  [1500, '1.5 s'],
  [61_000, '1 min 1 s'],
])('writes %d ms as %s', (value, text) => {
  expect(formatTime(value)).toBe(text);
});
