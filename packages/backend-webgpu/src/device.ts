/** A GPU device that VeLO can run on, or the reason why there is none. */
import { VeloError } from '@velojs/core';
import type { WebgpuOptions } from './backend.ts';

/** What the kernels need; WebGPU promises it, so only a device that was asked for less lacks it. */
const NEEDED = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 128,
  maxComputeWorkgroupSizeX: 128,
  maxComputeWorkgroupStorageSize: 16_384,
} as const;

/** In Node, Dawn's devices do not survive the object that they came from. */
const kept = new Set<GPU>();

/**
 * The device of `options`, or one with the adapter's largest buffers.
 *
 * @returns `isOwn` where the device was made here.
 * @throws VeloError `BACKEND_UNAVAILABLE`, `DEVICE_LOST`, `INVALID_ARGUMENT`
 */
export async function openDevice(options: WebgpuOptions): Promise<{ device: GPUDevice; isOwn: boolean }> {
  const { device, gpu = globalThis.navigator?.gpu, ...rest } = options;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw new VeloError('INVALID_ARGUMENT', `There is no option "${unknown}"; there are device and gpu.`);
  }
  if (device !== undefined) return { device: await checkDevice(device), isOwn: false };
  if (!gpu) throw unavailable('There is no WebGPU here');
  if (typeof gpu.requestAdapter !== 'function') {
    throw new VeloError('INVALID_ARGUMENT', 'gpu must be what requestAdapter() is called on, such as navigator.gpu.');
  }
  kept.add(gpu);
  const adapter = await requestAdapter(gpu);
  try {
    return { device: await adapter.requestDevice(describeDevice(adapter)), isOwn: true };
  } catch (cause) {
    throw unavailable(`The GPU gives no device (${(cause as Error).message})`, cause);
  }
}

async function requestAdapter(gpu: GPU): Promise<GPUAdapter> {
  // Older hardware has all that is needed here, and less than WebGPU asks for elsewhere.
  const compatible: GPURequestAdapterOptions & { featureLevel: string } = { featureLevel: 'compatibility' };
  const adapter =
    (await gpu.requestAdapter({ powerPreference: 'high-performance' })) ?? (await gpu.requestAdapter(compatible));
  if (!adapter) throw unavailable('There is WebGPU here, and no GPU for it');
  for (const [limit, needed] of Object.entries(NEEDED) as [keyof typeof NEEDED, number][]) {
    if (adapter.limits[limit] < needed) {
      throw unavailable(`This GPU has a ${limit} of ${adapter.limits[limit]}, and ${needed} are needed`);
    }
  }
  return adapter;
}

function describeDevice({ limits, features }: GPUAdapter): GPUDeviceDescriptor {
  const { maxStorageBufferBindingSize, maxBufferSize } = limits;
  return {
    label: 'velojs',
    requiredLimits: { ...NEEDED, maxStorageBufferBindingSize, maxBufferSize },
    // For those who measure.
    requiredFeatures: features.has('timestamp-query') ? ['timestamp-query'] : [],
  };
}

async function checkDevice(device: GPUDevice): Promise<GPUDevice> {
  if (typeof device?.createComputePipeline !== 'function') {
    throw new VeloError('INVALID_ARGUMENT', 'device must be a GPUDevice.');
  }
  const lost = await Promise.race([device.lost, null]);
  if (lost) throw new VeloError('DEVICE_LOST', `This device has gone away (${lost.message}): request another one.`);
  for (const [limit, needed] of Object.entries(NEEDED) as [keyof typeof NEEDED, number][]) {
    if (device.limits[limit] < needed) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `This device has a ${limit} of ${device.limits[limit]}, and ${needed} are needed: ask for it in requestDevice({ requiredLimits }).`,
      );
    }
  }
  return device;
}

const unavailable = (what: string, cause?: unknown) =>
  new VeloError(
    'BACKEND_UNAVAILABLE',
    `${what}. In Node, install the package "webgpu" and give webgpu({ gpu: create([]) }). In a browser, WebGPU needs a page ` +
      'from https or localhost, and for some GPUs a flag (Chrome on Linux: --enable-unsafe-webgpu). The backends wasm and cpu run everywhere.',
    cause === undefined ? {} : { cause },
  );
