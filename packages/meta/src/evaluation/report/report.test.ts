import { describe, expect, it } from 'vitest';
import { formatDifference, formatEstimate, formatLoss, formatRate, formatShare } from './format.ts';
import { logScale, logTicks } from './scale.ts';

describe('figures', () => {
  it('losses', () => {
    expect([null, Infinity, 0, 0.5, 0.0012345, 1e-7, 1234.5, 98765].map(formatLoss)).toEqual([
      'diverged',
      'diverged',
      '0',
      '0.500',
      '0.00123',
      '1.0e-7',
      '1.2e3',
      '9.9e4',
    ]);
  });
  it('rates', () => {
    expect([1e-6, 3.16e-5, 0.001, 0.316, 10].map(formatRate)).toEqual(['1e-6', '3.16e-5', '0.001', '0.316', '10']);
  });
  it('estimates', () => {
    const estimate = { value: 0.75, low: 0.5, high: 1 };
    expect(formatShare(estimate, 4)).toBe('3 of 4 (75 %, 50 to 100)');
    expect(formatEstimate(estimate)).toBe('0.75 (0.50 to 1.00)');
    expect(formatDifference({ value: 0.001, low: -0.2, high: 0.2 })).toBe('0.00 (-0.20 to +0.20)');
  });
});

describe('logarithmic axes', () => {
  it('place values, and what is beyond the ends at the ends', () => {
    const x = logScale(0.01, 100, 0, 400);
    expect([0.001, 0.01, 1, 10, 1e9].map(x).map(Math.round)).toEqual([0, 0, 200, 300, 400]);
    expect(logScale(1, 100, 400, 0)(10)).toBeCloseTo(200, 8);
    expect(x(Infinity)).toBe(400);
  });
  it('have two to five ticks', () => {
    expect(logTicks(0.5, 200)).toEqual([1, 10, 100]);
    expect(logTicks(2, 5)).toEqual([2, 5]);
    for (let low = -13; low < 0; low++) {
      const ticks = logTicks(10 ** low, 1);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(5);
    }
  });
});
