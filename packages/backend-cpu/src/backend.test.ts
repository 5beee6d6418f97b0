import { createTheta, createVelo, sizeOf, type Theta, thetaShapes, VeloError, withoutKernels } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { cpu } from './index.ts';

function randomTheta(hiddenSize = 5, bankSize = 3): Theta {
  const leaf = (shape: readonly number[], seed: number) => ({
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(12.9898 * (i + 1) * seed) / 2),
  });
  const shapes = Object.entries(thetaShapes(hiddenSize, bankSize));
  return createTheta(Object.fromEntries(shapes.map(([name, shape], i) => [name, leaf(shape, i + 1)])));
}

const codeOf = (body: () => unknown): string | undefined => {
  try {
    body();
  } catch (error) {
    if (error instanceof VeloError) return error.code;
    throw error;
  }
  return undefined;
};

describe.each(['fused', 'composed'] as const)('wrapped parameters, %s', (path) => {
  const create = (parameters: Record<string, Float32Array>) => {
    const backend = cpu();
    const shapes: Record<string, number[]> = { w: [3, 2], b: [2], s: [] };
    return createVelo({
      backend: path === 'fused' ? backend : withoutKernels(backend),
      theta: randomTheta(),
      parameters: Object.fromEntries(
        Object.entries(parameters).map(([name, values]) => [name, backend.wrap(values, shapes[name]!)]),
      ),
      totalSteps: 10,
    });
  };
  const gradients = { w: new Float32Array(6).fill(0.3), b: Float32Array.of(-0.1, 2), s: Float32Array.of(1) };

  it('change in place, and stay the memory that was wrapped', () => {
    const memory = new Float32Array(9).fill(1);
    const parameters = { w: memory.subarray(0, 6), b: memory.subarray(6, 8), s: memory.subarray(8) };
    const velo = create(parameters);
    for (let step = 0; step < 3; step++) velo.step(gradients, 1 - step / 10);
    expect(memory.every((value) => value !== 1)).toBe(true);
    for (const [name, values] of Object.entries(parameters)) expect(velo.parameters[name]!.data).toBe(values);
  });

  it('may be written to between steps, which setParameters tells the optimizer', async () => {
    const free = { w: new Float32Array(6).fill(1), b: new Float32Array(2).fill(1), s: new Float32Array(1).fill(1) };
    const velo = create(free);
    velo.step(gradients, 1);
    free.w.fill(100);
    await velo.setParameters(velo.parameters);
    expect([...free.w]).toEqual(Array(6).fill(100));
    const told = create({ ...free, w: new Float32Array(6).fill(1) });
    told.step(gradients, 1);
    await told.setParameters({ ...told.parameters, w: { shape: [3, 2], data: new Float32Array(6).fill(100) } });
    velo.step(gradients, 0.9);
    told.step(gradients, 0.9);
    expect(velo.parameters.w!.data).toEqual(told.parameters.w!.data);
  });
});

describe('cpu', () => {
  it('copies parameters that were not wrapped, and reads gradients where they are', () => {
    const backend = cpu();
    const values = Float32Array.of(1, 2, 3);
    const gradient = Float32Array.of(1, 1, 5000);
    const velo = createVelo({ backend, theta: randomTheta(), parameters: { x: values }, totalSteps: 5 });
    velo.step({ x: gradient }, 1);
    expect(values).toEqual(Float32Array.of(1, 2, 3));
    expect(gradient).toEqual(Float32Array.of(1, 1, 5000));
    expect(velo.parameters.x.data).not.toEqual(values);
  });

  it('wrap and borrow do not copy, tensor and own do', () => {
    const backend = cpu();
    const values = Float32Array.of(1, 2);
    const wrapped = backend.wrap(values, [2]);
    expect(wrapped.data).toBe(values);
    expect(backend.own(wrapped)).toBe(wrapped);
    const borrowed = backend.borrow!(values, [1, 2]);
    expect(borrowed.data).toBe(values);
    expect(backend.own(borrowed).data).not.toBe(values);
    expect(backend.tensor(values, [2]).data).not.toBe(values);
  });

  it('computes in double precision and keeps float32', () => {
    const backend = cpu();
    const third = backend.binary('div', backend.tensor([1], [1]), 3);
    expect(backend.peek!(third)[0]).toBe(1 / 3);
    expect(third.data[0]).toBe(Math.fround(1 / 3));
    expect(backend.peek!(backend.keep(third))[0]).toBe(Math.fround(1 / 3));
    const state = backend.own(backend.tensor([0], [1]));
    backend.replace(state, backend.binary('div', backend.tensor([2], [1]), 3));
    expect(backend.peek!(state)[0]).toBe(Math.fround(2 / 3));
  });

  it('refuses handles that were disposed of', () => {
    const backend = cpu();
    const x = backend.tensor([1], [1]);
    backend.dispose(x);
    expect(backend.isTensor(x)).toBe(true);
    expect(codeOf(() => x.data)).toBe('DISPOSED');
    expect(codeOf(() => backend.dispose(x))).toBe('DISPOSED');
    expect(codeOf(() => backend.peek!(x))).toBe('DISPOSED');
  });

  it('leaves what was wrapped to its owner when the optimizer is disposed of', () => {
    const backend = cpu();
    const values = Float32Array.of(1, 2);
    const velo = createVelo({
      backend,
      theta: randomTheta(),
      parameters: [backend.wrap(values, [2])],
      totalSteps: 5,
    });
    velo.dispose();
    expect(values).toEqual(Float32Array.of(1, 2));
  });

  it.each<[string, (backend: ReturnType<typeof cpu>) => unknown]>([
    ['too few values', (backend) => backend.tensor([1, 2], [3])],
    ['too many values', (backend) => backend.wrap(new Float32Array(4), [3])],
    [
      'shapes that do not broadcast',
      (backend) => backend.binary('add', backend.tensor([1, 2], [2]), backend.tensor([1, 2, 3], [3])),
    ],
    [
      'matrices that do not fit',
      (backend) => backend.matmul(backend.tensor([1, 2], [1, 2]), backend.tensor([1, 2], [1, 2])),
    ],
    ['a product of vectors', (backend) => backend.matmul(backend.tensor([1, 2], [2]), backend.tensor([1, 2], [2]))],
    ['a reshape to another size', (backend) => backend.reshape(backend.tensor([1, 2], [2]), [3])],
    ['an expansion of an axis that is not 1', (backend) => backend.expand(backend.tensor([1, 2], [2]), [4])],
    ['an expansion to another rank', (backend) => backend.expand(backend.tensor([1], [1]), [2, 2])],
    ['a slice beyond the end', (backend) => backend.slice(backend.tensor([1, 2], [2]), 0, 1, 3)],
    ['an empty slice', (backend) => backend.slice(backend.tensor([1, 2], [2]), 0, 1, 1)],
    ['an axis that is not there', (backend) => backend.reduce('mean', backend.tensor([1, 2], [2]), [1])],
    ['nothing to concatenate', (backend) => backend.concat([], 0)],
    [
      'tensors that do not join',
      (backend) => backend.concat([backend.tensor([1, 2], [1, 2]), backend.tensor([1], [1, 1])], 0),
    ],
    ['state of another size', (backend) => backend.replace(backend.tensor([1], [1]), backend.tensor([1, 2], [2]))],
  ])('rejects %s', (_, body) => {
    expect(codeOf(() => body(cpu()))).toBe('SHAPE_MISMATCH');
  });
});
