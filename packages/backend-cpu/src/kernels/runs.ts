/** How a kernel walks a tensor of rank >= 2: in runs along one of its two factored axes. */
import type { Factored } from '@velojs/core';

/** Every run costs as much as several entries, so runs shorter than this are avoided where the other axis is longer. */
const SHORT = 16;

/**
 * A run is all entries that differ in one factored axis only. Of the two factored second moments one lacks that axis,
 * so that it is constant in a run (`fixed`); the other has an entry per entry of the run (`along`).
 */
export interface Runs {
  readonly count: number;
  /** Entries of a run. */
  readonly length: number;
  /** From one entry of a run to the next, in the tensor. */
  readonly stride: number;
  /** The same in `along`. */
  readonly alongStride: number;
  /** Entries of `along`. `fixed` has one per run, in the order of the runs. */
  readonly alongLength: number;
  /** Runs that share an entry of `along`. */
  readonly across: number;
  /** Two numbers per run: where it begins in the tensor, and in `along`. */
  readonly starts: Int32Array;
  /** Whether `fixed` is v_row of the SPEC, which lacks the largest axis d0. */
  readonly fixedIsRow: boolean;
}

export function runsOf({ view, d0 }: Factored): Runs {
  const [outer, first, middle, second, inner] = view;
  // Runs along the second axis are contiguous where nothing follows it, as in a matrix.
  const alongSecond = second >= SHORT || second >= first;
  const plane = middle * second * inner;
  // Axes that runs differ in, outermost first: size, step in the tensor, step in `along`.
  const axes: [number, number, number][] = alongSecond
    ? [
        [outer, first * plane, plane],
        [first, plane, 0],
        [middle, second * inner, second * inner],
        [inner, 1, 1],
      ]
    : [
        [outer, first * plane, first * middle * inner],
        [middle, second * inner, inner],
        [second, inner, 0],
        [inner, 1, 1],
      ];
  const length = alongSecond ? second : first;
  const across = alongSecond ? first : second;
  const size = outer * first * plane;
  return {
    count: size / length,
    length,
    stride: alongSecond ? inner : plane,
    alongStride: alongSecond ? inner : middle * inner,
    alongLength: size / across,
    across,
    starts: startsOf(axes, size / length),
    fixedIsRow: alongSecond === (d0 === 3),
  };
}

function startsOf(axes: readonly [number, number, number][], count: number): Int32Array {
  const starts = new Int32Array(2 * count);
  let filled = 1;
  // From the innermost axis out, what is there is repeated with an offset.
  for (const [size, step, alongStep] of [...axes].reverse()) {
    for (let copy = 1; copy < size; copy++) {
      for (let run = 0; run < filled; run++) {
        starts[2 * (copy * filled + run)] = starts[2 * run]! + copy * step;
        starts[2 * (copy * filled + run) + 1] = starts[2 * run + 1]! + copy * alongStep;
      }
    }
    filled *= size;
  }
  return starts;
}
