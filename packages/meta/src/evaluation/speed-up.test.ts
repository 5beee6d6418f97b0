import { describe, expect, it } from 'vitest';
import { envelope, speedUp, stepsToReach } from './speed-up.ts';

const steps = [1, 10, 100, 1000];

describe('envelope', () => {
  it('is the lowest of all curves so far', () => {
    const curves = [
      [8, 4, 5, 3],
      [9, 6, 2],
    ];
    expect(envelope(steps, curves).map(({ loss }) => loss)).toEqual([8, 4, 2, 2]);
    expect(envelope(steps, [[], [7]]).map(({ loss }) => loss)).toEqual([7, 7, 7, 7]);
    expect(envelope([1], [[]])).toEqual([{ step: 1, loss: Infinity }]);
  });
});

describe('steps to reach a loss', () => {
  const curve = envelope(steps, [[1, 0.1, 0.1, 0.001]]);
  it.each([
    [2, 1],
    [1, 1],
    [0.1, 10],
    // Half way between 1 and 0.1, and between 1 and 10, on logarithmic axes.
    [Math.sqrt(0.1), Math.sqrt(10)],
    [0.01, 10 ** 2.5],
    [0.0001, Infinity],
  ])('%f takes %f', (loss, expected) => {
    expect(stepsToReach(curve, loss)).toBeCloseTo(expected, 8);
  });
  it('copes with a loss of 0, and with a curve that begins late', () => {
    expect(stepsToReach(envelope(steps, [[1, 0]]), 0)).toBe(10);
    expect(
      stepsToReach(
        [
          { step: 1, loss: Infinity },
          { step: 5, loss: 1 },
        ],
        2,
      ),
    ).toBe(5);
  });
});

describe('speed-up', () => {
  const adam = envelope(steps, [[1, 0.1, 0.01, 0.001]]);
  const of = (reached: number | null) => speedUp(adam, { reached, initialLoss: 2, steps: 50, cap: 4 });
  it('is the steps that Adam needs over those of the optimizer', () => {
    expect(of(0.01)).toBeCloseTo(2, 8);
    expect(of(0.1)).toBeCloseTo(0.2, 8);
  });
  it('has a cap, and is 0 without progress', () => {
    expect(of(0.001)).toBe(4);
    expect(of(1e-9)).toBe(4);
    expect(of(null)).toBe(0);
    expect(of(2)).toBe(0);
  });
});
