/**
 * What is to be done on the GPU, written down: one command encoder per outermost scope, and one submission.
 *
 * The queue keeps order, so a buffer is written to by the host (`upload`) only if nothing recorded and not yet submitted
 * uses it: what the host writes would come first.
 */

import { VeloError } from '@velojs/core';
import { type Memory, Pool, type Region, USAGE } from './memory.ts';
import { PARAMS_BYTES, Pipelines, type Program, type Watch } from './program.ts';

/** Values of fewer bytes than this are written to the queue together. */
const SMALL_BYTES = 65_536;
const PAGE_BYTES = 1_048_576;
const PARAMS_PAGE = 64;
/** Per dimension; WebGPU promises as many. */
const MAX_WORKGROUPS = 65_535;

/** What was recorded since the beginning; tests count with it. */
export interface Counters {
  submissions: number;
  dispatches: number;
  copies: number;
}

/** Uploads of one recording side by side; small ones wait on the host to be written in one piece. */
interface Page {
  readonly region: Region;
  used: number;
  staged: { offset: number; values: Float32Array }[];
}

interface ParamsPage {
  readonly buffer: GPUBuffer;
  readonly group: GPUBindGroup;
  readonly values: Uint32Array;
  used: number;
}

export class Recorder {
  readonly device: GPUDevice;
  readonly pool: Pool;
  readonly pipelines: Pipelines;
  readonly counters: Counters = { submissions: 0, dispatches: 0, copies: 0 };
  /** The number of the recording that is open. */
  recording = 1;
  /** Work that may be put together with more of its kind: done before anything else is. */
  #deferred: (() => void) | null = null;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #pages: Page[] = [];
  #scratch: Region[] = [];
  readonly #params: ParamsPage[] = [];
  readonly #watch: Watch;

  constructor(device: GPUDevice, watch: Watch) {
    this.device = device;
    this.#watch = watch;
    this.pool = new Pool(device, watch);
    this.pipelines = new Pipelines(device, watch);
  }

  /** GPU buffers that exist, and their bytes. */
  get buffers(): number {
    return this.pool.buffers + this.#params.length;
  }

  get bytes(): number {
    return this.pool.bytes + this.#params.length * PARAMS_PAGE * PARAMS_BYTES;
  }

  allocate(length: number): Region {
    return this.pool.allocate(length, this.recording);
  }

  release(region: Region): void {
    this.pool.release(region, this.recording);
  }

  /** Room for the rest of this recording, which nobody needs to release. */
  scratch(length: number): Region {
    const region = this.allocate(length);
    this.#scratch.push(region);
    return region;
  }

  /** Uploads for the rest of this recording: a part of a page, which nobody needs to release. */
  upload(values: ArrayLike<number>): Region {
    const data = float32(values);
    // Aligned for the tensor table: none needs more than 16 bytes.
    const length = Math.ceil(data.length / 4) * 4;
    let page = this.#pages.find(({ used, region }) => used + length <= region.length);
    if (!page) {
      const room = Math.max(length, Math.min(PAGE_BYTES, this.pool.limit) / 4);
      page = { region: this.pool.allocate(room, this.recording, { untouched: true }), used: 0, staged: [] };
      this.#pages.push(page);
    }
    const { memory } = page.region;
    const offset = page.used;
    page.used += length;
    if (data.byteLength < SMALL_BYTES) page.staged.push({ offset, values: data === values ? data.slice() : data });
    else this.device.queue.writeBuffer(memory.gpu, 4 * offset, data as Float32Array<ArrayBuffer>);
    return { memory, offset, length: data.length };
  }

  /** Uploads to memory of their own, at once. */
  uploadApart(values: ArrayLike<number>): Region {
    const data = float32(values);
    const region = this.pool.allocate(data.length, this.recording, { untouched: true });
    this.device.queue.writeBuffer(region.memory.gpu, 0, data as Float32Array<ArrayBuffer>);
    // The queue keeps order, so whoever has it next may write to it at once.
    region.memory.usedBy = this.recording - 1;
    return region;
  }

  /** Runs `work` before whatever is recorded next, or at the end. */
  defer(work: () => void): void {
    this.#deferred = work;
  }

  copy(from: Region, to: Region): void {
    this.#settle();
    this.#use(from.memory);
    this.#use(to.memory);
    this.#outsidePass().copyBufferToBuffer(
      from.memory.gpu,
      from.memory.start + 4 * from.offset,
      to.memory.gpu,
      to.memory.start + 4 * to.offset,
      4 * from.length,
    );
    this.counters.copies++;
  }

  /** Fills with zeros. */
  clear({ memory, offset, length }: Region): void {
    this.#settle();
    this.#use(memory);
    this.#outsidePass().clearBuffer(memory.gpu, memory.start + 4 * offset, 4 * length);
    this.counters.copies++;
  }

  /**
   * Runs a program.
   *
   * @param memories what its storage buffers are bound to.
   * @param params words of its uniform: whole numbers, or floats as their bits (`floatBits`); at most 64.
   * @param workgroups how many there must be at least. More than 65,535 come in two dimensions: the program
   *   finds its number as `id.x + id.y * count.x`, and must do nothing beyond those that it needs.
   */
  dispatch(program: Program, memories: readonly Memory[], params: ArrayLike<number>, workgroups: number): void {
    this.#settle();
    const { device, pipelines } = this;
    const encoder = this.#open();
    const group = device.createBindGroup({
      layout: pipelines.layout(program.access),
      entries: memories.map((memory, i) => {
        this.#use(memory);
        return binding(memory, i);
      }),
    });
    const { page, at } = this.#writeParams(params);
    this.#pass ??= encoder.beginComputePass();
    this.#pass.setPipeline(pipelines.get(program));
    this.#pass.setBindGroup(0, group);
    this.#pass.setBindGroup(1, page.group, [at]);
    const rows = Math.ceil(workgroups / MAX_WORKGROUPS);
    this.#pass.dispatchWorkgroups(Math.ceil(workgroups / rows), rows);
    this.counters.dispatches++;
  }

  /** Hands everything to the GPU. */
  submit(): void {
    this.#settle();
    const { device } = this;
    if (this.#encoder) {
      this.#pass?.end();
      for (const { region, staged } of this.#pages) {
        if (staged.length === 0) continue;
        const [first, last] = [staged[0]!, staged.at(-1)!];
        const values = new Float32Array(last.offset + last.values.length - first.offset);
        for (const { offset, values: part } of staged) values.set(part, offset - first.offset);
        // What lies between small uploads is larger ones, written already: pieces then.
        const isDense = staged.every(
          ({ offset }, i) =>
            i === 0 || offset === Math.ceil((staged[i - 1]!.offset + staged[i - 1]!.values.length) / 4) * 4,
        );
        const pieces = isDense ? [{ offset: first.offset, values }] : staged;
        for (const piece of pieces) {
          device.queue.writeBuffer(region.memory.gpu, 4 * piece.offset, piece.values as Float32Array<ArrayBuffer>);
        }
      }
      for (const { buffer, values, used } of this.#params) {
        if (used > 0)
          device.queue.writeBuffer(buffer, 0, values as Uint32Array<ArrayBuffer>, 0, (used * PARAMS_BYTES) / 4);
      }
      device.queue.submit([this.#encoder.finish()]);
      this.counters.submissions++;
      this.#watch(device.popErrorScope(), refused);
    }
    this.#encoder = null;
    this.#pass = null;
    for (const { region } of this.#pages) this.release(region);
    this.#pages = [];
    for (const region of this.#scratch) this.release(region);
    this.#scratch = [];
    for (const page of this.#params) page.used = 0;
    this.recording++;
    this.pool.trim(this.recording);
  }

  #settle(): void {
    const work = this.#deferred;
    this.#deferred = null;
    work?.();
  }

  /** Whether `memory` can be bound, as that of another device cannot, shows when the next read is made. */
  checkBinding(memory: Memory): void {
    const { device } = this;
    device.pushErrorScope('validation');
    device.createBindGroup({ layout: this.pipelines.layout('w'), entries: [binding(memory, 0)] });
    this.#watch(
      device.popErrorScope(),
      ({ message }) => new VeloError('INVALID_ARGUMENT', `A buffer cannot be wrapped: ${message}`),
    );
  }

  /** Destroys all buffers. */
  close(): void {
    this.pool.close();
    for (const { buffer } of this.#params.splice(0)) buffer.destroy();
  }

  #open(): GPUCommandEncoder {
    if (!this.#encoder) {
      // Until it is submitted: what is recorded may be invalid before that.
      this.device.pushErrorScope('validation');
      this.#encoder = this.device.createCommandEncoder();
    }
    return this.#encoder;
  }

  #outsidePass(): GPUCommandEncoder {
    const encoder = this.#open();
    this.#pass?.end();
    this.#pass = null;
    return encoder;
  }

  #use(memory: Memory): void {
    memory.usedBy = this.recording;
  }

  #writeParams(params: ArrayLike<number>): { page: ParamsPage; at: number } {
    let page = this.#params.find(({ used }) => used < PARAMS_PAGE);
    if (!page) {
      const buffer = this.device.createBuffer({
        size: PARAMS_PAGE * PARAMS_BYTES,
        usage: USAGE.UNIFORM | USAGE.COPY_DST,
      });
      const group = this.device.createBindGroup({
        layout: this.pipelines.paramsLayout,
        entries: [{ binding: 0, resource: { buffer, size: PARAMS_BYTES } }],
      });
      page = { buffer, group, values: new Uint32Array((PARAMS_PAGE * PARAMS_BYTES) / 4), used: 0 };
      this.#params.push(page);
    }
    const at = page.used++ * PARAMS_BYTES;
    page.values.fill(0, at / 4, (at + PARAMS_BYTES) / 4);
    page.values.set(params, at / 4);
    return { page, at };
  }
}

const binding = ({ gpu, start, bytes }: Memory, index: number): GPUBindGroupEntry => ({
  binding: index,
  resource: { buffer: gpu, offset: start, size: bytes },
});

const refused = (error: GPUError) =>
  new VeloError(
    'INVALID_ARGUMENT',
    `The GPU refused a step, and did nothing of it: ${error.message} If a wrapped buffer was destroyed or is mapped, leave ` +
      'it alone while it is in use. Create another backend, and restore a state that you exported before.',
    { cause: error },
  );

/** A float32 number as a word of `params`. */
export const floatBits = (value: number): number => {
  words.float[0] = value;
  return words.whole[0]!;
};
const words = (() => {
  const float = new Float32Array(1);
  return { float, whole: new Uint32Array(float.buffer) };
})();

const float32 = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values);
