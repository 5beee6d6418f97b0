import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createTheta, createVelo, type Shape, sizeOf, type Theta, thetaShapes, VeloError } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { type WasmBackend, wasm } from './index.ts';

function randomTheta(hiddenSize = 5, bankSize = 3): Theta {
  const leaf = (shape: readonly number[], seed: number) => ({
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(12.9898 * (i + 1) * seed) / 2),
  });
  const shapes = Object.entries(thetaShapes(hiddenSize, bankSize));
  return createTheta(Object.fromEntries(shapes.map(([name, shape], i) => [name, leaf(shape, i + 1)])));
}

const wave = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 0.7));

const codeOf = async (body: () => unknown): Promise<string | undefined> => {
  try {
    await body();
  } catch (error) {
    if (error instanceof VeloError) return error.code;
    throw error;
  }
  return undefined;
};

/** Runs `body` while every memory is made by `make`. */
async function withMemory<R>(
  make: (descriptor: WebAssembly.MemoryDescriptor) => WebAssembly.Memory,
  body: () => Promise<R>,
): Promise<R> {
  const Original = WebAssembly.Memory;
  WebAssembly.Memory = function Memory(descriptor: WebAssembly.MemoryDescriptor) {
    return make(descriptor);
  } as unknown as typeof WebAssembly.Memory;
  try {
    return await body();
  } finally {
    WebAssembly.Memory = Original;
  }
}
const OriginalMemory = WebAssembly.Memory;

describe('wrap', () => {
  it('gives memory that steps update and that gradients are written to, without copies', async () => {
    const backend = await wasm({ simd: 'plain' });
    const shape = [5, 7];
    const weights = backend.wrap(wave(35, 1), shape);
    const gradient = backend.wrap(new Float32Array(35), shape);
    const velo = createVelo({ backend, theta: randomTheta(), parameters: { weights }, totalSteps: 10 });
    const copied = createVelo({
      backend,
      theta: randomTheta(),
      parameters: { weights: { shape, data: wave(35, 1) } },
      totalSteps: 10,
    });
    for (let step = 0; step < 4; step++) {
      gradient.data.set(wave(35, step));
      velo.step({ weights: gradient }, 1 / (1 + step));
      copied.step({ weights: wave(35, step) }, 1 / (1 + step));
    }
    expect(velo.parameters.weights).toBe(weights);
    expect(weights.data).toEqual(copied.parameters.weights.data);
    expect(weights.data).not.toEqual(wave(35, 1));
    velo.dispose();
    // It stays its owner's.
    expect(weights.data).toEqual(copied.parameters.weights.data);
    backend.close();
  });

  it('keeps its place when memory grows; views are fetched anew', async () => {
    const backend = await wasm({ simd: 'plain' });
    const weights = backend.wrap(wave(1000, 1), [1000]);
    const velo = createVelo({ backend, theta: randomTheta(), parameters: [weights], totalSteps: 10 });
    const before = weights.data;
    velo.step([wave(1000, 2)], 1);
    const large = backend.wrap(new Float32Array(3_000_000), [3_000_000]);
    expect(before.length).toBe(0);
    expect(weights.data.length).toBe(1000);
    const trained = weights.data.slice();
    velo.step([wave(1000, 3)], 1);
    expect(weights.data).not.toEqual(trained);
    backend.dispose(large);
    backend.close();
  });

  it('takes a view of its own memory, which growing detaches', async () => {
    const backend = await wasm({ simd: 'plain' });
    const x = backend.wrap(wave(300_000, 1), [300_000]);
    const view = x.data;
    const y = backend.wrap(view, [300_000]);
    expect(view.length).toBe(0);
    expect(y.data).toEqual(wave(300_000, 1));
    expect(backend.liveTensors).toBe(2);
    backend.close();
  });

  it.each<[string, ArrayLike<number>, Shape]>([
    ['too few values', new Float32Array(5), [2, 3]],
    ['too many values', new Float32Array(7), [2, 3]],
  ])('refuses %s', async (_, values, shape) => {
    const backend = await wasm({ simd: 'plain' });
    expect(await codeOf(() => backend.wrap(values, shape))).toBe('SHAPE_MISMATCH');
    expect(backend.liveTensors).toBe(0);
    backend.close();
  });
});

describe('memory', () => {
  it('is what it was when the optimizer is disposed of', async () => {
    const backend = await wasm({ simd: 'plain' });
    const use = () => {
      const velo = createVelo({
        backend,
        theta: randomTheta(),
        parameters: [wave(300, 1), { shape: [20, 30], data: wave(600, 2) }],
        totalSteps: 10,
      });
      for (let step = 0; step < 3; step++) velo.step([wave(300, step), wave(600, step)], 1);
      velo.dispose();
      return [backend.bytesInUse, backend.liveTensors];
    };
    // Working memory stays.
    const after = use();
    expect(after[1]).toBe(0);
    for (let i = 0; i < 5; i++) expect(use()).toEqual(after);
    backend.close();
  });

  it('of two backends is apart', async () => {
    const [one, two] = await Promise.all([wasm({ simd: 'plain' }), wasm({ simd: 'plain' })]);
    const x = one.wrap(Float32Array.of(1, 2), [2]);
    const y = two.wrap(Float32Array.of(3, 4), [2]);
    expect([[...x.data], [...y.data]]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    one.close();
    expect([...y.data]).toEqual([3, 4]);
    two.close();
  });

  it('that runs out in a step leaves everything as it was', async () => {
    const limited = ({ initial }: WebAssembly.MemoryDescriptor) => new OriginalMemory({ initial, maximum: 40 });
    const backend = await withMemory(limited, () => wasm({ simd: 'plain' }));
    const velo = createVelo({
      backend,
      theta: randomTheta(),
      parameters: [wave(35, 1), { shape: [60, 500], data: wave(30_000, 2) }],
      totalSteps: 10,
    });
    // The matrix needs more working memory than the vector.
    const gradient = backend.wrap(wave(30_000, 1), [60, 500]);
    const alone = [wave(35, 1), null] as const;
    const both = [wave(35, 1), gradient] as const;
    velo.step(alone, 1);
    const before = await velo.exportState();
    const rest: ReturnType<typeof backend.wrap>[] = [];
    while ((await codeOf(() => rest.push(backend.wrap(wave(1000, rest.length), [1000])))) === undefined);
    // Gaps for the results of a step, too narrow to work in.
    const [gaps, held] = [0, 1].map((parity) => rest.filter((_, i) => i % 2 === parity)) as [typeof rest, typeof rest];
    for (const tensor of gaps) backend.dispose(tensor);
    for (let i = 0; i < 3; i++) expect(await codeOf(() => velo.step(both, 1))).toBe('OUT_OF_MEMORY');
    expect(await velo.exportState()).toEqual(before);
    velo.step(alone, 1);
    for (const [i, { data }] of held.entries()) expect(data).toEqual(wave(1000, 2 * i + 1));
    for (const tensor of held) backend.dispose(tensor);
    velo.step(both, 1);
    velo.dispose();
    backend.dispose(gradient);
    expect(backend.liveTensors).toBe(0);
    backend.close();
  });

  it('that is not to be had makes the backend unavailable', async () => {
    const refuse = () => {
      throw new RangeError('could not allocate memory');
    };
    for (const threads of [1, 2]) {
      expect(await withMemory(refuse, () => codeOf(() => wasm({ threads })))).toBe('BACKEND_UNAVAILABLE');
    }
  });

  it.each([1, 2])('is given back by close, %i threads, though tensors are still held', async (threads) => {
    const made: WeakRef<WebAssembly.Memory>[] = [];
    const watched = (descriptor: WebAssembly.MemoryDescriptor) => {
      const memory = new OriginalMemory(descriptor);
      made.push(new WeakRef(memory));
      return memory;
    };
    const backend = await withMemory(watched, () => wasm({ simd: 'plain', threads }));
    const x = backend.wrap(wave(100, 1), [100]);
    const velo = createVelo({ backend, theta: randomTheta(), parameters: [x], totalSteps: 10 });
    velo.step([wave(100, 2)], 1);
    backend.close();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await expect
      .poll(() => {
        collect();
        return made.map((memory) => memory.deref() === undefined);
      })
      .toEqual([true]);
    expect(backend.bytesInUse).toBe(0);
    velo.dispose();
    backend.dispose(x);
    expect(backend.liveTensors).toBe(0);
  });

  it('is gone after close', async () => {
    const backend = await wasm({ simd: 'plain' });
    const x = backend.wrap(Float32Array.of(1, 2), [2]);
    const velo = createVelo({ backend, theta: randomTheta(), parameters: [x], totalSteps: 10 });
    backend.close();
    backend.close();
    for (const use of [
      () => x.data,
      () => backend.tensor([1], [1]),
      () => velo.step([Float32Array.of(1, 1)], 1),
      () => backend.read([x]),
      () => velo.synchronize(),
    ]) {
      expect(await codeOf(use)).toBe('DISPOSED');
    }
  });
});

describe('options', () => {
  it.each([
    [{ threads: 0 }, 'INVALID_ARGUMENT'],
    [{ threads: 1.5 }, 'INVALID_ARGUMENT'],
    [{ threads: 1000 }, 'INVALID_ARGUMENT'],
    [{ simd: 'none' }, 'INVALID_ARGUMENT'],
    [{ thread: 2 }, 'INVALID_ARGUMENT'],
  ])('%o is refused', async (options, code) => {
    expect(await codeOf(() => wasm(options as object))).toBe(code);
  });

  it('a build that the engine cannot run is not available, the others are', async () => {
    const supported = WebAssembly.validate(
      // (func (result v128) i32.const 0 i8x16.splat i32.const 0 i8x16.splat i8x16.relaxed_swizzle)
      Uint8Array.of(
        0,
        97,
        115,
        109,
        1,
        0,
        0,
        0,
        1,
        5,
        1,
        96,
        0,
        1,
        123,
        3,
        2,
        1,
        0,
        10,
        15,
        1,
        13,
        0,
        65,
        1,
        253,
        15,
        65,
        2,
        253,
        15,
        253,
        128,
        2,
        11,
      ),
    );
    const code = await codeOf(async () => (await wasm({ simd: 'relaxed' })).close());
    expect(code).toBe(supported ? undefined : 'BACKEND_UNAVAILABLE');
    const backend: WasmBackend = await wasm();
    expect(backend.simd).toBe(supported ? 'relaxed' : 'plain');
    backend.close();
  });

  it('refuses gradients with NaN wherever they are, and finds the first', async () => {
    const backend = await wasm({ simd: 'plain' });
    for (const size of [1, 3, 4, 5, 63, 64, 65, 1000]) {
      for (const index of [0, size >> 1, size - 1]) {
        const values = wave(size, 1);
        expect(backend.firstNaN!(backend.tensor(values, [size]))).toBe(-1);
        values.fill(Number.NaN, index);
        expect(backend.firstNaN!(backend.tensor(values, [size]))).toBe(index);
      }
    }
    backend.close();
  });
});
