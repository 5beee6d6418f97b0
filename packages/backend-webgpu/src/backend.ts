/** VeLO on the GPU. */
import { type Backend, geometryOf, type Shape, sizeOf, VeloError } from '@velojs/core';
import { openDevice } from './device.ts';
import { guardedCopy } from './faults.ts';
import { Gpu } from './gpu.ts';
import { createKernels, KERNEL_PROGRAMS, lookAtGradients } from './kernels/index.ts';
import { type Region, USAGE } from './memory.ts';
import { createOperations } from './operations.ts';
import type { Counters } from './recorder.ts';
import type { WebgpuTensor } from './tensor.ts';

export interface WebgpuOptions {
  /** A device of your own, so that its buffers can be wrapped. Default: one with the adapter's largest limits. */
  readonly device?: GPUDevice;
  /** Where to look for an adapter; default `navigator.gpu`. In Node: `create([])` of the package `webgpu`. */
  readonly gpu?: GPU;
}

export interface WebgpuBackend extends Backend<WebgpuTensor> {
  readonly device: GPUDevice;
  /** Handles that were made and not yet freed. */
  readonly liveTensors: number;
  /** GPU buffers that exist and their bytes, those that wait to be used again included. */
  readonly buffers: number;
  readonly bytes: number;
  /** Pipelines compiled so far. */
  readonly compiled: number;
  /** Submissions, dispatches and copies so far. */
  readonly counters: Readonly<Counters>;
  /** Compiles the kernels of a step without stopping the page; without it the first step does. */
  warmUp(): Promise<void>;
  /**
   * A tensor over a buffer of yours: as a parameter it is updated in place, as a gradient it is not copied through the host.
   * A scope submits its work when it ends: do not write to the buffer, nor submit work with it, inside one.
   *
   * @param buffer of the backend's device, with usage STORAGE, COPY_SRC and COPY_DST.
   * @param options.byteOffset where the values begin; a multiple of 4, default 0.
   * @throws VeloError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `TENSOR_TOO_LARGE`
   */
  wrap(buffer: GPUBuffer, shape: Shape, options?: { byteOffset?: number }): WebgpuTensor;
  /**
   * Tensors side by side in one buffer, zero, for your own shaders to write to (`tensor.buffer`, `tensor.byteOffset`, a
   * multiple of 256): parameters and gradients that live in one buffer each are used where they are, without a copy. What is
   * said of scopes at `wrap` goes for them too.
   *
   * @throws VeloError `TENSOR_TOO_LARGE`
   */
  allocate<const S extends readonly Shape[]>(shapes: S): { readonly [Index in keyof S]: WebgpuTensor };
  /** Destroys the backend's buffers, and the device where it was not yours. Whatever is used afterwards throws `DISPOSED`. */
  close(): void;
}

/**
 * VeLO on the GPU: state stays there, a step is one submission, and nothing is read back but what `read` asks for.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where there is no WebGPU or no GPU; `INVALID_ARGUMENT`, `DEVICE_LOST`
 * @example
 * ```ts
 * const backend = await webgpu({ device });
 * const [weights, gradient] = backend.allocate([[784, 10], [784, 10]]);
 * const velo = createVelo({ backend, theta, parameters: { w: weights }, totalSteps: 1_000 });
 * encodeGradient(weights.buffer, weights.byteOffset, gradient.buffer, gradient.byteOffset);
 * velo.step({ w: gradient }, loss);
 * ```
 */
export async function webgpu(options: WebgpuOptions = {}): Promise<WebgpuBackend> {
  const { device, isOwn } = await openDevice(options);
  return createBackend(new Gpu(device), isOwn);
}

function createBackend(gpu: Gpu, isOwn: boolean): WebgpuBackend {
  const { recorder } = gpu;
  const { device, pool } = recorder;
  /** A handle that stays until it is disposed of, whatever scope it is made in. */
  const hold = (shape: Shape, region: Region) => gpu.keep(gpu.create(shape, region, true));
  return {
    name: 'webgpu',
    arithmetic: 'float32',
    device,
    kernels: createKernels(gpu),
    counters: recorder.counters,
    get liveTensors() {
      return gpu.liveTensors;
    },
    get buffers() {
      return recorder.buffers;
    },
    get bytes() {
      return recorder.bytes;
    },
    get compiled() {
      return recorder.pipelines.compiled;
    },
    async warmUp() {
      gpu.checkAlive();
      await recorder.pipelines.warmUp([...KERNEL_PROGRAMS, ...guardedCopy]);
    },
    wrap(buffer, shape, { byteOffset = 0 } = {}) {
      gpu.checkAlive();
      checkBuffer(buffer, geometryOf(shape).size, byteOffset);
      const region = pool.adopt(buffer, byteOffset, sizeOf(shape));
      recorder.checkBinding(region.memory);
      return hold(shape, region);
    },
    allocate: ((shapes: readonly Shape[]) => {
      let length = 0;
      const offsets = shapes.map((shape) => {
        const offset = length;
        length += Math.ceil(geometryOf(shape).size / ALIGNED_ENTRIES) * ALIGNED_ENTRIES;
        return offset;
      });
      if (shapes.length === 0) return [];
      return gpu.scope(() => {
        const all = recorder.allocate(length);
        recorder.clear(all);
        const { memory } = all;
        const tensors = shapes.map((shape, i) =>
          hold(shape, pool.share({ memory, offset: offsets[i]!, length: sizeOf(shape) })),
        );
        recorder.release(all);
        return tensors;
      });
    }) as WebgpuBackend['allocate'],
    close() {
      gpu.close();
      if (isOwn) device.destroy();
    },

    isTensor: gpu.isTensor,
    tensor: (values, shape) => gpu.upload(values, shape),
    read: (tensors) => gpu.read(tensors),
    dispose: (tensor) => gpu.dispose(tensor),
    keep: (tensor) => gpu.keep(tensor),
    async synchronize() {
      await gpu.read([]);
    },
    scope: (body) => gpu.scope(body),
    own(tensor) {
      const { region, shape, wrapped } = tensor;
      return wrapped ? tensor : gpu.scope(() => gpu.create(shape, gpu.copyOf(region)));
    },
    replace: (state, next) => gpu.scope(() => gpu.replace(state, next)),
    check(gradients, loss, undo) {
      gpu.scope(() => lookAtGradients(gpu, gradients, loss, gpu.beginCheck(undo)));
    },

    ...createOperations(gpu),
  };
}

/** Where bindings may begin on every adapter, in entries. */
const ALIGNED_ENTRIES = 64;

function checkBuffer(buffer: GPUBuffer, length: number, byteOffset: number): void {
  const needed = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
  const complain = (what: string) => new VeloError('INVALID_ARGUMENT', `${what}.`);
  if (typeof buffer?.usage !== 'number') throw complain('What is wrapped must be a GPUBuffer');
  if ((buffer.usage & needed) !== needed) {
    throw complain('A wrapped buffer needs the usages STORAGE, COPY_SRC and COPY_DST');
  }
  if ((buffer.mapState ?? 'unmapped') !== 'unmapped')
    throw complain('A wrapped buffer must not be mapped: call unmap() first');
  if (!Number.isSafeInteger(byteOffset) || byteOffset < 0 || byteOffset % 4 !== 0) {
    throw complain(`byteOffset must be a multiple of 4; got ${byteOffset}`);
  }
  if (byteOffset + 4 * length > buffer.size) {
    throw new VeloError(
      'SHAPE_MISMATCH',
      `${length} values from byte ${byteOffset} on are more than a buffer of ${buffer.size} bytes has.`,
    );
  }
}
