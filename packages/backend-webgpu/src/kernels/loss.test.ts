import { createLossBuffer, type HostLossBuffer, hostLossFeatures, pushHostLoss } from '@velojs/core';
import { expect, it } from 'vitest';
import { type WebgpuBackend, webgpu } from '../index.ts';
import type { WebgpuTensor } from '../tensor.ts';
import { describeOnGpu } from '../testing.ts';

type OnDevice = { readonly means: WebgpuTensor; readonly minima: WebgpuTensor };

const upload = (backend: WebgpuBackend, { means, minima }: HostLossBuffer): OnDevice => ({
  means: backend.tensor(means, [1, 10]),
  minima: backend.tensor(minima, [1, 10]),
});

const SEQUENCES: Readonly<Record<string, readonly number[]>> = {
  falling: Array.from({ length: 40 }, (_, i) => 3 * 0.9 ** i + 0.3 * Math.sin(7 * i)),
  rising: Array.from({ length: 25 }, (_, i) => 1 + i),
  'with jumps': [2, 1.5, 1e9, 1, 0.5, 3e38, 0.2, 4, 0.1],
  negative: [-1, -3, -2, 5, -8, 0, 12],
  tiny: [1e-30, 3e-30, 2e-30, 5e-31, 4e-30],
};

describeOnGpu('the kernel loss', (gpu) => {
  it.each(Object.keys(SEQUENCES))('is what the host has after every loss of a sequence: %s', async (name) => {
    const backend = await webgpu({ gpu });
    let host = createLossBuffer(200);
    let device = upload(backend, host);
    for (const value of SEQUENCES[name]!) {
      host = pushHostLoss(host, value);
      const { decays, count } = host;
      const pushed = backend.scope(() => {
        const { means, minima, features } = backend.kernels!.loss!({
          ...device,
          decays,
          count,
          loss: backend.tensor([value], []),
        });
        return { means, minima, features };
      });
      const [means, minima, features] = await backend.read([pushed.means, pushed.minima, pushed.features]);
      const expectClose = (actual: Float32Array, expected: Float64Array, what: string) => {
        const scale = what === 'features' ? 1 : Math.max(...expected.map(Math.abs));
        // Math.max, unlike a comparison, lets NaN through.
        const worst = expected.reduce((most, x, k) => Math.max(most, Math.abs(actual[k]! - x)), 0);
        expect(worst / scale, `${what} after ${count}`).toBeLessThan(what === 'features' ? 1e-3 : 1e-5);
      };
      expectClose(means!, host.means, 'means');
      expectClose(minima!, host.minima, 'minima');
      expectClose(features!, Float64Array.from(hostLossFeatures(host)), 'features');
      for (const tensor of [device.means, device.minima, pushed.features]) backend.dispose(tensor);
      device = pushed;
    }
    backend.close();
  });

  it('is one dispatch, reads the loss where it is, and compiles nothing from step to step', async () => {
    const backend = await webgpu({ gpu });
    await backend.warmUp();
    const losses = backend.tensor([9, 9, 9, 4, 9], [5]);
    const loss = backend.slice(losses, 0, 3, 4);
    const host = pushHostLoss(createLossBuffer(100), 4);
    const device = upload(backend, createLossBuffer(100));
    const { compiled } = backend;
    const { dispatches, submissions, copies } = { ...backend.counters };
    const { means, minima } = backend.kernels!.loss!({ ...device, decays: host.decays, count: 1, loss });
    expect(backend.counters).toEqual({ dispatches: dispatches + 1, submissions: submissions + 1, copies });
    expect(backend.compiled).toBe(compiled);
    const [actualMeans, actualMinima] = await backend.read([means, minima]);
    for (const k of host.means.keys()) {
      expect(actualMeans![k]).toBeCloseTo(host.means[k]!, 6);
      expect(actualMinima![k]).toBeCloseTo(host.minima[k]!, 5);
    }
    backend.close();
  });

  it('leaves means and minima as they were after a loss that is not finite', async () => {
    const backend = await webgpu({ gpu });
    const host = [3, 2, 4].reduce(pushHostLoss, createLossBuffer(100));
    const device = upload(backend, host);
    const { means, minima } = backend.scope(() => {
      const loss = backend.tensor([Number.NaN], []);
      backend.check!([], loss, () => new Error('a bad step'));
      const { features, ...pushed } = backend.kernels!.loss!({ ...device, decays: host.decays, count: 4, loss });
      return pushed;
    });
    await expect(backend.read([means])).rejects.toThrow('a bad step');
    const [actualMeans, actualMinima] = await backend.read([means, minima]);
    expect(actualMeans).toEqual(Float32Array.from(host.means));
    expect(actualMinima).toEqual(Float32Array.from(host.minima));
    backend.close();
  });
});
