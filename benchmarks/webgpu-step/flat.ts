/** Kernels of the benchmark's own over long arrays: bound in pieces where they are longer than a binding may be. */
import { type Shape, sizeOf } from '@velojs/core';

/** Float32 values in one buffer, padded to whole groups of four. */
export interface Flat {
  readonly buffer: GPUBuffer;
  read(): Promise<Float32Array>;
}

export interface Kernel {
  readonly layout: GPUBindGroupLayout;
  readonly pipeline: GPUComputePipeline;
}

// The numbers of GPUBufferUsage, which not every program outside browsers has as a global.
const [MAP_READ, COPY_SRC, COPY_DST, UNIFORM, STORAGE] = [0x1, 0x4, 0x8, 0x40, 0x80];
const THREADS = 64;
const MAX_WORKGROUPS = 65_535;

/** The arrays end to end. */
export function flat(device: GPUDevice, arrays: readonly Float32Array[]): Flat {
  const length = arrays.reduce((sum, { length }) => sum + length, 0);
  const size = 16 * Math.ceil(length / 4);
  const buffer = device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
  let offset = 0;
  for (const values of arrays) {
    device.queue.writeBuffer(buffer, 4 * offset, values as Float32Array<ArrayBuffer>);
    offset += values.length;
  }
  return {
    buffer,
    async read() {
      const staging = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(1);
      const values = new Float32Array(staging.getMappedRange().slice(0, 4 * length));
      staging.destroy();
      return values;
    },
  };
}

export function unflatten(values: Float32Array, shapes: readonly Shape[]): Float32Array[] {
  let end = 0;
  return shapes.map((shape) => {
    end += sizeOf(shape);
    return values.slice(end - sizeOf(shape), end);
  });
}

/** Returns what runs `kernel` on all of `arrays`, which are equally long, in one submission. */
export function pieces(
  device: GPUDevice,
  kernel: Kernel,
  arrays: readonly Flat[],
): (params: readonly number[]) => void {
  const { size } = arrays[0]!.buffer;
  const uniform = device.createBuffer({ size: 16, usage: UNIFORM | COPY_DST });
  const { maxStorageBufferBindingSize, minStorageBufferOffsetAlignment } = device.limits;
  const step =
    Math.floor(maxStorageBufferBindingSize / minStorageBufferOffsetAlignment) * minStorageBufferOffsetAlignment;
  const groups = Array.from({ length: Math.ceil(size / step) }, (_, i) => {
    const [offset, bytes] = [i * step, Math.min(step, size - i * step)];
    const entries = arrays.map(({ buffer }, binding) => ({ binding, resource: { buffer, offset, size: bytes } }));
    return {
      workgroups: Math.ceil(bytes / 16 / THREADS),
      group: device.createBindGroup({
        layout: kernel.layout,
        entries: [...entries, { binding: arrays.length, resource: { buffer: uniform } }],
      }),
    };
  });
  return (params) => {
    if (params.length > 0) device.queue.writeBuffer(uniform, 0, Float32Array.from(params));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(kernel.pipeline);
    for (const { workgroups, group } of groups) {
      pass.setBindGroup(0, group);
      const rows = Math.ceil(workgroups / MAX_WORKGROUPS);
      pass.dispatchWorkgroups(Math.ceil(workgroups / rows), rows);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}
