import { createVelo, type ExportedState, type Velo, VeloError, withoutKernels } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { describe, expect, it, vi } from 'vitest';
import { Gpu } from './gpu.ts';
import { type WebgpuBackend, type WebgpuTensor, webgpu } from './index.ts';
import { lookAtGradients } from './kernels/index.ts';
import { describeOnGpu } from './testing.ts';

const THETA = starterTheta();
const wave = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 0.7));

type Trained = Velo<WebgpuTensor, Float32Array[]>;

const train = (backend: WebgpuBackend | ReturnType<typeof withoutKernels<WebgpuTensor>>, seed = 1): Trained =>
  createVelo<WebgpuTensor, Float32Array[]>({
    backend,
    theta: THETA,
    parameters: [wave(12, seed), wave(5, seed + 1)],
    totalSteps: 20,
  });
const gradients = (step: number) => [wave(12, step), wave(5, step + 7)];
const withNaN = (step: number) => [wave(12, step), wave(5, step + 7).with(4, Number.NaN)];

async function failureOf(body: () => unknown): Promise<VeloError | null> {
  try {
    await body();
  } catch (error) {
    if (error instanceof VeloError) return error;
    throw error;
  }
  return null;
}

/** A step with a loss that the host does not know. */
function stepOnDevice(velo: Trained, step: number, loss: number): void {
  const tensor = velo.backend.tensor([loss], []);
  velo.step(gradients(step), tensor);
  velo.backend.dispose(tensor);
}

let opened: Promise<WebgpuBackend> | undefined;
/** One for all tests that leave it as it was: some drivers take seconds to compile its kernels. */
const share = (gpu: GPU): Promise<WebgpuBackend> => {
  opened ??= webgpu({ gpu });
  return opened;
};

describeOnGpu('a bad step', (gpu) => {
  for (const mode of ['fused', 'composed'] as const) {
    const open = async () => {
      const backend = await share(gpu);
      return mode === 'fused' ? backend : withoutKernels<WebgpuTensor>(backend);
    };

    it(`${mode}: a NaN gradient on the device undoes both optimizers, from that step on`, async () => {
      const backend = await open();
      const [first, second] = [train(backend, 1), train(backend, 5)];
      const bad = withNaN(9).map((values) => backend.tensor(values, [values.length]));
      const third = train(backend, 9);
      for (const velo of [first, second, third]) velo.step(gradients(0), 1);
      const unchanged = await third.exportState();
      const before = await first.exportState();
      second.step(gradients(1), 1);
      const later = await second.exportState();
      first.step(bad, 1);
      second.step(gradients(2), 1);
      first.step(gradients(3), 1);
      for (const velo of [first, third]) velo.setTotalSteps(30);
      const failure = await failureOf(() => second.synchronize());
      expect([failure?.code, failure?.step]).toEqual(['NON_FINITE', 1]);
      expect(await first.exportState()).toEqual(before);
      expect(await second.exportState()).toEqual(later);
      expect(await third.exportState()).toEqual(unchanged);

      // They go on as if it had never been.
      const untouched = train(backend, 1);
      untouched.step(gradients(0), 1);
      for (const velo of [first, untouched]) velo.step(gradients(4), 1);
      expect(await first.exportState()).toEqual(await untouched.exportState());
    });

    it(`${mode}: a loss that is not finite`, async () => {
      const backend = await open();
      const velo = train(backend);
      stepOnDevice(velo, 0, 1);
      stepOnDevice(velo, 1, 0.5);
      const before = await velo.exportState();
      for (const loss of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        stepOnDevice(velo, 2, loss);
        stepOnDevice(velo, 3, 1);
        expect((await failureOf(() => velo.synchronize()))?.code).toBe('NON_FINITE');
        expect(await velo.exportState()).toEqual(before);
      }
    });
  }

  it('is reported once, where two reads are on their way', async () => {
    const backend = await share(gpu);
    const velo = train(backend);
    velo.step(gradients(0), 1);
    const before = await velo.exportState();
    velo.step(
      withNaN(1).map((values) => backend.tensor(values, [values.length])),
      1,
    );
    const reads = await Promise.allSettled([backend.read(velo.parameters), backend.read(velo.parameters)]);
    expect(reads.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    // What the other one gives is the state of before.
    const values = reads.find(({ status }) => status === 'fulfilled') as PromiseFulfilledResult<Float32Array[]>;
    expect(values.value).toEqual([0, 1].map((j) => before.tensors[`parameters.${j}`]!.data));
    expect(await velo.exportState()).toEqual(before);
  });

  it('is found without a read, which tells of it all the same; what would undo good ones is let go', async () => {
    const { device } = await webgpu({ gpu });
    const inner = new Gpu(device);
    const undone: number[] = [];
    const step = (number: number, values: number[]) =>
      inner.scope(() => {
        const check = inner.beginCheck(() => {
          undone.push(number);
          return new Error(`${number}`);
        });
        lookAtGradients(inner, [inner.upload(values, [3])], undefined, check);
      });
    for (let i = 0; i < 256; i++) step(i, [1, 2, 3]);
    expect(inner.faults.isOpen).toBe(true);
    await vi.waitFor(() => expect(inner.faults.isOpen).toBe(false), 10_000);

    for (let i = 256; i < 512; i++) step(i, [1, i === 300 ? Number.NaN : 2, 3]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(undone).toEqual([]);
    await expect(inner.read([])).rejects.toThrow('300');
    expect(undone).toEqual(Array.from({ length: 212 }, (_, i) => 511 - i));
    expect(await inner.read([])).toEqual([]);
    inner.close();
    device.destroy();
  });
});

describeOnGpu('a device that goes away', (gpu) => {
  const open = async () => {
    const adapter = (await gpu.requestAdapter()) ?? (await gpu.requestAdapter({ featureLevel: 'compatibility' }));
    return adapter!.requestDevice({ requiredLimits: { maxStorageBuffersPerShaderStage: 8 } });
  };
  const run = (velo: Trained, from: number, to: number) => {
    for (let i = from; i < to; i++) velo.step(gradients(i), 1 / (1 + i));
  };

  it('in mid-training: DEVICE_LOST, and a state saved before goes on elsewhere', async () => {
    const device = await open();
    const backend = await webgpu({ device });
    const velo = train(backend);
    run(velo, 0, 3);
    const saved: ExportedState = await velo.exportState();
    const [parameters] = await backend.read(velo.parameters);
    run(velo, 3, 5);
    const reading = failureOf(() => backend.read(velo.parameters));
    device.destroy();
    // Nobody knows yet.
    run(velo, 5, 6);
    expect((await failureOf(() => velo.synchronize()))?.code).toBe('DEVICE_LOST');
    expect([null, undefined, 'DEVICE_LOST']).toContain((await reading)?.code);
    expect((await failureOf(() => run(velo, 6, 7)))?.code).toBe('DEVICE_LOST');
    expect((await failureOf(() => velo.exportState()))?.code).toBe('DEVICE_LOST');
    expect((await failureOf(() => backend.tensor([1], [1])))?.code).toBe('DEVICE_LOST');
    expect((await failureOf(() => webgpu({ device })))?.code).toBe('DEVICE_LOST');
    expect(parameters).toEqual(saved.tensors['parameters.0']!.data);
    velo.dispose();
    expect(backend.liveTensors).toBe(0);
    backend.close();

    const fresh = await share(gpu);
    const [restored, untouched] = [train(fresh), train(fresh)];
    await restored.importState(saved);
    run(restored, 3, 6);
    run(untouched, 0, 6);
    expect(await restored.exportState()).toEqual(await untouched.exportState());
  });
});

describeOnGpu('memory that runs out', (gpu) => {
  // Real memory takes the machine with it, so the device says so.
  const withoutMemory = async (backend: WebgpuBackend, body: () => unknown) => {
    const { device } = backend;
    const kinds: GPUErrorFilter[] = [];
    const [push, pop] = [device.pushErrorScope, device.popErrorScope];
    device.pushErrorScope = (kind) => {
      kinds.push(kind);
      push.call(device, kind);
    };
    device.popErrorScope = () => {
      const isMemory = kinds.pop() === 'out-of-memory';
      return pop.call(device).then((error) => (isMemory ? ({ message: 'no memory' } as GPUOutOfMemoryError) : error));
    };
    try {
      await body();
    } finally {
      Object.assign(device, { pushErrorScope: push, popErrorScope: pop });
    }
  };

  it('while a tensor is made: OUT_OF_MEMORY from the next read on', async () => {
    const backend = await webgpu({ gpu });
    const x = backend.tensor([1], [1]);
    await withoutMemory(backend, () => backend.expand(x, [100_000]));
    expect((await failureOf(() => backend.read([x])))?.code).toBe('OUT_OF_MEMORY');
    expect((await failureOf(() => backend.unary('abs', x)))?.code).toBe('OUT_OF_MEMORY');
    backend.close();
  });

  it('while values are read: that read alone fails', async () => {
    const backend = await webgpu({ gpu });
    const x = backend.tensor([1], [1]);
    await withoutMemory(backend, async () => {
      expect((await failureOf(() => backend.read([x])))?.code).toBe('OUT_OF_MEMORY');
    });
    expect(await backend.read([x])).toEqual([Float32Array.of(1)]);
    backend.close();
  });
});

describe('without WebGPU', () => {
  it('says what to do', async () => {
    const noAdapter = { requestAdapter: async () => null } as unknown as GPU;
    const failures = await Promise.all([
      failureOf(() => webgpu({ gpu: noAdapter })),
      failureOf(() => webgpu({ gpu: {} as GPU })),
      failureOf(() => webgpu({ device: {} as GPUDevice })),
      failureOf(() => webgpu({ adapter: 1 } as object)),
    ]);
    expect(failures.map((failure) => failure?.code)).toEqual([
      'BACKEND_UNAVAILABLE',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
    ]);
    expect(failures[0]!.message).toContain('webgpu({ gpu: create([]) })');
  });

  it.runIf(globalThis.navigator?.gpu === undefined)('says so in Node', async () => {
    expect((await failureOf(() => webgpu()))?.code).toBe('BACKEND_UNAVAILABLE');
  });

  it('refuses a GPU that has too little', async () => {
    const adapter = { limits: { maxStorageBuffersPerShaderStage: 4 }, features: new Set() };
    const gpu = { requestAdapter: async () => adapter } as unknown as GPU;
    const failure = await failureOf(() => webgpu({ gpu }));
    expect(failure?.code).toBe('BACKEND_UNAVAILABLE');
    expect(failure?.message).toContain('maxStorageBuffersPerShaderStage');
  });
});
