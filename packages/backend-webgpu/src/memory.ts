/** GPU memory: buffers that are used again, and given back by count rather than by garbage collection. */
import { VeloError } from '@velojs/core';
import type { Watch } from './program.ts';

/** One GPU buffer, or the window of a foreign one that may be bound. */
export interface Memory {
  readonly gpu: GPUBuffer;
  /** Where the window begins, in bytes: a multiple of what bindings must be aligned to. */
  readonly start: number;
  readonly bytes: number;
  /** Whether somebody else made it: it is neither reused nor destroyed. */
  readonly foreign: boolean;
  /** Regions in use. */
  uses: number;
  /** The last recording that reads or writes it. */
  usedBy: number;
}

/** Float32 values in memory: `length` entries from entry `offset` of its window. */
export interface Region {
  readonly memory: Memory;
  readonly offset: number;
  readonly length: number;
}

/** Idle buffers are destroyed after so many recordings. */
const IDLE_RECORDINGS = 100;

interface Idle {
  readonly memory: Memory;
  readonly since: number;
}

/** The buffers of a device. */
export class Pool {
  /** Buffers that exist, idle ones included, and their size altogether. */
  buffers = 0;
  bytes = 0;
  readonly #device: GPUDevice;
  readonly #watch: Watch;
  readonly #made = new Set<Memory>();
  readonly #idle = new Map<number, Idle[]>();
  readonly #foreign = new WeakMap<GPUBuffer, Memory>();

  constructor(device: GPUDevice, watch: Watch) {
    this.#device = device;
    this.#watch = watch;
  }

  /** The most bytes that one buffer may have. */
  get limit(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.#device.limits;
    return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  }

  /**
   * Room for `length` entries; what they are is not defined.
   *
   * @param recording the one that is open.
   * @param options.untouched whether they are to be written to before the recording runs.
   * @throws VeloError `TENSOR_TOO_LARGE`
   */
  allocate(length: number, recording: number, { untouched = false }: { untouched?: boolean } = {}): Region {
    const bytes = sizeClass(4 * length, this.limit);
    if (4 * length > this.limit) throw tooLarge(4 * length, this.limit);
    const idle = this.#idle.get(bytes) ?? [];
    const found = untouched ? idle.findIndex(({ memory }) => memory.usedBy < recording) : idle.length - 1;
    const [reused] = found < 0 ? [] : idle.splice(found, 1);
    const memory = reused?.memory ?? this.#create(bytes);
    memory.uses = 1;
    memory.usedBy = recording;
    return { memory, offset: 0, length };
  }

  /** A region of a buffer that somebody else made. */
  adopt(gpu: GPUBuffer, offset: number, length: number): Region {
    const isWhole = gpu.size <= this.limit;
    const start = isWhole ? 0 : offset - (offset % this.#device.limits.minStorageBufferOffsetAlignment);
    const bytes = isWhole ? gpu.size - (gpu.size % 4) : offset - start + 4 * length;
    if (bytes > this.limit) throw tooLarge(4 * length, this.limit);
    let memory = this.#foreign.get(gpu);
    if (!memory || memory.start !== start || memory.bytes !== bytes) {
      memory = { gpu, start, bytes, foreign: true, uses: 0, usedBy: 0 };
      this.#foreign.set(gpu, memory);
    }
    memory.uses++;
    return { memory, offset: (offset - start) / 4, length };
  }

  /** Another region of the same memory. */
  share(region: Region): Region {
    region.memory.uses++;
    return region;
  }

  /** One region fewer. */
  release({ memory }: Region, recording: number): void {
    if (--memory.uses > 0 || memory.foreign) return;
    const idle = this.#idle.get(memory.bytes);
    if (idle) idle.push({ memory, since: recording });
    else this.#idle.set(memory.bytes, [{ memory, since: recording }]);
  }

  /** Destroys what has been idle for long. */
  trim(recording: number): void {
    for (const idle of this.#idle.values()) {
      while (idle.length > 0 && recording - idle[0]!.since > IDLE_RECORDINGS) this.#destroy(idle.shift()!.memory);
    }
  }

  /** Destroys all buffers. */
  close(): void {
    this.#idle.clear();
    for (const memory of this.#made) this.#destroy(memory);
  }

  #create(bytes: number): Memory {
    const { STORAGE, COPY_SRC, COPY_DST } = USAGE;
    this.#device.pushErrorScope('out-of-memory');
    const gpu = this.#device.createBuffer({ size: bytes, usage: STORAGE | COPY_SRC | COPY_DST });
    this.#watch(this.#device.popErrorScope(), ({ message }) => outOfMemory(bytes, message));
    this.buffers++;
    this.bytes += bytes;
    const memory: Memory = { gpu, start: 0, bytes, foreign: false, uses: 0, usedBy: 0 };
    this.#made.add(memory);
    return memory;
  }

  #destroy(memory: Memory): void {
    const { gpu, bytes } = memory;
    this.#made.delete(memory);
    gpu.destroy();
    this.buffers--;
    this.bytes -= bytes;
  }
}

/** `GPUBufferUsage`, which not every program outside browsers has as a global. */
export const USAGE = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80 } as const;

/** Powers of two up to 1 MiB, then eight steps to each: what was freed fits what comes next. */
function sizeClass(bytes: number, limit: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
  const step = power <= 2 ** 20 ? power : power / 16;
  return Math.min(Math.ceil(bytes / step) * step, Math.floor(limit / 4) * 4);
}

export const outOfMemory = (bytes: number, why: string): VeloError =>
  new VeloError(
    'OUT_OF_MEMORY',
    `The GPU has no ${bytes} bytes left (${why}): train something smaller, or close other backends. If it was not while ` +
      'reading, create another backend, and restore a state that you exported before.',
  );

const tooLarge = (bytes: number, limit: number) =>
  new VeloError(
    'TENSOR_TOO_LARGE',
    `${bytes} bytes do not fit into one buffer of this device (${limit}): give webgpu() a device with larger limits ` +
      '(maxStorageBufferBindingSize, maxBufferSize), or split the tensor.',
  );
