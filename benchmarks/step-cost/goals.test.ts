import { describe, expect, it } from 'vitest';
import { GOALS, goalResults } from './goals.ts';
import { group, processOf, timing } from './testing.ts';

const velo = { contender: 'VeLO wasm', theta: 'starter' } as const;
const adam = { contender: 'tfjs-wasm Adam', theta: null } as const;
const goal = { measure: 'm', group: 'g', numerator: velo, denominator: adam, bound: 'at most', goal: 1.5 } as const;
const processes = [
  processOf(
    group(
      'g',
      timing('VeLO wasm', [3, 3, 3]),
      timing('VeLO wasm', [8, 8, 8], { theta: 'released' }),
      timing('tfjs-wasm Adam', [2, 2, 2]),
    ),
  ),
];

describe('goalResults', () => {
  it.each([
    ['at most', 1.5, 'met'],
    ['at most', 1.4, 'missed'],
    ['at least', 1.5, 'met'],
    ['at least', 1.6, 'missed'],
  ] as const)('a figure of 1.5 against %s %d is %s', (bound, limit, verdict) => {
    const [result] = goalResults(processes, [{ ...goal, bound, goal: limit }]);
    expect(result).toMatchObject({ verdict, figure: { median: 1.5 }, released: { median: 4 } });
  });

  it('names what was not measured', () => {
    const [result] = goalResults(processes, [{ ...goal, group: 'other' }]);
    expect(result).toMatchObject({ verdict: 'not measured', figure: null, released: null });
  });

  it('writes goals with their stretch', () => {
    const written = goalResults(processes, [goal, { ...goal, bound: 'at least', goal: 5, stretch: 6 }]);
    expect(written.map((result) => result.goal)).toEqual(['<= 1.5', '>= 5, stretch 6']);
  });

  it('has a figure for every goal where all was measured', () => {
    const everything = GOALS.map(({ group: name, numerator, denominator }) =>
      processOf(group(name, timing('a', [6], numerator), timing('b', [2], denominator))),
    );
    for (const { figure } of goalResults(everything)) expect(figure?.median).toBe(3);
  });
});
