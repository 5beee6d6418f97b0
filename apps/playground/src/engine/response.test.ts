import { cpu } from '@velojs/backend-cpu';
import { composedKernels, geometryOf } from '@velojs/core';
import { createVelo, starterTheta } from 'velojs';
import { describe, expect, it } from 'vitest';
import { mlpResponse } from './response.ts';

/** Entries that are all alike: what stands for the tensor is then each of them, and the step is known. */
async function afterSteps(shape: readonly number[], gradients: readonly number[]) {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const filled = (value: number) => new Float32Array(size).fill(value);
  const backend = cpu();
  const velo = await createVelo({
    backend,
    theta: starterTheta(),
    parameters: { w: { shape, data: filled(0.5) } },
    totalSteps: 50,
  });
  gradients.forEach((gradient, i) => {
    velo.step({ w: { shape, data: filled(gradient) } }, 1 / (1 + i));
  });
  return { backend, velo, filled };
}

describe('mlpResponse', () => {
  it.each([
    ['a matrix', [6, 4]],
    ['a vector', [5]],
    ['a convolution', [3, 3, 2, 4]],
    ['a scalar', []],
  ])('is what the kernel does to entries that are all alike: %s', async (_, shape) => {
    const { backend, velo, filled } = await afterSteps(shape, [0.3, 0.1, 0.2]);
    const state = await velo.exportState();
    const { gradient, update } = await mlpResponse(backend, state, 0, filled(0.2));
    // One third of the reach is one root mean square: the gradient itself.
    const at = 40;
    expect(gradient[at]).toBeCloseTo(0.2, 6);

    const before = velo.parameters.w.data[0]!;
    // What the same network makes of that gradient; VeLO itself would generate another one first.
    const tensors = state.tensors;
    const load = (path: string) => backend.tensor(tensors[path]!.data, tensors[path]!.shape);
    const columns = tensors['accumulators.0.columns'];
    const { slots } = composedKernels(backend).update(
      [
        {
          geometry: geometryOf(shape),
          parameter: load('parameters.0'),
          accumulators: {
            moments: load('accumulators.0.moments'),
            rows: load('accumulators.0.rows'),
            columns: columns ? load('accumulators.0.columns') : null,
          },
          gradient: backend.tensor(filled(0.2), shape),
        },
      ],
      load('mlp'),
    );
    const [after] = await backend.read([slots[0]!.parameter]);
    expect(update[at]! / (after![0]! - before)).toBeCloseTo(1, 3);
    expect(Math.abs(update[at]!)).toBeGreaterThan(1e-6);
  });

  it('goes against the gradient, and more so for larger ones', async () => {
    const { backend, velo } = await afterSteps([6, 4], [0.3, -0.3, 0.3, -0.3]);
    const noisy = Float32Array.from({ length: 24 }, (_, i) => 0.1 * Math.sin(i));
    const { update, gradientScale } = await mlpResponse(backend, await velo.exportState(), 0, noisy);
    expect(update.at(-1)).toBeLessThan(update[0]!);
    expect(update.every(Number.isFinite)).toBe(true);
    expect(gradientScale).toBeGreaterThan(0.05);
  });

  it('finds VeLO where it accumulates gradients', async () => {
    const backend = cpu();
    const parameters = { w: { shape: [2, 3], data: new Float32Array(6).fill(0.5) } };
    const velo = await createVelo({
      backend,
      theta: starterTheta(),
      parameters,
      totalSteps: 20,
      maxTrainingSteps: 10,
      onWarning: () => {},
    });
    const gradient = new Float32Array(6).fill(0.2);
    for (let step = 0; step < 4; step++) velo.step({ w: { shape: [2, 3], data: gradient } }, 1);
    const { update } = await mlpResponse(backend, await velo.exportState(), 0, gradient);
    expect(update.at(-1)).toBeLessThan(0);
  });

  it('has an answer where all gradients are 0', async () => {
    const { backend, velo, filled } = await afterSteps([2, 3], [0.1]);
    const { update, gradientScale } = await mlpResponse(backend, await velo.exportState(), 0, filled(0));
    expect(gradientScale).toBe(0);
    expect(update.every(Number.isFinite)).toBe(true);
  });
});
