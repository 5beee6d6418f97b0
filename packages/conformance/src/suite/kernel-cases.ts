/** Inputs for single kernels, what they put out, and how far two outputs are apart. */
import {
  accumulatorShapes,
  type Backend,
  createLossBuffer,
  geometryOf,
  type Kernels,
  leavesOf,
  MLP_LENGTH,
  MLP_ROW,
  pushHostLoss,
  rankFeatures,
  type Shape,
  STATISTICS,
  STATISTICS_LENGTH,
  sizeOf,
  type Tensor,
  type Theta,
  type Tree,
  uploadTheta,
} from '@velojs/core';
import { deviation } from '../deviation.ts';
import { randomTheta, randomValues } from '../random.ts';

export interface ControllerCase {
  readonly theta: Theta;
  readonly shapes: readonly Shape[];
  readonly statistics: Float32Array;
  readonly common: Float32Array;
  readonly hidden: Float32Array;
  readonly cell: Float32Array;
}

export interface LossCase {
  readonly totalSteps: number;
  /** In order; the kernel is given the last, and what came of those before. */
  readonly losses: readonly number[];
}

export interface UpdateCase {
  readonly shapes: readonly Shape[];
  readonly slots: readonly Readonly<Record<'parameter' | 'gradient' | 'moments' | 'rows' | 'columns', Float32Array>>[];
  readonly mlp: Float32Array;
}

/** What a kernel put out, by name. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** A value in [0.1, 1) times a power of ten between `low` and `high`, for each entry. */
const magnitudes = (seed: number, size: number, low: number, high: number): Float32Array =>
  randomValues(seed, [size]).map((value, i) => {
    const exponent = low + ((high - low) * (randomValues(seed + 1 + i, [1])[0]! + 1)) / 2;
    return (0.1 + 0.9 * Math.abs(value)) * 10 ** exponent;
  });

export function controllerCase(
  seed: number,
  shapes: readonly Shape[],
  hiddenSize: number,
  bankSize: number,
): ControllerCase {
  const n = shapes.length;
  return {
    theta: randomTheta(seed, hiddenSize, bankSize),
    shapes,
    statistics: magnitudes(seed + 1, n * STATISTICS_LENGTH, -6, 1),
    common: randomValues(seed + 2, [18]),
    hidden: randomValues(seed + 3, [n, hiddenSize]),
    cell: randomValues(seed + 4, [n, hiddenSize], 2),
  };
}

/** `start`: before the first update, all accumulators zero. `still`: and no gradient either. */
export type UpdateStage = 'middle' | 'start' | 'still';

export function updateCase(seed: number, shapes: readonly Shape[], stage: UpdateStage = 'middle'): UpdateCase {
  const zero = stage !== 'middle';
  return {
    shapes,
    slots: shapes.map((shape, j) => {
      const at = seed * 1000 + j * 10;
      const size = sizeOf(shape);
      // Gradients from far below to far above the limits of 0.1 and 1000 that the mathematics knows.
      const scale = 10 ** [-3, 0, -1, 3.5][(seed + j) % 4]!;
      const g = randomValues(at, shape, scale);
      const { rows, columns } = accumulatorShapes(geometryOf(shape));
      const positive = (begin: number, length: number) =>
        zero ? new Float32Array(length) : magnitudes(at + begin, length, -2, 0).map((value) => value * scale * scale);
      const moments = zero
        ? new Float32Array(4 * size)
        : Float32Array.of(...randomValues(at + 1, [3, ...shape], scale), ...positive(2, size));
      return {
        parameter: randomValues(at + 3, shape, 10 ** [0, -2, 1][(seed + j) % 3]!),
        gradient: stage === 'still' ? new Float32Array(size) : g,
        moments,
        rows: positive(4, sizeOf(rows)),
        columns: columns ? positive(5, sizeOf(columns)) : new Float32Array(),
      };
    }),
    // Step factors that make an update about as large as the parameter: an error must show beside it.
    mlp: randomValues(seed + 7, [shapes.length, MLP_ROW]).map((value, i) =>
      i % MLP_ROW === MLP_LENGTH ? 600 + 400 * value : value / 2,
    ),
  };
}

export async function runController<T extends Tensor>(
  backend: Backend<T>,
  kernels: Kernels<T>,
  { theta, shapes, statistics, common, hidden, cell }: ControllerCase,
): Promise<Outputs> {
  const n = shapes.length;
  const H = theta.hiddenSize;
  const ranks = shapes.flatMap((shape) => [...rankFeatures(geometryOf(shape))]);
  const borrowed = {
    statistics: backend.tensor(statistics, [n, STATISTICS_LENGTH]),
    ranks: backend.tensor(ranks, [n, 5]),
    common: backend.tensor(common, [1, 18]),
    hidden: backend.tensor(hidden, [n, H]),
    cell: backend.tensor(cell, [n, H]),
    theta: uploadTheta(backend, theta),
  };
  const { theta: deviceTheta, ...inputs } = borrowed;
  return run(backend, borrowed as unknown as Tree<T>, () => {
    const outputs = kernels.controller(inputs, deviceTheta);
    return { mlp: outputs.mlp, hidden: outputs.hidden, cell: outputs.cell };
  });
}

export async function runLoss<T extends Tensor>(
  backend: Backend<T>,
  kernels: Kernels<T>,
  { totalSteps, losses }: LossCase,
): Promise<Outputs> {
  const { decays, means, minima, count } = losses.slice(0, -1).reduce(pushHostLoss, createLossBuffer(totalSteps));
  const borrowed = {
    loss: backend.tensor(losses.slice(-1), []),
    means: backend.tensor(means, [1, means.length]),
    minima: backend.tensor(minima, [1, minima.length]),
  };
  return run(backend, borrowed, () => {
    const outputs = kernels.loss({ ...borrowed, decays, count: count + 1 });
    return { means: outputs.means, minima: outputs.minima, features: outputs.features };
  });
}

export async function runUpdate<T extends Tensor>(
  backend: Backend<T>,
  kernels: Kernels<T>,
  { shapes, slots, mlp }: UpdateCase,
): Promise<Outputs> {
  const borrowed = {
    gradients: shapes.map((shape, j) => backend.tensor(slots[j]!.gradient, shape)),
    mlp: backend.tensor(mlp, [shapes.length, MLP_ROW]),
  };
  return run(backend, borrowed, () => {
    const written = kernels.update(
      shapes.map((shape, j) => {
        const slot = slots[j]!;
        const geometry = geometryOf(shape);
        const layout = accumulatorShapes(geometry);
        const owned = (values: Float32Array, of: Shape) => backend.own(backend.tensor(values, of));
        return {
          geometry,
          parameter: owned(slot.parameter, shape),
          accumulators: {
            moments: owned(slot.moments, layout.moments),
            rows: owned(slot.rows, layout.rows),
            columns: layout.columns && owned(slot.columns, layout.columns),
          },
          gradient: borrowed.gradients[j]!,
        };
      }),
      borrowed.mlp,
    );
    const outputs: Record<string, T> = { statistics: written.statistics };
    for (const [j, { parameter, accumulators }] of written.slots.entries()) {
      outputs[`parameter ${j}`] = parameter;
      outputs[`moments ${j}`] = accumulators.moments;
      outputs[`rows ${j}`] = accumulators.rows;
      if (accumulators.columns) outputs[`columns ${j}`] = accumulators.columns;
    }
    return outputs;
  });
}

/** Runs `body` in a scope, reads what it returns, and checks that it left `borrowed` bit for bit as it was. */
async function run<T extends Tensor>(
  backend: Backend<T>,
  borrowed: Tree<T>,
  body: () => Record<string, T>,
): Promise<Outputs> {
  const inputs = [...leavesOf(backend, borrowed)].filter((leaf): leaf is [string, T] => backend.isTensor(leaf[1]));
  const tensors = inputs.map(([, tensor]) => tensor);
  const before = await backend.read(tensors);
  const outputs = backend.scope(body);
  const values = await backend.read(Object.values(outputs));
  const after = await backend.read(tensors);
  for (const tensor of [...Object.values(outputs), ...tensors]) backend.dispose(tensor);
  for (const [i, [path]] of inputs.entries()) {
    if (!before[i]!.every((value, k) => Object.is(value, after[i]![k])))
      throw new Error(`the kernel changed its input "${path}"`);
  }
  return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, values[i]!]));
}

/** The largest deviation between two outputs, per tensor and, within one, per quantity. */
export function outputsDeviation(actual: Outputs, expected: Outputs): { deviation: number; of: string } {
  let worst = { deviation: 0, of: 'nothing' };
  const note = (of: string, found: number) => {
    if (!Number.isNaN(worst.deviation) && !(found <= worst.deviation)) worst = { deviation: found, of };
  };
  if (`${Object.keys(actual)}` !== `${Object.keys(expected)}`) note('the names of the outputs', Number.NaN);
  for (const [name, wanted] of Object.entries(expected)) {
    const found = actual[name] ?? new Float32Array();
    const compare = (what: string, pick: (values: Float32Array) => ArrayLike<number>) =>
      note(`${name}${what}`, deviation(pick(found), pick(wanted)));
    if (found.length !== wanted.length) note(name, Number.NaN);
    else if (name === 'statistics') {
      const scales = statisticsScales(expected);
      for (const [i, scale] of scales.entries())
        note(`statistics, entry ${i}`, Math.abs(found[i]! - wanted[i]!) / scale);
    } else if (name === 'features') {
      // Differences, at the scale of 1.
      note(
        name,
        wanted.reduce((worst, value, i) => Math.max(worst, Math.abs(found[i]! - value)), 0),
      );
    } else if (name === 'mlp') {
      const columns = (keep: (column: number) => boolean) => (values: Float32Array) =>
        values.filter((_, i) => keep(i % MLP_ROW));
      compare(
        ' weights',
        columns((column) => column < MLP_LENGTH),
      );
      compare(
        ' step factors',
        columns((column) => column === MLP_LENGTH),
      );
    } else {
      const planes = name.startsWith('moments') ? 4 : name.startsWith('rows') || name.startsWith('columns') ? 3 : 1;
      const size = wanted.length / planes;
      for (let i = 0; i < planes; i++) compare(`, plane ${i}`, (values) => values.subarray(i * size, (i + 1) * size));
    }
  }
  return worst;
}

/**
 * What an error of each statistic is measured by: its own size, but for differences not less than a thousandth of what
 * was subtracted, so that float32 may lose digits there.
 */
function statisticsScales(expected: Outputs): Float64Array {
  const { statistics } = expected;
  const scales = Float64Array.from(statistics!);
  for (let j = 0; j * STATISTICS_LENGTH < scales.length; j++) {
    const moments = expected[`moments ${j}`]!;
    const size = moments.length / 4;
    const meanSquare = (plane: number) =>
      moments.subarray(plane * size, (plane + 1) * size).reduce((sum, value) => sum + value ** 2, 0) / size;
    const atLeast = ({ begin }: { begin: number }, index: number, scale: number) => {
      const i = j * STATISTICS_LENGTH + begin + index;
      scales[i] = Math.max(scales[i]!, scale / 1000, Number.MIN_VALUE);
    };
    for (const i of [0, 1, 2]) {
      atLeast(STATISTICS.momentumVariance, i, meanSquare(i));
      atLeast(STATISTICS.secondMomentSpread, i, meanSquare(i) + meanSquare(3));
    }
    const parameterSquare = scales[j * STATISTICS_LENGTH + STATISTICS.parameterSquare.begin]!;
    atLeast(STATISTICS.updateSquare, 0, parameterSquare / 1000);
    atLeast(STATISTICS.parameterSquare, 0, 0);
    atLeast(STATISTICS.secondMoment, 0, 0);
  }
  return scales;
}
