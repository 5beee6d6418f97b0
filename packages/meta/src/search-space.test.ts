import { thetaShapes } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { describe, expect, it } from 'vitest';
import { createSearchSpace, type TrainedLeaves } from './search-space.ts';

const start = starterTheta();

describe('search space', () => {
  it('is theta at zero, and moves only what is trained, by its scale', () => {
    const space = createSearchSpace(start, { stepWeight: { scale: 10 }, bankBias0: { scale: 0.5, bank: [2] } });
    expect(space.size).toBe(16 + 4);
    expect(space.thetaAt(new Float64Array(20)).leaves).toEqual(start.leaves);
    const { leaves } = space.thetaAt(new Float64Array(20).fill(1));
    expect([...leaves.stepWeight]).toEqual([...start.leaves.stepWeight].map((value) => Math.fround(value + 10)));
    const moved = [...leaves.bankBias0].flatMap((value, i) => (value === start.leaves.bankBias0[i] ? [] : [i]));
    expect(moved).toEqual([8, 9, 10, 11]);
    expect(leaves.keepWeight).toEqual(start.leaves.keepWeight);
  });

  // H = 16: columns of keepWeight, four blocks of columns of the LSTM, rows of the heads.
  it.each([
    ['keepWeight', 30, (i: number) => i % 16],
    ['keepBias', 1, (i: number) => i],
    ['lstmWeight', 32 * 4, (i: number) => i % 16],
    ['lstmBias', 4, (i: number) => i % 16],
    ['stepWeight', 1, (i: number) => i],
    ['controlsWeight', 4, (i: number) => Math.floor(i / 4)],
    ['initialCell', 1, (i: number) => i],
  ] as const)('units of %s', (leaf, perUnit, unitOf) => {
    const space = createSearchSpace(start, { [leaf]: { scale: 1, units: [3, 9] } });
    expect(space.size).toBe(2 * perUnit);
    const moved = space.thetaAt(new Float64Array(space.size).fill(1)).leaves[leaf];
    moved.forEach((value, i) => {
      expect(value !== start.leaves[leaf][i]).toBe([3, 9].includes(unitOf(i)));
    });
    expect(moved.length).toBe(thetaShapes(16, 4)[leaf].reduce((a, b) => a * b, 1));
  });

  it.each([
    [{}, /at least one leaf/],
    [{ stepWeigth: { scale: 1 } }, /no leaf "stepWeigth"/],
    [{ stepWeight: { scale: 0 } }, /positive/],
    [{ stepWeight: { scale: 1, units: [16] } }, /numbered 0 to 15/],
    [{ stepWeight: { scale: 1, bank: [0] } }, /not part of the bank/],
    [{ stepBias: { scale: 1, units: [0] } }, /no units/],
    [{ bankWeight1: { scale: 1, units: [0] } }, /no units/],
  ])('%o is refused', (trained: object, message) => {
    expect(() => createSearchSpace(start, trained as TrainedLeaves)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    );
  });
});
