import {
  type Backend,
  type ControllerInputs,
  composedKernels,
  createTheta,
  type Kernels,
  MLP_ROW,
  STATISTICS_LENGTH,
  sizeOf,
  type Tensor,
  type Theta,
  thetaShapes,
  uploadTheta,
} from '@velojs/core';
import { reference } from '@velojs/core/reference';
import { expect, it } from 'vitest';
import { webgpu } from '../index.ts';
import { describeOnGpu } from '../testing.ts';

const wave = (length: number, seed: number, scale = 1) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(seed + 1.7 * i + 0.003 * i * i));

/** Weights for which no gate is at its end, whatever the width. */
function thetaOf(H: number, K = 3): Theta {
  const leaves = Object.entries(thetaShapes(H, K)).map(([leaf, shape], i) => {
    const inputs = shape.length > 1 && !leaf.startsWith('bank') ? shape[0]! : 1;
    return [leaf, { shape, data: wave(sizeOf(shape), i, 1 / Math.sqrt(inputs)) }] as const;
  });
  return createTheta(Object.fromEntries(leaves));
}

type Inputs = Readonly<Record<keyof ControllerInputs<Tensor>, Float32Array>>;

const inputsOf = (n: number, H: number): Inputs => ({
  statistics: wave(n * STATISTICS_LENGTH, 1, 4).map((exponent) => 10 ** exponent),
  ranks: Float32Array.from({ length: 5 * n }, (_, i) => (i % 5 === Math.floor(i / 5) % 6 ? 1 : 0)),
  common: wave(18, 2),
  hidden: wave(n * H, 3),
  cell: wave(n * H, 4, 2),
});

/** As users of the kernel pass them, or as rows in the middle of larger tensors. */
type Place = <T extends Tensor>(backend: Backend<T>, values: Float32Array, rows: number) => T;
const alone: Place = (backend, values, rows) => backend.tensor(values, [rows, values.length / rows]);
const inTheMiddle: Place = (backend, values, rows) => {
  const columns = values.length / rows;
  const padded = new Float32Array(values.length + 4 * columns).fill(Number.NaN);
  padded.set(values, 3 * columns);
  const around = backend.keep(backend.tensor(padded, [rows + 4, columns]));
  const middle = backend.slice(around, 0, 3, 3 + rows);
  backend.dispose(around);
  return middle;
};

function upload<T extends Tensor>(backend: Backend<T>, inputs: Inputs, place: Place = alone): ControllerInputs<T> {
  const n = inputs.statistics.length / STATISTICS_LENGTH;
  const tensors = Object.entries(inputs).map(([name, values]) => [
    name,
    place(backend, values, name === 'common' ? 1 : n),
  ]);
  return Object.fromEntries(tensors) as ControllerInputs<T>;
}

async function run<T extends Tensor>(
  backend: Backend<T>,
  kernels: Pick<Kernels<T>, 'controller'>,
  theta: Theta,
  inputs: Inputs,
  place: Place = alone,
): Promise<Readonly<Record<'mlp' | 'hidden' | 'cell', Float32Array>>> {
  const n = inputs.statistics.length / STATISTICS_LENGTH;
  const outputs = backend.scope(() => {
    const { mlp, hidden, cell } = kernels.controller(upload(backend, inputs, place), uploadTheta(backend, theta));
    return { mlp, hidden, cell };
  });
  const { mlp, hidden, cell } = outputs;
  expect([mlp.shape, hidden.shape, cell.shape]).toEqual([
    [n, MLP_ROW],
    [n, theta.hiddenSize],
    [n, theta.hiddenSize],
  ]);
  const read = await backend.read([mlp, hidden, cell]);
  for (const tensor of [mlp, hidden, cell]) backend.dispose(tensor);
  return { mlp: read[0]!, hidden: read[1]!, cell: read[2]! };
}

function expectClose(actual: Float32Array, expected: Float32Array, what: string): void {
  const rms = Math.hypot(...expected.subarray(0, 50_000)) / Math.sqrt(Math.min(expected.length, 50_000));
  // Math.max, unlike a comparison, lets NaN through.
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! - value)), 0);
  expect(worst / rms, what).toBeLessThan(2e-5);
}

describeOnGpu('the kernel controller', (gpu) => {
  async function compare(theta: Theta, inputs: Inputs, place?: Place): Promise<void> {
    const oracle = reference();
    const expected = await run(oracle, composedKernels(oracle), theta, inputs);
    const backend = await webgpu({ gpu });
    const actual = await run(backend, backend.kernels as Kernels<Tensor>, theta, inputs, place);
    for (const name of ['mlp', 'hidden', 'cell'] as const) expectClose(actual[name], expected[name], name);
    expect(backend.liveTensors).toBe(0);
    backend.close();
  }

  it.each([
    [2, 1],
    [3, 6],
    [8, 257],
    [9, 4],
    [64, 150],
    [129, 5],
    [512, 6],
  ])('is its definition for H = %i and %i tensors', (H, n) => compare(thetaOf(H), inputsOf(n, H)));

  it('is its definition at the ends of what statistics and states can be', async () => {
    const inputs = inputsOf(12, 8);
    const ends = [0, 1e-45, 1e-38, 1e-12, 1, 1e12, 1e38];
    await compare(thetaOf(8), {
      ...inputs,
      statistics: inputs.statistics.map((_, i) => ends[(i * 5 + Math.floor(i / 9)) % ends.length]!),
    });
    await compare(thetaOf(8), { ...inputs, hidden: wave(12 * 8, 5, 1e4), cell: wave(12 * 8, 6, 1e6) });
  });

  it('reads rows of larger tensors where they are', () => compare(thetaOf(8), inputsOf(5, 8), inTheMiddle));

  it('is four dispatches for any number of tensors', async () => {
    const backend = await webgpu({ gpu });
    const theta = uploadTheta(backend, thetaOf(8));
    for (const n of [1, 40]) {
      const inputs = upload(backend, inputsOf(n, 8));
      const { dispatches, submissions, copies } = { ...backend.counters };
      backend.scope(() => {
        backend.kernels!.controller!(inputs, theta);
      });
      expect(backend.counters).toEqual({ dispatches: dispatches + 4, submissions: submissions + 1, copies });
    }
    backend.close();
  });

  it('leaves hidden state and cell as they were after a bad gradient', async () => {
    const backend = await webgpu({ gpu });
    const inputs = inputsOf(3, 8);
    const { hidden, cell } = backend.scope(() => {
      backend.check!([backend.tensor([1, Number.NaN], [2])], undefined, () => new Error('a bad step'));
      const outputs = backend.kernels!.controller!(upload(backend, inputs), uploadTheta(backend, thetaOf(8)));
      return { hidden: outputs.hidden, cell: outputs.cell };
    });
    await expect(backend.read([hidden, cell])).rejects.toThrow('a bad step');
    expect(await backend.read([hidden, cell])).toEqual([inputs.hidden, inputs.cell]);
    backend.close();
  });
});
