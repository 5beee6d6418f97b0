/** What a step asks of the device, seen from outside: how often it submits, whether it waits, what it compiles. */
import { createVelo, type Shape } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { afterEach, expect, it, vi } from 'vitest';
import { webgpu } from './index.ts';
import { describeOnGpu } from './testing.ts';
import { testingDevice } from './testing-device.ts';

const THETA = starterTheta();
const SIX: readonly Shape[] = [[8, 6], [6], [3, 3, 2, 4], [4], [5, 1], []];
const MANY: readonly Shape[] = Array.from({ length: 150 }, (_, j) => (j % 2 ? [2 + (j % 5)] : [3, 2 + (j % 4)]));

describeOnGpu('a step on the device', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each([
    ['6 tensors', 'host', SIX],
    ['6 tensors', 'device', SIX],
    ['150 tensors', 'host', MANY],
    ['150 tensors', 'device', MANY],
  ] as const)(
    'of %s is one submission, waits for nothing and compiles nothing: loss on the %s',
    async (_, where, shapes) => {
      const device = await testingDevice();
      const maps = vi.fn();
      const createBuffer = device.createBuffer.bind(device);
      vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
        const buffer = createBuffer(descriptor);
        const mapAsync = buffer.mapAsync.bind(buffer);
        buffer.mapAsync = (...range) => {
          maps();
          return mapAsync(...range);
        };
        return buffer;
      });
      const backend = await webgpu({ device });
      await backend.warmUp();

      const parameters = backend.allocate(shapes);
      const gradients = backend.allocate(shapes);
      const [loss] = backend.allocate([[1]]);
      for (const { buffer, byteOffset, shape } of [...parameters, ...gradients, loss]) {
        const size = shape.reduce((product, axis) => product * axis, 1);
        const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i + byteOffset) / 10 + 0.2);
        device.queue.writeBuffer(buffer, byteOffset, values);
      }
      const velo = createVelo({ backend, theta: THETA, parameters, totalSteps: 100 });
      const before = await backend.read(parameters);

      const step = () => velo.step(gradients, where === 'device' ? loss : 0.5);
      const submit = vi.spyOn(device.queue, 'submit');
      const compile = [
        vi.spyOn(device, 'createComputePipeline'),
        vi.spyOn(device, 'createComputePipelineAsync'),
        vi.spyOn(device, 'createShaderModule'),
      ];
      maps.mockClear();
      for (const count of [1, 2, 3, 4, 5]) {
        step();
        expect(submit).toHaveBeenCalledTimes(count);
        if (count === 2) for (const spy of compile) spy.mockClear();
      }
      expect(maps).not.toHaveBeenCalled();
      for (const spy of compile) expect(spy).not.toHaveBeenCalled();
      expect(backend.counters.submissions).toBeGreaterThanOrEqual(5);

      // What was counted were steps: the numbers have moved.
      const after = await backend.read(parameters);
      expect(maps).toHaveBeenCalled();
      for (const [j, values] of after.entries()) expect(values).not.toEqual(before[j]);
      velo.dispose();
      backend.close();
    },
  );

  it('compiles its kernels beforehand where it is asked to', async () => {
    const device = await testingDevice();
    const backend = await webgpu({ device });
    const compiled = backend.compiled;
    const now = vi.spyOn(device, 'createComputePipeline');
    const beforehand = vi.spyOn(device, 'createComputePipelineAsync');
    await backend.warmUp();
    expect(now).not.toHaveBeenCalled();
    expect(backend.compiled - compiled).toBe(beforehand.mock.calls.length);
    expect(beforehand.mock.calls.length).toBeGreaterThan(0);

    const parameters = backend.allocate(SIX);
    const gradients = backend.allocate(SIX);
    const velo = createVelo({ backend, theta: THETA, parameters, totalSteps: 100 });
    // Theta and state were made by operations, which are compiled when they are met; a step's kernels are there.
    now.mockClear();
    velo.step(gradients, 1);
    expect(now.mock.calls.map(([{ label }]) => label)).toEqual([]);
    backend.close();
  });
});
