/** Every operation against double arithmetic; the tolerance belongs to the operation. */
import type { BinaryOp, Shape, Tensor, UnaryOp } from '@velojs/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as host from '../host-operations.ts';
import { randomValues } from '../random.ts';
import type { Suite } from './suite.ts';

/** An error of `absolute + relative * scale` is allowed; `scale` is the size of what went into an entry. */
interface Bound {
  readonly relative: number;
  readonly absolute: number;
}

/** Results are float32: even exact ones may be half a unit in the last place away. */
const ROUNDED: Bound = { relative: 2 ** -23, absolute: 1e-37 };

/** What float32 devices may add to rounding; at least what WGSL grants its built-in functions. */
const UNARY_BOUNDS: Readonly<Record<UnaryOp, Bound>> = {
  abs: ROUNDED,
  exp: { relative: 5e-6, absolute: 1e-37 },
  log: { relative: 1e-6, absolute: 1e-6 },
  relu: ROUNDED,
  rsqrt: { relative: 1e-6, absolute: 1e-37 },
  sigmoid: { relative: 1e-5, absolute: 1e-6 },
  sqrt: { relative: 1e-6, absolute: 1e-18 },
  square: ROUNDED,
  tanh: { relative: 1e-6, absolute: 1e-5 },
};
const BINARY_BOUNDS: Readonly<Record<BinaryOp, Bound>> = {
  add: ROUNDED,
  div: { relative: 1e-6, absolute: 1e-37 },
  max: ROUNDED,
  min: ROUNDED,
  mul: ROUNDED,
  sub: ROUNDED,
};
/** Of the mean magnitude of what is averaged. */
const MEAN_BOUND: Bound = { relative: 2e-6, absolute: 1e-37 };
const LONG_MEAN_BOUND: Bound = { relative: 1e-4, absolute: 1e-37 };
/** Of the sum of the products' magnitudes. */
const MATMUL_BOUND: Bound = { relative: 2e-6, absolute: 1e-37 };

/** Where VeLO's equations go, the ends included: saturated gates, epsilons, clipped gradients. */
const UNARY_INPUTS: Readonly<Record<UnaryOp, readonly number[]>> = {
  abs: [-3, -1e-30, 0, 1e-30, 2, 1e30],
  exp: [-80, -20, -1, -1e-6, 0, 1e-6, 1, 20, 80],
  log: [1e-30, 1e-8, 0.1, 0.999, 1, 1.001, 2, 10, 1e6, 1e30],
  relu: [-1e30, -1, -1e-30, 0, 1e-30, 1, 1e30],
  rsqrt: [1e-30, 1e-9, 1e-6, 0.5, 1, 3, 1e6, 1e30],
  sigmoid: [-1000, -100, -20, -1, 0, 1, 20, 100, 1000],
  sqrt: [0, 1e-30, 1e-9, 0.5, 1, 2, 1e6, 1e30],
  square: [-1000, -1e-15, 0, 1e-15, 0.1, 1000],
  tanh: [-1000, -100, -50, -10, -0.5, -1e-8, 0, 1e-8, 0.5, 10, 50, 100, 1000],
};
const POSITIVE: readonly UnaryOp[] = ['log', 'rsqrt', 'sqrt'];

const SHAPES: readonly Shape[] = [
  [],
  [1],
  [7],
  [3, 5],
  [1, 4],
  [4, 1],
  [2, 3, 4],
  [2, 1, 3, 2],
  [2, 3, 1, 2, 2],
  [2, 1, 3, 1, 2, 2],
];

const SEED = 20221117;
const RUNS = 40;
const arbitraryShape = (rank = 6) => fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: rank });
const property = <Values extends [unknown, ...unknown[]]>(
  ...args: [
    ...arbitraries: { [K in keyof Values]: fc.Arbitrary<Values[K]> },
    check: (...values: Values) => Promise<void>,
  ]
) => fc.assert(fc.asyncProperty(...args), { seed: SEED, numRuns: RUNS });

export function describeOperations<T extends Tensor>({ backend }: Suite<T>): void {
  const float32 = backend.arithmetic === 'float32';
  const upload = ({ data, shape }: host.HostArray) => backend.tensor(data, shape);
  const random = (shape: Shape, seed: number, scale = 2): host.HostArray => ({
    shape,
    data: Float64Array.from(randomValues(seed, shape, scale)),
  });
  const float32Array = (shape: Shape, values: readonly number[]): host.HostArray => ({
    shape,
    data: Float64Array.from(values, Math.fround),
  });

  /** Runs `operation` on uploaded inputs and compares; the inputs must be bit for bit what they were. */
  async function compare(
    inputs: readonly host.HostArray[],
    operation: (...tensors: T[]) => T,
    expected: host.HostArray,
    bound: Bound,
    scale: ArrayLike<number> = expected.data,
  ): Promise<void> {
    const { relative, absolute } = float32 ? bound : ROUNDED;
    const tensors = inputs.map(upload);
    const result = backend.scope(() => operation(...tensors));
    expect([...result.shape]).toEqual([...expected.shape]);
    const [actual, ...after] = await backend.read([result, ...tensors]);
    expect(after).toEqual(inputs.map(({ data }) => Float32Array.from(data)));
    expect(actual).toHaveLength(expected.data.length);
    expected.data.forEach((value, i) => {
      const allowed = absolute + relative * Math.abs(scale[i]!);
      const error = Math.abs(actual![i]! - value);
      if (!(error <= allowed) && actual![i] !== value) {
        expect.fail(`entry ${i} of [${expected.shape}] is ${actual![i]}, not ${value} (allowed error ${allowed})`);
      }
    });
    for (const tensor of [result, ...tensors]) backend.dispose(tensor);
  }

  describe('operations', () => {
    describe('unary', () => {
      for (const op of Object.keys(UNARY_BOUNDS) as UnaryOp[]) {
        const check = (x: host.HostArray) =>
          compare([x], (a) => backend.unary(op, a), { ...x, data: x.data.map(host.UNARY[op]) }, UNARY_BOUNDS[op]);
        it(`${op} over the range that VeLO uses`, async () => {
          await check(float32Array([UNARY_INPUTS[op].length], UNARY_INPUTS[op]));
        });
        it(`${op} of ranks 0 to 6`, async () => {
          for (const [i, shape] of SHAPES.entries()) {
            const x = random(shape, i);
            await check(
              POSITIVE.includes(op) ? { shape, data: x.data.map((value) => Math.fround(Math.abs(value) + 0.01)) } : x,
            );
          }
        });
      }
    });

    describe('binary', () => {
      for (const op of Object.keys(BINARY_BOUNDS) as BinaryOp[]) {
        const check = (a: host.HostArray, b: host.HostArray) =>
          compare([a, b], (x, y) => backend.binary(op, x, y), host.binary(op, a, b), BINARY_BOUNDS[op]);
        const notZero = (x: host.HostArray): host.HostArray => ({
          shape: x.shape,
          data: x.data.map((value) => Math.fround(value < 0 ? value - 0.1 : value + 0.1)),
        });

        it(`${op} of equal shapes, ranks 0 to 6`, async () => {
          for (const [i, shape] of SHAPES.entries()) await check(random(shape, i), notZero(random(shape, i + 100)));
        });

        it(`${op} of a tensor with itself`, async () => {
          const x = notZero(random([3, 2], 1));
          await compare([x], (a) => backend.binary(op, a, a), host.binary(op, x, x), BINARY_BOUNDS[op]);
        });

        it(`${op} with a number on either side`, async () => {
          for (const [i, shape] of SHAPES.entries()) {
            const x = notZero(random(shape, i));
            const number = float32Array([], [0.75]);
            await compare([x], (a) => backend.binary(op, a, 0.75), host.binary(op, x, number), BINARY_BOUNDS[op]);
            await compare([x], (a) => backend.binary(op, 0.75, a), host.binary(op, number, x), BINARY_BOUNDS[op]);
          }
        });

        it(`${op} broadcasts random shapes (seed ${SEED})`, async () => {
          await property(
            arbitraryShape(),
            fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
            async (shape, choices) => {
              // Each axis is kept, made 1 on one side, or, at the front of the shape, left out.
              const choose = shape.map(() => choices.next().value as number);
              const a = shape.map((axis, i) => (choose[i] === 1 ? 1 : axis));
              const b = shape.map((axis, i) => (choose[i] === 2 ? 1 : axis));
              const dropped = choose.findIndex((choice) => choice !== 3);
              const shorter = b.slice(dropped === -1 ? b.length : dropped);
              await check(random(a, 1), notZero(random(shorter, 2)));
              await check(random(shorter, 3), notZero(random(a, 4)));
            },
          );
        });
      }

      it('keeps the smallest and largest numbers of VeLO apart', async () => {
        const x = float32Array([4], [1e-30, 1e-9, 1e9, 1e30]);
        await compare(
          [x],
          (a) => backend.binary('max', a, 1e-9),
          host.binary('max', x, float32Array([], [1e-9])),
          ROUNDED,
        );
        await compare(
          [x],
          (a) => backend.binary('add', a, Math.fround(1e-30)),
          host.binary('add', x, float32Array([], [1e-30])),
          ROUNDED,
        );
      });

      it('clips infinities', async () => {
        const x = float32Array([3], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5]);
        const clip = (a: T) => backend.binary('min', backend.binary('max', a, -1000), 1000);
        await compare([x], clip, float32Array([3], [1000, -1000, 5]), ROUNDED);
      });
    });

    describe('reduce', () => {
      const magnitude = (x: host.HostArray): host.HostArray => ({ shape: x.shape, data: x.data.map(Math.abs) });
      const check = async (x: host.HostArray, axes: readonly number[]) => {
        const max = host.reduce('max', x, axes);
        await compare([x], (a) => backend.reduce('max', a, axes), max, ROUNDED);
        const mean = host.reduce('mean', x, axes);
        const scale = host.reduce('mean', magnitude(x), axes).data;
        await compare([x], (a) => backend.reduce('mean', a, axes), mean, MEAN_BOUND, scale);
      };

      it('mean and max over each axis alone and over all, ranks 1 to 6', async () => {
        for (const [i, shape] of SHAPES.entries()) {
          for (const axis of shape.keys()) await check(random(shape, i), [axis]);
          if (shape.length > 0) await check(random(shape, i), [...shape.keys()]);
        }
      });

      it('max of negative numbers', async () => {
        await check(float32Array([2, 3], [-5, -4, -3, -1e-30, -2, -1e30]), [1]);
      });

      it(`mean and max over random axes of random shapes (seed ${SEED})`, async () => {
        await property(arbitraryShape(), fc.integer({ min: 1, max: 63 }), async (shape, bits) => {
          const axes = [...shape.keys()].filter((axis) => bits & (1 << axis));
          if (axes.length > 0) await check(random(shape, bits), axes);
        });
      });

      it('mean of 100,000 numbers', async () => {
        const x: host.HostArray = {
          shape: [1, 100_000],
          data: Float64Array.from(randomValues(5, [100_000]), (v) => Math.fround(v + 1.5)),
        };
        const mean = host.reduce('mean', x, [1]);
        await compare([x], (a) => backend.reduce('mean', a, [1]), mean, LONG_MEAN_BOUND);
      });
    });

    describe('matmul', () => {
      const check = async (n: number, k: number, m: number) => {
        const a = random([n, k], n);
        const b = random([k, m], m + 50);
        const scale = host.matmul({ ...a, data: a.data.map(Math.abs) }, { ...b, data: b.data.map(Math.abs) }).data;
        await compare([a, b], (x, y) => backend.matmul(x, y), host.matmul(a, b), MATMUL_BOUND, scale);
      };
      it('of the shapes that VeLO multiplies', async () => {
        for (const [n, k, m] of [
          [1, 1, 1],
          [1, 30, 8],
          [5, 30, 16],
          [20, 16, 64],
          [4, 30, 100],
          [3, 4, 1],
          [7, 3, 159],
        ] as const) {
          await check(n, k, m);
        }
      });
      it(`of random shapes (seed ${SEED})`, async () => {
        const size = fc.integer({ min: 1, max: 40 });
        await property(size, size, size, check);
      });
    });

    describe('moving data', () => {
      it('tensor and read give back values of ranks 0 to 6, in order', async () => {
        const arrays = SHAPES.map((shape, i) => random(shape, i));
        const tensors = arrays.map(upload);
        expect(tensors.map(({ shape }) => [...shape])).toEqual(SHAPES);
        expect(await backend.read(tensors)).toEqual(arrays.map(({ data }) => Float32Array.from(data)));
        expect(await backend.read([tensors[3]!, tensors[1]!, tensors[3]!])).toEqual(
          [3, 1, 3].map((i) => Float32Array.from(arrays[i]!.data)),
        );
        expect(await backend.read([])).toEqual([]);
        for (const tensor of tensors) backend.dispose(tensor);
      });

      it('tensor copies what it is given, read what it gives', async () => {
        const values = Float32Array.of(1, 2, 3);
        const tensor = backend.tensor(values, [3]);
        values.fill(9);
        const [first] = await backend.read([tensor]);
        expect(first).toEqual(Float32Array.of(1, 2, 3));
        first!.fill(9);
        expect(await backend.read([tensor])).toEqual([Float32Array.of(1, 2, 3)]);
        backend.dispose(tensor);
      });

      it('tensor takes arrays, Float32Arrays and Float64Arrays', async () => {
        const tensors = [[0.1, 2], Float32Array.of(0.1, 2), Float64Array.of(0.1, 2)].map((values) =>
          backend.tensor(values, [2]),
        );
        for (const values of await backend.read(tensors)) expect(values).toEqual(Float32Array.of(0.1, 2));
        for (const tensor of tensors) backend.dispose(tensor);
      });

      it('isTensor knows its own', () => {
        const tensor = backend.tensor([1], []);
        expect(backend.isTensor(tensor)).toBe(true);
        for (const other of [1, null, undefined, 'x', {}, [], new Float32Array(1), new Float64Array(1)]) {
          expect(backend.isTensor(other)).toBe(false);
        }
        backend.dispose(tensor);
      });

      it('reshape between ranks 0 to 6', async () => {
        const x = random([2, 3, 4], 1);
        for (const shape of [[24], [1, 24], [4, 6], [2, 3, 4], [3, 2, 2, 2], [1, 2, 3, 2, 2], [2, 1, 3, 1, 2, 2]]) {
          await compare([x], (a) => backend.reshape(a, shape), { ...x, shape }, ROUNDED);
        }
        const one = random([1, 1], 2);
        await compare([one], (a) => backend.reshape(a, []), { ...one, shape: [] }, ROUNDED);
        await compare(
          [random([], 3)],
          (a) => backend.reshape(a, [1, 1, 1]),
          { ...random([], 3), shape: [1, 1, 1] },
          ROUNDED,
        );
      });

      it(`expand of random shapes (seed ${SEED})`, async () => {
        await property(arbitraryShape(), fc.integer({ min: 0, max: 63 }), async (shape, bits) => {
          const x = random(
            shape.map((axis, a) => (bits & (1 << a) ? 1 : axis)),
            bits,
          );
          await compare([x], (a) => backend.expand(a, shape), host.expand(x, shape), ROUNDED);
        });
      });

      it(`slice and concat of random shapes (seed ${SEED})`, async () => {
        const cut = fc.integer({ min: 0, max: 100 });
        await property(arbitraryShape(), cut, cut, cut, async (shape, which, first, second) => {
          if (shape.length === 0) return;
          const axis = which % shape.length;
          const begin = first % shape[axis]!;
          const end = begin + 1 + (second % (shape[axis]! - begin));
          const x = random(shape, first);
          const part = host.slice(x, axis, begin, end);
          await compare([x], (a) => backend.slice(a, axis, begin, end), part, ROUNDED);
          await compare([x, part], (a, b) => backend.concat([a, b, a], axis), host.concat([x, part, x], axis), ROUNDED);
        });
      });

      it('operations on slices and reshaped tensors', async () => {
        const x = random([6, 5], 1);
        const part = host.slice(host.slice(x, 0, 2, 5), 1, 1, 4);
        const expected = host.reduce('mean', { shape: [9, 1], data: part.data.map((value) => value * value) }, [0]);
        await compare(
          [x],
          (a) => {
            const inner = backend.slice(backend.slice(a, 0, 2, 5), 1, 1, 4);
            return backend.reduce('mean', backend.unary('square', backend.reshape(inner, [9, 1])), [0]);
          },
          expected,
          MEAN_BOUND,
        );
      });

      it('a result is a handle of its own even where nothing had to be computed', async () => {
        const identities: ((x: T) => T)[] = [
          (x) => backend.reshape(x, x.shape),
          (x) => backend.expand(x, x.shape),
          (x) => backend.slice(x, 0, 0, x.shape[0]!),
          (x) => backend.concat([x], 0),
          (x) => backend.reduce('mean', x, [1]),
          (x) => backend.binary('add', x, 0),
          (x) => backend.own(x),
        ];
        for (const [i, identity] of identities.entries()) {
          const values = randomValues(i, [4, 1]);
          const x = backend.tensor(values, [4, 1]);
          const same = identity(x);
          expect(same).not.toBe(x);
          backend.dispose(x);
          expect(await backend.read([same])).toEqual([values]);
          const again = identity(same);
          backend.dispose(again);
          expect(await backend.read([same])).toEqual([values]);
          backend.dispose(same);
        }
      });
    });
  });
}
