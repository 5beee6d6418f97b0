import { createTheta, thetaShapes } from '@velojs/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cpu, createVelo, starterTheta, VeloError, wasm } from './index.ts';

/** Half the squared distance of w to (1, -2, 3). */
const goal = [1, -2, 3];
const gradient = (w: Float32Array) => w.map((value, i) => value - goal[i]!);
const loss = (w: Float32Array) => gradient(w).reduce((sum, g) => sum + (g * g) / 2, 0);

it('trains with nothing but parameters and a number of steps', async () => {
  const velo = await createVelo({ parameters: { w: new Float32Array(3) }, totalSteps: 200 });
  const before = loss(velo.parameters.w.data);
  for (let step = 0; step < 200; step++) {
    const { data } = velo.parameters.w;
    velo.step({ w: gradient(data) }, loss(data));
  }
  expect(loss(velo.parameters.w.data)).toBeLessThan(1e-2 * before);
});

it('copies what it is given', async () => {
  const w = Float32Array.of(5, 5, 5);
  const velo = await createVelo({ parameters: [w], totalSteps: 10 });
  velo.step([gradient(w)], loss(w));
  expect([...w]).toEqual([5, 5, 5]);
  expect([...velo.parameters[0]!.data]).not.toEqual([5, 5, 5]);
});

it('takes another backend, another theta and options of the core', async () => {
  const backend = cpu();
  const still = createTheta(
    Object.fromEntries(
      Object.entries(thetaShapes(2, 1)).map(([leaf, shape]) => [
        leaf,
        { shape, data: new Float32Array(shape.reduce((product, axis) => product * axis, 1)) },
      ]),
    ),
  );
  const onWarning = vi.fn();
  const velo = await createVelo({
    backend,
    theta: still,
    parameters: { w: Float32Array.of(1) },
    totalSteps: 1,
    onWarning,
  });
  expect(velo.backend).toBe(backend);
  velo.step({ w: Float32Array.of(1) }, 1);
  velo.step({ w: Float32Array.of(1) }, 1);
  expect([...velo.parameters.w.data]).toEqual([1]);
  expect(onWarning).toHaveBeenCalledOnce();
});

it('hands on what the core refuses', async () => {
  const options = { parameters: { w: new Float32Array(3) }, totalSteps: 0 };
  await expect(createVelo(options)).rejects.toThrow(VeloError);
  await expect(createVelo({ ...options, theta: starterTheta() })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

it('knows the names of a record and the length of a list', async () => {
  interface Params {
    w: Float32Array;
    b: { shape: number[]; data: Float32Array };
  }
  const parameters: Params = { w: Float32Array.of(1, 2), b: { shape: [1, 1], data: Float32Array.of(3) } };
  const named = await createVelo({ parameters, totalSteps: 3 });
  named.step({ w: Float32Array.of(1, 1), b: null }, 1);
  // @ts-expect-error: a gradient is missing
  expect(() => named.step({ w: Float32Array.of(1, 1) }, 1)).toThrow(VeloError);
  const listed = await createVelo({ parameters: [Float32Array.of(1, 2), Float32Array.of(3)], totalSteps: 3 });
  // @ts-expect-error: a gradient is missing
  expect(() => listed.step([Float32Array.of(1, 1)], 1)).toThrow(VeloError);
  const values: readonly Float32Array[] = [named.parameters.w.data, listed.parameters[1].data];
  expect(values.map(({ length }) => length)).toEqual([2, 1]);
  // @ts-expect-error: text is no parameter
  await expect(createVelo({ parameters: { w: 'x' }, totalSteps: 3 })).rejects.toThrow(VeloError);
});

describe('the backend', () => {
  const options = { parameters: { w: new Float32Array(3) }, totalSteps: 10 };
  afterEach(() => vi.unstubAllGlobals());

  it('is WebAssembly, or the one that is named', async () => {
    expect((await createVelo(options)).backend.name).toMatch(/^wasm(-relaxed)?$/);
    expect((await createVelo({ ...options, backend: 'wasm' })).backend.name).toMatch(/^wasm(-relaxed)?$/);
    expect((await createVelo({ ...options, backend: 'cpu' })).backend.name).toBe('cpu');
  });

  it('is plain JavaScript where there is no WebAssembly, unless that was asked for', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    const velo = await createVelo(options);
    expect(velo.backend.name).toBe('cpu');
    velo.step({ w: gradient(velo.parameters.w.data) }, 1);
    await expect(createVelo({ ...options, backend: 'wasm' })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });

  it('must be one that there is', async () => {
    const unknown = createVelo({ ...options, backend: 'gpu' as 'cpu' });
    await expect(unknown).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('"gpu"'),
    });
  });

  it('must be there, not be promised', async () => {
    const promised: object[] = [{ backend: wasm() }, { backend: wasm }, { theta: Promise.resolve(starterTheta()) }];
    for (const mistake of promised) {
      const created = createVelo({ ...options, ...mistake });
      await expect(created).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('await'),
      });
    }
  });

  it('trains alike on both', async () => {
    const trained = async (backend: 'wasm' | 'cpu') => {
      const velo = await createVelo({ ...options, backend });
      for (let step = 0; step < 10; step++) {
        const { data } = velo.parameters.w;
        velo.step({ w: gradient(data) }, loss(data));
      }
      return [...velo.parameters.w.data];
    };
    const [onWasm, onCpu] = [await trained('wasm'), await trained('cpu')];
    for (const [i, value] of onWasm.entries()) expect(value).toBeCloseTo(onCpu[i]!, 5);
  });
});
