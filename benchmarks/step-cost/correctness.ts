/** Times mean nothing for wrong results: every contender is checked before it is timed. */
import { cpu } from '@velojs/backend-cpu';
import { type Shape, withoutKernels } from '@velojs/core';
import type { Contender, Problem } from './contender.ts';
import { plainAdam } from './optimizers/plain-adam.ts';
import { veloContenders } from './optimizers/velo.ts';
import { problemOf } from './workloads.ts';

/** Of every rank and of awkward sizes; the largest is one that threads share. */
const SHAPES: readonly Shape[] = [[20, 30], [3, 3, 6, 10], [300], [7], [], [260, 256]];

/** The definitions are slow. */
const STEPS = 2;
const TOLERANCE = 1e-3;

/**
 * Trains with every contender and with the definitions, and compares what they have moved the parameters by. VeLO's
 * definitions are core's composed operations in double precision, Adam's is the loop in JavaScript.
 *
 * @throws Error that names who is wrong
 */
export async function checkResults(contenders: readonly Contender[]): Promise<void> {
  const problem = problemOf(SHAPES, STEPS);
  const backend = cpu();
  const definitions = [
    plainAdam,
    ...veloContenders({ name: 'definition', threads: 1, backend: withoutKernels(backend), place: backend.wrap }),
  ];
  for (const definition of definitions) {
    const same = contenders.filter(({ theta }) => theta === definition.theta);
    if (same.length === 0) continue;
    const expected = await movement(definition, problem);
    for (const contender of same) expectClose(contender.name, await movement(contender, problem), expected);
  }
}

/** What one pass over the gradients adds to the parameters. */
async function movement(contender: Contender, problem: Problem): Promise<Float64Array[]> {
  const training = contender.start(problem);
  training.prepare?.();
  for (const _ of problem.gradients) training.run();
  await training.finish?.();
  const trained = await training.parameters();
  training.dispose();
  return trained.map((values, j) => Float64Array.from(values, (x, i) => x - problem.parameters[j]![i]!));
}

/**
 * Whether all numbers are within 1e-3 of what is expected, relative to the root mean square of all: a scalar may be near
 * zero.
 *
 * @throws Error that names `who`
 */
export function expectClose(who: string, actual: readonly Numbers[], expected: readonly Numbers[]): void {
  const arrays = expected.map((values) => Float64Array.from(values));
  const squares = arrays.map((values) => values.reduce((sum, x) => sum + x * x, 0));
  const count = arrays.reduce((sum, { length }) => sum + length, 0);
  const size = Math.sqrt(squares.reduce((sum, x) => sum + x) / count);
  for (const [j, wanted] of arrays.entries()) {
    const error = wanted.reduce((worst, x, i) => Math.max(worst, Math.abs(x - actual[j]![i]!)), 0) / size;
    // A NaN is no small error either.
    if (!(error <= TOLERANCE)) {
      throw new Error(`${who} is wrong in array ${j} of ${expected.length}, by ${error}: nothing is measured.`);
    }
  }
}

type Numbers = Float32Array | Float64Array;
