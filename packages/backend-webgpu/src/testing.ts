import { type Backend, VeloError } from '@velojs/core';
import { describe, it } from 'vitest';
import { type WebgpuBackend, webgpu } from './index.ts';
import type { WebgpuTensor } from './tensor.ts';
import { testingDevice, testingGpu } from './testing-device.ts';

/** What the suite of all backends asks. */
export const underTest = {
  create: async (): Promise<WebgpuBackend> => webgpu({ device: await testingDevice() }),
  liveTensors: (backend: Backend<WebgpuTensor>): number => (backend as WebgpuBackend).liveTensors,
  compiledCount: (backend: Backend<WebgpuTensor>): number => (backend as WebgpuBackend).compiled,
  skip: { hostMemory: 'tensors are on the GPU' },
};

/** Tests that need a GPU: left out with a printed reason where there is none, which in CI is a failure. */
export function describeOnGpu(name: string, body: (gpu: GPU) => void): void {
  describe(name, { timeout: 120_000 }, async () => {
    let gpu: GPU;
    try {
      gpu = await testingGpu();
    } catch (error) {
      if (!(error instanceof VeloError && error.code === 'BACKEND_UNAVAILABLE') || process.env.CI) throw error;
      console.warn(`${name}: not tested: ${error.message}`);
      it(`has a GPU: ${error.message}`, ({ skip }) => skip((error as Error).message));
      return;
    }
    body(gpu);
  });
}
