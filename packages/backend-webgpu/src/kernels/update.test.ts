import {
  accumulatorShapes,
  type Backend,
  composedKernels,
  createVelo,
  geometryOf,
  MLP_LENGTH,
  MLP_ROW,
  type Shape,
  type Slot,
  STATISTICS_LENGTH,
  sizeOf,
  type Tensor,
} from '@velojs/core';
import { reference } from '@velojs/core/reference';
import { starterTheta } from '@velojs/weights';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type WebgpuBackend, webgpu } from '../index.ts';
import { USAGE } from '../memory.ts';
import type { WebgpuTensor } from '../tensor.ts';
import { describeOnGpu } from '../testing.ts';

/** In [-1, 1), and not periodic in any axis. */
const noise = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => {
    const x = Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 43758.5453;
    return 2 * (x - Math.floor(x)) - 1;
  });

interface Arrays {
  readonly shape: Shape;
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly moments: Float32Array;
  readonly rows: Float32Array;
  readonly columns: Float32Array | null;
}

/** State in mid-training. */
function arraysOf(shape: Shape, seed: number): Arrays {
  const layout = accumulatorShapes(geometryOf(shape));
  const positive = (length: number, at: number) => noise(length, at).map((x) => 0.01 + x * x);
  const size = sizeOf(shape);
  return {
    shape,
    parameter: noise(size, seed),
    gradient: noise(size, seed + 0.1),
    moments: noise(4 * size, seed + 0.2).map((x, i) => (i < 3 * size ? x : 0.01 + x * x)),
    rows: positive(sizeOf(layout.rows), seed + 0.4),
    columns: layout.columns && positive(sizeOf(layout.columns), seed + 0.5),
  };
}

/** Networks with step factors that make a step about as large as the parameter. */
const networks = (n: number): Float32Array =>
  noise(n * MLP_ROW, 5).map((x, i) => (i % MLP_ROW === MLP_LENGTH ? 600 + 400 * x : x / 2));

function slotOf<T extends Tensor>(backend: Backend<T>, arrays: Arrays, parameter?: T): Slot<T> {
  const { shape } = arrays;
  const geometry = geometryOf(shape);
  const layout = accumulatorShapes(geometry);
  const owned = (values: Float32Array, of: Shape) => {
    const borrowed = backend.tensor(values, of);
    const own = backend.own(borrowed);
    backend.dispose(borrowed);
    return own;
  };
  return {
    geometry,
    parameter: parameter ?? owned(arrays.parameter, shape),
    accumulators: {
      moments: owned(arrays.moments, layout.moments),
      rows: owned(arrays.rows, layout.rows),
      columns: layout.columns && owned(arrays.columns!, layout.columns),
    },
    gradient: backend.tensor(arrays.gradient, shape),
  };
}

const stateOf = <T extends Tensor>({ parameter, accumulators: { moments, rows, columns } }: Slot<T>): T[] =>
  columns ? [parameter, moments, rows, columns] : [parameter, moments, rows];

const release = <T extends Tensor>(backend: Backend<T>, slots: readonly Slot<T>[]) => {
  for (const slot of slots) for (const tensor of [...stateOf(slot), slot.gradient]) backend.dispose(tensor);
};

/** Updates the slots of each list in turn by `kernel`; then all that there is. */
async function run<T extends Tensor>(
  backend: Backend<T>,
  update: (slots: readonly Slot<T>[], mlp: T) => { readonly slots: readonly object[]; readonly statistics: T },
  slots: readonly Slot<T>[],
  lists: readonly (readonly number[])[] = [slots.map((_, j) => j)],
): Promise<{ state: Float32Array[]; statistics: Float32Array }> {
  const now = [...slots];
  let statistics: Float32Array = new Float32Array();
  for (const list of lists) {
    const mlp = backend.tensor(networks(list.length), [list.length, MLP_ROW]);
    const written = backend.scope(() =>
      update(
        list.map((j) => now[j]!),
        mlp,
      ),
    );
    for (const [i, j] of list.entries()) now[j] = { ...now[j]!, ...written.slots[i] };
    [statistics] = (await backend.read([written.statistics])) as [Float32Array];
    for (const tensor of [mlp, written.statistics]) backend.dispose(tensor);
  }
  return { state: await backend.read(now.flatMap(stateOf)), statistics };
}

/** Of any entry, relative to the largest. */
const worst = (actual: Float32Array, expected: Float32Array): number => {
  const largest = expected.reduce((a, x) => Math.max(a, Math.abs(x)), 1e-30);
  return expected.reduce((a, x, i) => Math.max(a, Math.abs(actual[i]! - x) / largest), 0);
};

describeOnGpu('the kernel update', (gpu) => {
  let backend: WebgpuBackend;
  beforeAll(async () => {
    backend = await webgpu({ gpu });
    await backend.warmUp();
  });
  afterAll(() => backend.close());

  const update = (slots: readonly Slot<WebgpuTensor>[], mlp: WebgpuTensor) => backend.kernels!.update!(slots, mlp);

  async function expectRight(arrays: readonly Arrays[], lists?: readonly (readonly number[])[]): Promise<void> {
    const oracle = reference();
    const { update: definition } = composedKernels(oracle);
    const expected = await run(
      oracle,
      definition,
      arrays.map((one) => slotOf(oracle, one)),
      lists,
    );
    const slots = arrays.map((one) => slotOf(backend, one));
    const actual = await run(backend, update, slots, lists);
    release(backend, slots);
    for (const [i, values] of expected.state.entries()) {
      expect(worst(actual.state[i]!, values), `tensor ${i}`).toBeLessThan(1e-4);
    }
    for (const [i, value] of expected.statistics.entries()) {
      const name = `statistics ${Math.floor(i / STATISTICS_LENGTH)}, ${i % STATISTICS_LENGTH}`;
      expect(Math.abs(actual.statistics[i]! - value), name).toBeLessThan(1e-4 * Math.abs(value) + 1e-12);
    }
  }

  it.each<[string, Shape[]]>([
    ['of a tile and a bit', [[129, 65], [65, 129], [2049]]],
    [
      'of few long rows',
      [
        [2, 3000],
        [3, 1, 700],
        [1, 900],
      ],
    ],
    [
      'of many short rows',
      [
        [3000, 2],
        [700, 3],
        [900, 1],
        [600, 5],
      ],
    ],
    [
      'with something between their axes',
      [
        [40, 3, 50],
        [50, 2, 2, 40],
        [3, 33, 2, 34],
      ],
    ],
    [
      'with something before and behind',
      [
        [3, 3, 17, 20],
        [20, 17, 3, 3],
        [2, 20, 30, 5],
        [30, 30, 7, 3],
      ],
    ],
    [
      'with much behind',
      [
        [10, 10, 9, 9],
        [12, 12, 70],
      ],
    ],
    [
      'that are small and many',
      [
        [8, 8, 8, 8],
        [5, 5, 5],
        [2, 2, 2, 2, 2, 2, 2],
        [300, 2, 2],
      ],
    ],
    ['of one entry', [[], [1], [1, 1], [1, 1, 1]]],
  ])('is right for tensors %s', (_, shapes) => expectRight(shapes.map((shape, j) => arraysOf(shape, j + 1))));

  it.each<Shape[]>([[[110, 100]], [[47, 115]]])(
    'is right where a workgroup takes several tiles: %s, ten times down and across',
    async (shape) => {
      const TIMES = 10;
      const [, width] = shape as [number, number];
      /** `[planes, length / columns, columns]`, the last two repeated. */
      const repeat = (values: Float32Array, planes: number, columns: number) => {
        const height = values.length / planes / columns;
        const across = columns === 1 ? 1 : TIMES;
        return Float32Array.from({ length: values.length * TIMES * across }, (_, i) => {
          const row = Math.floor(i / (columns * across));
          const plane = Math.floor(row / (height * TIMES));
          return values[(plane * height + (row % height)) * columns + (i % columns)]!;
        });
      };
      const small = arraysOf(shape, 1);
      const large: Arrays = {
        shape: shape.map((axis) => axis * TIMES),
        parameter: repeat(small.parameter, 1, width),
        gradient: repeat(small.gradient, 1, width),
        moments: repeat(small.moments, 4, width),
        rows: repeat(small.rows, 3, 1),
        columns: repeat(small.columns!, 3, 1),
      };
      const oracle = reference();
      const expected = await run(oracle, composedKernels(oracle).update, [slotOf(oracle, small)]);
      const slot = slotOf(backend, large);
      const actual = await run(backend, update, [slot]);
      release(backend, [slot]);
      // All means are those of the small one, and so is everything else.
      const layout = [
        [1, width],
        [4, width],
        [3, 1],
        [3, 1],
      ] as const;
      for (const [i, [planes, columns]] of layout.entries()) {
        const values = repeat(expected.state[i]!, planes, columns);
        expect(worst(actual.state[i]!, values), `tensor ${i}`).toBeLessThan(1e-4);
      }
      expect(worst(actual.statistics, expected.statistics)).toBeLessThan(1e-4);
    },
  );

  it.each([
    ['huge and infinite', [1e30, -1e30, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1000.5]],
    ['tiny', [1e-30, -1e-25, 1e-18, 1e-12, 0]],
    ['zero', [0]],
  ])('is right for gradients that are %s', (_, values) =>
    expectRight(
      [[9, 7], [11], []].map((shape, j) => {
        const arrays = arraysOf(shape, j + 1);
        return { ...arrays, gradient: arrays.gradient.map((_, i) => values[i % values.length]!) };
      }),
    ),
  );

  const FIVE: readonly Shape[] = [[12, 9], [9], [5, 6, 7], [], [30, 40]];
  const five = FIVE.map((shape, j) => arraysOf(shape, j + 1));

  it('takes slots in any order, and some of them', () =>
    expectRight(five, [[0, 1], [4, 2, 3], [2, 0], [4, 2, 1, 3, 0], [3], [0, 1, 2, 3, 4]]));

  it('moves nothing once it has brought all tensors together', async () => {
    const [...gradients] = backend.allocate(FIVE);
    const slots = five.map((arrays, j) => ({ ...slotOf(backend, arrays), gradient: gradients[j]! }));
    const copiesOf = async (list: readonly number[]) => {
      const before = backend.counters.copies;
      await run(backend, update, slots, [list]);
      return backend.counters.copies - before;
    };
    const reading = await copiesOf([0, 1]).then(() => copiesOf([0, 1]));
    expect(await copiesOf([2, 3, 4])).toBeGreaterThan(reading);
    expect(await copiesOf([4, 0])).toBeGreaterThan(reading);
    for (const list of [[1, 2], [3, 4, 0], [0, 1, 2, 3, 4], [2]]) expect(await copiesOf(list)).toBe(reading);
    release(backend, slots);
  });

  it('splits what is beyond the binding limit, to the same bits', async () => {
    const create = () => five.map((arrays) => slotOf(backend, arrays));
    const together = create();
    const expected = await run(backend, update, together);
    release(backend, together);
    const { device, counters } = backend;
    const measure = async () => {
      const slots = create();
      const before = counters.dispatches;
      const result = await run(backend, update, slots);
      release(backend, slots);
      return { result, dispatches: counters.dispatches - before };
    };
    const { dispatches } = await measure();
    const real = device.limits;
    const limits = { maxBufferSize: 24_576, maxStorageBufferBindingSize: 24_576, minStorageBufferOffsetAlignment: 256 };
    Object.defineProperty(device, 'limits', { value: limits, configurable: true });
    try {
      const split = await measure();
      expect(split.dispatches).toBeGreaterThan(dispatches);
      expect(split.result).toEqual(expected);
      // One that no buffer has room for, with what belongs to it, is refused, and stays as it was.
      const large = slotOf(backend, arraysOf([40, 37], 1));
      const mlp = backend.tensor(networks(1), [1, MLP_ROW]);
      const before = await backend.read(stateOf(large));
      expect(() => update([large], mlp)).toThrow(/do not fit into one buffer/);
      expect(await backend.read(stateOf(large))).toEqual(before);
      release(backend, [large]);
      backend.dispose(mlp);
    } finally {
      Object.defineProperty(device, 'limits', { value: real, configurable: true });
    }
  });

  it('gives the same numbers wherever parameters and gradients are', async () => {
    const { device } = backend;
    const usage = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
    const write = (tensors: readonly WebgpuTensor[], values: readonly Float32Array[]) => {
      for (const [j, { buffer, byteOffset }] of tensors.entries()) {
        device.queue.writeBuffer(buffer, byteOffset, values[j] as Float32Array<ArrayBuffer>);
      }
      return tensors;
    };
    const parameters = five.map(({ parameter }) => parameter);
    const gradientsAt = (step: number) => FIVE.map((shape, j) => noise(sizeOf(shape), step + 10 * j));
    /** Each in a buffer of its own, not at its beginning. */
    const apart = () =>
      FIVE.map((shape) => {
        const buffer = device.createBuffer({ size: 4 * sizeOf(shape) + 24, usage });
        return backend.wrap(buffer, shape, { byteOffset: 12 });
      });
    const train = async (
      initial: readonly (Float32Array | WebgpuTensor)[],
      targets?: readonly WebgpuTensor[],
    ): Promise<Float32Array[]> => {
      const velo = createVelo({
        backend,
        theta: starterTheta(),
        parameters: initial.map((value, j) =>
          value instanceof Float32Array ? { shape: FIVE[j]!, data: value } : value,
        ),
        totalSteps: 20,
      });
      for (let step = 0; step < 4; step++) {
        const values = gradientsAt(step);
        if (targets) write(targets, values);
        velo.step(targets ? [...targets] : values, 1 - step / 10);
      }
      const result = await backend.read(velo.parameters);
      velo.dispose();
      return result;
    };
    const expected = await train(parameters);
    const all = backend.allocate([...FIVE, ...FIVE]);
    const [inOne, besides] = [all.slice(0, 5), all.slice(5)];
    const places: [string, Float32Array[]][] = [
      ['parameters side by side', await train(write(backend.allocate(FIVE), parameters))],
      ['gradients side by side', await train(parameters, backend.allocate(FIVE))],
      ['gradients in the buffer of the parameters', await train(write(inOne, parameters), besides)],
      ['both apart', await train(write(apart(), parameters), apart())],
      [
        'some wrapped, some not',
        await train([parameters[0]!, ...write(apart(), parameters).slice(1, 3), ...parameters.slice(3)]),
      ],
    ];
    for (const [name, found] of places) expect(found, name).toEqual(expected);
  });

  it('keeps optimizers on one backend apart', async () => {
    const create = (seed: number) =>
      createVelo({
        backend,
        theta: starterTheta(),
        parameters: FIVE.map((shape) => ({ shape, data: noise(sizeOf(shape), seed) })),
        totalSteps: 20,
      });
    type Training = ReturnType<typeof create>;
    const step = (velo: Training, seed: number, at: number) =>
      velo.step(
        FIVE.map((shape) => noise(sizeOf(shape), seed + at / 7)),
        1,
      );
    const alone = async (seed: number) => {
      const velo = create(seed);
      for (let at = 0; at < 3; at++) step(velo, seed, at);
      const result = await backend.read(velo.parameters);
      velo.dispose();
      return result;
    };
    const expected = [await alone(1), await alone(2)];
    const both = [create(1), create(2)] as const;
    for (let at = 0; at < 3; at++) for (const [i, velo] of both.entries()) step(velo, i + 1, at);
    const actual = await Promise.all(both.map((velo) => backend.read(velo.parameters)));
    for (const velo of both) velo.dispose();
    expect(actual).toEqual(expected);
  });

  it.each(['host', 'device'] as const)(
    'takes the same number of dispatches for 6 tensors and for 150, loss on the %s',
    async (where) => {
      const dispatchesOf = async (n: number) => {
        const shapes = Array.from({ length: n }, (_, j): Shape => [[4, 3 + (j % 5)], [7], [], [2, 3, 2, 5]][j % 4]!);
        const parameters = backend.allocate(shapes);
        const gradients = backend.allocate(shapes);
        const [loss] = backend.allocate([[]]);
        const values = new Float32Array(64).fill(0.5);
        for (const { buffer, byteOffset, shape } of [...parameters, ...gradients, loss]) {
          backend.device.queue.writeBuffer(buffer, byteOffset, values, 0, sizeOf(shape));
        }
        const velo = createVelo({ backend, theta: starterTheta(), parameters, totalSteps: 20 });
        const step = () => velo.step(gradients, where === 'host' ? 0.5 : loss);
        for (let i = 0; i < 3; i++) step();
        const before = { ...backend.counters };
        step();
        const { dispatches, submissions, copies } = backend.counters;
        velo.dispose();
        for (const tensor of [...parameters, ...gradients, loss]) backend.dispose(tensor);
        return {
          dispatches: dispatches - before.dispatches,
          submissions: submissions - before.submissions,
          copies: copies - before.copies,
        };
      };
      const few = await dispatchesOf(6);
      expect(await dispatchesOf(150)).toEqual(few);
      expect(few.dispatches).toBeLessThanOrEqual(where === 'host' ? 11 : 12);
      expect(few.submissions).toBe(1);
    },
  );

  it('writes nothing after a NaN, and goes on as if that step had not been', async () => {
    const train = async (isBad: (step: number) => boolean) => {
      const velo = createVelo({
        backend,
        theta: starterTheta(),
        parameters: FIVE.map((shape, j) => ({ shape, data: noise(sizeOf(shape), j) })),
        totalSteps: 20,
      });
      const problems: unknown[] = [];
      for (let step = 0; step < 3; step++) {
        const gradients = FIVE.map((shape, j) => noise(sizeOf(shape), step + 10 * j));
        if (isBad(step)) {
          for (const at of [0, 2, 4]) {
            const before = await velo.exportState();
            // The host does not see what is on the device.
            const bad = gradients.map((values, j) =>
              backend.tensor(j === at ? values.with(values.length - 1, Number.NaN) : values, FIVE[j]!),
            );
            velo.step(bad, 1);
            velo.step(gradients, 1);
            for (const tensor of bad) backend.dispose(tensor);
            await velo.synchronize().catch((error) => problems.push(error.code));
            expect(await velo.exportState()).toEqual(before);
          }
        }
        velo.step(gradients, 1);
      }
      const { tensors } = await velo.exportState();
      velo.dispose();
      return { tensors, problems };
    };
    const { tensors } = await train(() => false);
    const interrupted = await train((step) => step > 0);
    expect(interrupted.problems).toEqual(Array(6).fill('NON_FINITE'));
    expect(interrupted.tensors).toEqual(tensors);
  });
});
