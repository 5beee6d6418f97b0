import {
  accumulatorShapes,
  composedKernels,
  geometryOf,
  type Kernels,
  type Shape,
  type Slot,
  sizeOf,
} from '@velojs/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpu } from '../backend.ts';
import type { CpuTensor } from '../tensor.ts';

const backend = cpu();
const fused = backend.kernels as Kernels<CpuTensor>;
const composed = composedKernels(backend);

/** Numbers in (-1, 1) that repeat for the same seed. */
function random(seed: number, length: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return (state ^ (state >>> 13)) / 2 ** 31;
  });
}

interface Inputs {
  parameter: Float32Array;
  gradient: Float32Array;
  moments: Float32Array;
  rows: Float32Array;
  columns: Float32Array;
  mlp: Float32Array;
}

function inputsFor(shape: Shape, seed: number, gradientScale: number, parameterScale: number): Inputs {
  const layout = accumulatorShapes(geometryOf(shape));
  const size = sizeOf(shape);
  const at = (k: number, length: number, scale: number) => random(seed * 31 + k, length).map((x) => x * scale);
  const positive = (k: number, length: number) => at(k, length, gradientScale).map((x) => x * x);
  return {
    parameter: at(1, size, parameterScale),
    gradient: at(2, size, gradientScale),
    moments: Float32Array.of(...at(3, 3 * size, gradientScale), ...positive(4, size)),
    rows: positive(5, sizeOf(layout.rows)),
    columns: positive(6, layout.columns ? sizeOf(layout.columns) : 0),
    // Steps as large as the parameters, so that errors show beside these.
    mlp: at(7, 160, 1).map((x, i) => (i === 159 ? 1000 * x : x)),
  };
}

/** One update of several tensors, each from fresh copies; by name what came out. */
function run(
  kernels: Kernels<CpuTensor>,
  shapes: readonly Shape[],
  inputs: readonly Inputs[],
): Map<string, Float32Array> {
  const slots = shapes.map((shape, j): Slot<CpuTensor> => {
    const { parameter, gradient, moments, rows, columns } = inputs[j]!;
    const geometry = geometryOf(shape);
    const layout = accumulatorShapes(geometry);
    return {
      geometry,
      parameter: backend.tensor(parameter, shape),
      gradient: backend.tensor(gradient, shape),
      accumulators: {
        moments: backend.tensor(moments, layout.moments),
        rows: backend.tensor(rows, layout.rows),
        columns: layout.columns && backend.tensor(columns, layout.columns),
      },
    };
  });
  const mlp = backend.tensor(
    inputs.flatMap((input) => [...input.mlp]),
    [shapes.length, 160],
  );
  const written = kernels.update(slots, mlp);
  const outputs = new Map<string, Float32Array>([['statistics', written.statistics.data]]);
  for (const [j, { parameter, accumulators }] of written.slots.entries()) {
    outputs.set(`parameter ${j}`, parameter.data);
    outputs.set(`moments ${j}`, accumulators.moments.data);
    outputs.set(`rows ${j}`, accumulators.rows.data);
    if (accumulators.columns) outputs.set(`columns ${j}`, accumulators.columns.data);
  }
  return outputs;
}

/** The largest difference over the root mean square, per plane and statistic. */
function deviation(actual: Map<string, Float32Array>, expected: Map<string, Float32Array>): number {
  let worst = 0;
  for (const [name, wanted] of expected) {
    const found = actual.get(name)!;
    const planes = name === 'statistics' ? wanted.length : name.startsWith('m') ? 4 : name.startsWith('p') ? 1 : 3;
    const length = wanted.length / planes;
    for (let plane = 0; plane < planes; plane++) {
      const part = wanted.subarray(plane * length, (plane + 1) * length);
      const scale = Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / length);
      part.forEach((x, i) => {
        const difference = Math.abs(x - found[plane * length + i]!);
        // Math.max lets NaN through.
        worst = Math.max(worst, difference === 0 ? 0 : difference / Math.max(scale, 1e-12));
      });
    }
  }
  return worst;
}

const compare = (shapes: readonly Shape[], inputs: readonly Inputs[]) =>
  deviation(run(fused, shapes, inputs), run(composed, shapes, inputs));

/** That of the project for double arithmetic with float32 state. */
const TOLERANCE = 1e-5;

describe('fused update', () => {
  it('is the composed one for any shapes', () => {
    const axis = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.integer({ min: 1, max: 40 }));
    const shape = fc.array(axis, { maxLength: 6 }).filter((axes) => sizeOf(axes) <= 2000);
    fc.assert(
      fc.property(
        fc.array(shape, { minLength: 1, maxLength: 3 }),
        fc.nat(10_000),
        fc.constantFrom(1e-4, 0.05, 1, 3000),
        fc.constantFrom(1e-3, 1, 30),
        (shapes, seed, gradientScale, parameterScale) => {
          const inputs = shapes.map((axes, j) => inputsFor(axes, seed + j, gradientScale, parameterScale));
          expect(compare(shapes, inputs)).toBeLessThan(TOLERANCE);
        },
      ),
      { numRuns: 150, seed: 20221117 },
    );
  });

  it.each([
    ['a tile and a tail', [3, 600]],
    ['runs along the first axis', [600, 3]],
    ['runs along the first axis of five', [2, 300, 3, 5, 2]],
    ['inner axes', [20, 18, 3, 3]],
    ['a middle axis', [3, 40, 3, 30, 2]],
    ['a row', [1, 700]],
    ['a column', [700, 1]],
    ['a square', [40, 40]],
    ['a vector of more than a tile', [513]],
    ['a scalar', []],
    ['a matrix of one', [1, 1]],
    ['seven axes of one', [1, 1, 1, 1, 1, 1, 1]],
  ] as [string, number[]][])('takes %s: [%j]', (_, shape) => {
    expect(compare([shape], [inputsFor(shape, 5, 0.3, 1)])).toBeLessThan(TOLERANCE);
  });

  const SHAPES: readonly Shape[] = [[9, 20], [30, 4], [3, 5, 2], [300], [1], []];
  const overwrite = (change: (inputs: Inputs) => void) =>
    SHAPES.map((shape, j) => {
      const inputs = inputsFor(shape, 70 + j, 0.1, 1);
      change(inputs);
      return inputs;
    });

  it.each<[string, (inputs: Inputs) => void]>([
    ['parameters of zero', ({ parameter }) => parameter.fill(0)],
    ['gradients of zero', ({ gradient }) => gradient.fill(0)],
    [
      'nothing but zeros',
      ({ parameter, gradient, moments, rows, columns }) => {
        for (const values of [parameter, gradient, moments, rows, columns]) values.fill(0);
      },
    ],
    ['gradients of 1e30', ({ gradient }) => gradient.fill(1e30)],
    ['one gradient of 1e30', ({ gradient }) => gradient.fill(-1e30, 0, 1)],
    ['infinite gradients', ({ gradient }) => gradient.set(gradient.map((x) => x / 0))],
    ['gradients of 1e-30', ({ gradient }) => gradient.fill(1e-30)],
    [
      'gradients of 1e-30 and nothing before',
      ({ gradient, moments, rows, columns }) => {
        gradient.fill(1e-30);
        for (const values of [moments, rows, columns]) values.fill(0);
      },
    ],
    ['parameters of 1e-30', ({ parameter }) => parameter.fill(1e-30)],
    [
      'constant momentum',
      ({ gradient, moments }) => {
        gradient.fill(0.1);
        moments.fill(0.1);
      },
    ],
    ['a magnitude beyond the polynomial of exp', ({ mlp }) => mlp.fill(3000, 157, 158)],
    ['a negative magnitude beyond it', ({ mlp }) => mlp.fill(-30_000, 157, 158)],
  ])('takes %s', (_, change) => {
    expect(compare(SHAPES, overwrite(change))).toBeLessThan(TOLERANCE);
  });

  it('spreads a NaN as the composed one does', () => {
    const inputs = overwrite(({ gradient }) => gradient.fill(Number.NaN, 0, 1));
    const [actual, expected] = [run(fused, SHAPES, inputs), run(composed, SHAPES, inputs)];
    for (const [name, wanted] of expected)
      expect(Array.from(actual.get(name)!, Number.isNaN), name).toEqual(Array.from(wanted, Number.isNaN));
  });

  it('writes to the memory it is given, and not to gradient and network', () => {
    const shape = [4, 5];
    const { parameter, gradient, moments, rows, columns, mlp } = inputsFor(shape, 3, 5000, 1);
    const layout = accumulatorShapes(geometryOf(shape));
    const before = [gradient, mlp].map((values) => values.slice());
    const slot: Slot<CpuTensor> = {
      geometry: geometryOf(shape),
      parameter: backend.wrap(parameter, shape),
      gradient: backend.borrow!(gradient, shape),
      accumulators: {
        moments: backend.wrap(moments, layout.moments),
        rows: backend.wrap(rows, layout.rows),
        columns: backend.wrap(columns, layout.columns!),
      },
    };
    const expected = run(composed, [shape], [inputsFor(shape, 3, 5000, 1)]);
    const { slots } = fused.update([slot], backend.borrow!(mlp, [1, 160]));
    expect(slots[0]!.parameter).toBe(slot.parameter);
    expect(slots[0]!.accumulators.moments.data).toBe(moments);
    expect([gradient, mlp]).toEqual(before);
    const written = new Map([
      ['parameter 0', parameter],
      ['moments 0', moments],
      ['rows 0', rows],
      ['columns 0', columns],
    ]);
    for (const name of written.keys())
      expect(deviation(written, new Map([[name, expected.get(name)!]]))).toBeLessThan(TOLERANCE);
  });

  it('gives the same bits every time', () => {
    const inputs = overwrite(() => {});
    expect(run(fused, SHAPES, inputs)).toEqual(run(fused, SHAPES, inputs));
  });
});
