/** Ratings of a matrix, some of them seen, as products of two thin matrices: most gradients are zero in most rows. */
import { VeloError } from '@velojs/core';
import { derive, type Key, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { exampleTask } from './example-task.ts';
import { named } from './naming.ts';

export interface MatrixFactorisationOptions {
  readonly name?: string;
  readonly rows: number;
  readonly columns: number;
  /** Of the matrix that is drawn. */
  readonly rank: number;
  /** Of the two factors that are learned. */
  readonly learnedRank: number;
  /** Standard deviation of what is added to every entry, whose own is 1. */
  readonly noise: number;
  /** The share of entries that training sees; the others are for validation. */
  readonly seen: number;
  readonly batchSize: number;
  /** Standard deviation of the initial factors' products. */
  readonly initialDeviation: number;
  readonly key: Key;
}

/**
 * Entry (r, c) is predicted as `left[r] . right[c] + leftBias[r] + rightBias[c]`; the loss is half the squared error.
 * Parameters: left `[rows, learnedRank]`, right `[columns, learnedRank]`, leftBias `[rows]`, rightBias `[columns]`.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 */
export function matrixFactorisationTask(options: MatrixFactorisationOptions): Task {
  const { rows, columns, rank, learnedRank, noise, seen, batchSize, initialDeviation, key } = options;
  const entries = rows * columns;
  const trainingCount = Math.round(seen * entries);
  const whole = [rows, columns, rank, learnedRank].every((count) => Number.isInteger(count) && count >= 1);
  if (!(whole && noise >= 0 && initialDeviation >= 0 && trainingCount >= 1 && trainingCount < entries)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      'A matrix factorisation needs whole numbers of rows, columns and ranks of at least 1, noise and initial deviation ' +
        `of at least 0, and a share of seen entries that leaves some on both sides; it was ${JSON.stringify(options)}.`,
    );
  }
  const random = new Random(key);
  const left = random.normals(new Float64Array(rows * rank), rank ** -0.25);
  const right = random.normals(new Float64Array(columns * rank), rank ** -0.25);
  const places = shuffled(entries, random);
  const ratings = Float64Array.from(places, (place) => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    let rating = noise * random.normal();
    for (let k = 0; k < rank; k++) rating += left[row * rank + k]! * right[column * rank + k]!;
    return rating;
  });
  const n = learnedRank;
  return exampleTask({
    name:
      options.name ??
      `factors of ${rows} x ${columns}, rank ${rank} learned as ${learnedRank}, noise ${noise.toPrecision(2)}, batch ${batchSize}`,
    trainingCount,
    validationCount: entries - trainingCount,
    batchSize,
    model: {
      shapes: [[rows, n], [columns, n], [rows], [columns]],
      initialParameters(initialKey) {
        const initial = new Random(initialKey);
        const deviation = Math.sqrt(initialDeviation / Math.sqrt(n));
        return [
          initial.normals(new Float32Array(rows * n), deviation),
          initial.normals(new Float32Array(columns * n), deviation),
          new Float32Array(rows),
          new Float32Array(columns),
        ];
      },
      loss(parameters, example, gradients, weight) {
        const [us, vs, leftBias, rightBias] = parameters as readonly [
          Float64Array,
          Float64Array,
          Float64Array,
          Float64Array,
        ];
        const place = places[example]!;
        const row = Math.floor(place / columns);
        const column = place % columns;
        let error = leftBias[row]! + rightBias[column]! - ratings[example]!;
        for (let k = 0; k < n; k++) error += us[row * n + k]! * vs[column * n + k]!;
        if (gradients !== null) {
          const slope = weight * error;
          for (let k = 0; k < n; k++) {
            gradients[0]![row * n + k]! += slope * vs[column * n + k]!;
            gradients[1]![column * n + k]! += slope * us[row * n + k]!;
          }
          gradients[2]![row]! += slope;
          gradients[3]![column]! += slope;
        }
        return (error * error) / 2;
      },
    },
  });
}

/** The numbers below `count` in random order (Fisher and Yates). */
function shuffled(count: number, random: Random): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = random.integer(i + 1);
    [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
  }
  return numbers;
}

/** 12 x 12 to 60 x 60, learned ranks 2 to 10. */
export const matrixFactorisations: TaskFamily = {
  name: 'matrix-factorisation',
  sample(key) {
    const random = new Random(key);
    const rank = 1 + random.integer(6);
    const task = matrixFactorisationTask({
      rows: Math.round(random.logUniform(12, 60)),
      columns: Math.round(random.logUniform(12, 60)),
      rank,
      learnedRank: Math.max(2, rank + random.integer(6) - 1),
      noise: random.chance(0.3) ? 0 : random.logUniform(0.01, 0.5),
      seen: random.uniform(0.3, 0.8),
      batchSize: random.choice([16, 32, 64, 128]),
      initialDeviation: random.logUniform(0.01, 0.5),
      key: derive(key, 1),
    });
    return named(task, key);
  },
};
