import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCurve, pointWidth } from './curve.ts';

describe('a curve', () => {
  it('keeps the first steps as they are', () => {
    const curve = createCurve();
    for (let step = 1; step <= 200; step++) expect(curve.push(1 / step, 2 * step)).toBe(true);
    const { step, time, loss, least, greatest } = curve.take();
    expect([...step]).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect([...loss]).toEqual([...step].map((t) => 1 / t));
    expect([...time]).toEqual([...step].map((t) => 2 * t));
    expect(least).toEqual(loss);
    expect(greatest).toEqual(loss);
  });

  it('stays short for a million steps, and each point is a small share of them', () => {
    const curve = createCurve();
    for (let step = 1; step <= 1_000_000; step++) curve.push(step % 7, step);
    const { step, loss, least, greatest } = curve.take(true);
    expect(step.length).toBeLessThan(1400);
    expect(step.at(-1)).toBe(1_000_000);
    expect(1_000_000 - step.at(-2)!).toBeLessThan(10_000);
    expect(loss.at(-2)).toBeCloseTo(3, 2);
    expect([least.at(-2), greatest.at(-2)]).toEqual([0, 6]);
  });

  it('gives every step to one point, whenever it is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }), (batches) => {
        const curve = createCurve();
        const steps: number[] = [];
        let [total, sum, weighted] = [0, 0, 0];
        batches.forEach((batch, i) => {
          for (let j = 0; j < batch; j++) {
            total++;
            sum += total;
            curve.push(total, total);
          }
          const taken = curve.take(i === batches.length - 1);
          taken.step.forEach((step, k) => {
            const begin = steps.at(-1) ?? 0;
            expect(step - begin).toBeLessThanOrEqual(pointWidth(begin + 1));
            weighted += taken.loss[k]! * (step - begin);
            steps.push(step);
          });
        });
        expect(steps.at(-1)).toBe(total);
        expect(weighted).toBeCloseTo(sum, 3);
      }),
    );
  });

  it('leaves out what is not finite', () => {
    const curve = createCurve();
    curve.push(1, 1);
    curve.push(Number.NaN, 2);
    curve.push(Infinity, 3);
    expect([...curve.take(true).loss]).toEqual([1]);
  });
});
