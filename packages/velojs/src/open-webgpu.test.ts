import { afterEach, describe, expect, it, vi } from 'vitest';
import { createVelo, VeloError } from './index.ts';

const isNode = typeof process === 'object' && process.versions?.node !== undefined;
const options = { backend: 'webgpu', parameters: { w: Float32Array.of(1, -1, 2) }, totalSteps: 10 } as const;

describe("backend: 'webgpu'", { timeout: 120_000 }, () => {
  it('trains on the GPU', async ({ skip }) => {
    const velo = await createVelo(options).catch((error: unknown) => {
      if (!(error instanceof VeloError && error.code === 'BACKEND_UNAVAILABLE') || process.env.CI) throw error;
      console.warn(`backend: 'webgpu' was not tested: ${error.message}`);
      return skip(error.message);
    });
    expect(velo.backend.name).toBe('webgpu');
    velo.step({ w: Float32Array.of(1, -1, 2) }, 3);
    velo.step({ w: Float32Array.of(1, -1, 2) }, 3);
    const [w] = await velo.backend.read([velo.parameters.w]);
    expect(w![0]).toBeLessThan(1);
    expect(w![1]).toBeGreaterThan(-1);
    expect(w![2]).toBeLessThan(2);
  });

  describe.runIf(isNode)('in Node', () => {
    afterEach(() => vi.doUnmock('webgpu'));

    it('says what to install where WebGPU is missing', async () => {
      vi.doMock('webgpu', () => {
        throw new Error('not installed');
      });
      await expect(createVelo(options)).rejects.toMatchObject({
        code: 'BACKEND_UNAVAILABLE',
        message: expect.stringContaining('npm install webgpu@0.6.2'),
      });
    });
  });
});
