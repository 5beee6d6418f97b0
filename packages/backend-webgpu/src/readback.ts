/** The way back from the GPU: copies into buffers that the host may look into. */
import { VeloError } from '@velojs/core';
import { outOfMemory, type Region, USAGE } from './memory.ts';

/**
 * The values of `regions` as of this call. Whoever calls it has submitted what is to be seen.
 *
 * @throws VeloError `OUT_OF_MEMORY`; `INVALID_ARGUMENT` where a buffer cannot be read any more.
 */
export async function readBack(device: GPUDevice, regions: readonly Region[]): Promise<ArrayBuffer[]> {
  const outcomes: Promise<void>[] = [];
  const expect = (describe: (error: GPUError) => VeloError) =>
    outcomes.push(device.popErrorScope().then((error) => (error ? Promise.reject(describe(error)) : undefined)));

  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  const staged = regions.map(({ memory, offset, length }) => {
    const size = 4 * length;
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({ size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
    expect(({ message }) => outOfMemory(size, message));
    encoder.copyBufferToBuffer(memory.gpu, memory.start + 4 * offset, buffer, 0, size);
    return buffer;
  });
  device.queue.submit([encoder.finish()]);
  expect(unreadable);
  const mapped = Promise.all(staged.map((buffer) => buffer.mapAsync(MAP_MODE_READ)));
  // Where nothing could be copied, that is the reason to give, whatever else fails because of it.
  const failed = await Promise.allSettled([...outcomes, mapped]);
  try {
    for (const outcome of failed) if (outcome.status === 'rejected') throw outcome.reason;
    return staged.map((buffer) => buffer.getMappedRange().slice(0));
  } finally {
    for (const buffer of staged) buffer.destroy();
  }
}

const unreadable = (error: GPUError) =>
  new VeloError('INVALID_ARGUMENT', `A tensor cannot be read: ${error.message} Was its buffer destroyed?`, {
    cause: error,
  });

/** `GPUMapMode.READ`, which not every program outside browsers has as a global. */
const MAP_MODE_READ = 0x1;
