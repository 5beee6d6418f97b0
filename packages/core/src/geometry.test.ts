import { describe, expect, it } from 'vitest';
import { factoredAxes, geometryOf, VeloError } from './index.ts';

describe('factoredAxes', () => {
  it.each([
    [[], null],
    [[3], null],
    [
      [784, 32],
      [1, 0],
    ],
    [
      [16, 16],
      [0, 1],
    ],
    [
      [32, 32, 32],
      [1, 2],
    ],
    [
      [3, 3, 64, 64],
      [2, 3],
    ],
    [
      [64, 64, 3, 3],
      [0, 1],
    ],
    [
      [32, 8, 32],
      [0, 2],
    ],
    [
      [16, 1, 16],
      [0, 2],
    ],
    [
      [1, 9],
      [0, 1],
    ],
    [
      [9, 1],
      [1, 0],
    ],
    [
      [1, 1],
      [0, 1],
    ],
    [
      [7, 3, 7, 3, 7],
      [2, 4],
    ],
  ])('of %j are %j: a stable order, later axes counting as larger', (shape, axes) => {
    expect(factoredAxes(shape)).toEqual(axes);
  });
});

describe('geometryOf', () => {
  it('sees a matrix as five axes', () => {
    expect(geometryOf([4, 9]).factored).toEqual({ view: [1, 4, 1, 9, 1], d1: 1, d0: 3 });
    expect(geometryOf([9, 4]).factored).toEqual({ view: [1, 9, 1, 4, 1], d1: 3, d0: 1 });
  });

  it('gathers the axes around the two largest', () => {
    expect(geometryOf([2, 8, 3, 5, 9, 4]).factored).toEqual({ view: [2, 8, 15, 9, 4], d1: 1, d0: 3 });
  });

  it('counts axes longer than 1', () => {
    expect([[], [1], [5], [1, 5, 2]].map((shape) => geometryOf(shape).rank)).toEqual([0, 0, 1, 2]);
  });

  it('refuses empty tensors and shapes that are none', () => {
    expect(() => geometryOf([3, 0])).toThrow(expect.objectContaining({ code: 'EMPTY_TENSOR' }));
    expect(() => geometryOf([2.5])).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(() => geometryOf([-1])).toThrow(VeloError);
  });
});
