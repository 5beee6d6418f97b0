/** What operations and kernels are given: a device with everything that its backend keeps on it. */
import { geometryOf, Scopes, type Shape, sizeOf, VeloError } from '@velojs/core';
import { copyUnlessFaulty, Faults, type Pair } from './faults.ts';
import type { Region } from './memory.ts';
import { readBack } from './readback.ts';
import { Recorder } from './recorder.ts';
import { WebgpuTensor } from './tensor.ts';

export class Gpu {
  readonly recorder: Recorder;
  readonly faults: Faults;
  readonly scopes: Scopes<WebgpuTensor>;
  /** Handles that were made and not yet freed. */
  liveTensors = 0;
  #failure: VeloError | null = null;
  /** Outcomes of submissions and allocations that are not known yet. */
  readonly #pending = new Set<Promise<void>>();
  #isLooking = false;
  #depth = 0;
  /** Tensors of this recording that are in its uploads. */
  readonly #uploaded = new Set<WebgpuTensor>();
  #replacements: Pair[] = [];
  /** Regions that kernels wrote with a fault in mind: as they were before, if there is one. */
  readonly #guarded = new WeakSet<Region>();

  constructor(device: GPUDevice) {
    this.recorder = new Recorder(device, (outcome, describe) => this.watch(outcome, describe));
    this.faults = new Faults(this.recorder);
    this.scopes = new Scopes<WebgpuTensor>(this.isTensor, (tensor) => this.free(tensor));
    device.lost.then(({ reason, message }) => this.#fail(lost(reason, message)));
  }

  /** Whether `value` is a handle of this backend: those of others are on another device, or are counted there. */
  readonly isTensor = (value: unknown): value is WebgpuTensor => value instanceof WebgpuTensor && value.isOf(this);

  /** @throws VeloError what went wrong for good: `DEVICE_LOST`, `OUT_OF_MEMORY`, `INVALID_ARGUMENT`, `DISPOSED` */
  checkAlive(): void {
    if (this.#failure) throw this.#failure;
  }

  /** An error in `outcome` is the end: what it was to write, nobody knows. The next read tells. */
  watch(outcome: Promise<GPUError | null>, describe: (error: GPUError) => VeloError): void {
    const noted = outcome.then(
      (error) => {
        if (error) this.#fail(describe(error));
      },
      // The device is lost.
      () => {},
    );
    this.#pending.add(noted);
    noted.then(() => this.#pending.delete(noted));
  }

  #fail(error: VeloError): void {
    this.#failure ??= error;
  }

  /** See `Backend.read`. */
  async read(tensors: readonly WebgpuTensor[]): Promise<Float32Array[]> {
    this.checkAlive();
    const regions = tensors.map(({ region }) => region);
    this.flush();
    const { device } = this.recorder;
    const checks = this.faults.checks;
    const reading = readBack(device, [this.faults.flag, ...regions]);
    const pending = Promise.all(this.#pending);
    const [result] = await Promise.allSettled([reading, pending]);
    this.checkAlive();
    if (result.status === 'rejected') {
      // It may fail because the device is lost, before that is known.
      if (!(result.reason instanceof VeloError)) await Promise.race([device.lost, moment()]);
      this.checkAlive();
      throw result.reason;
    }
    const [flag, ...values] = result.value;
    const fault = this.faults.report(new Uint32Array(flag!)[0]!, checks);
    if (fault) throw fault;
    return values.map((buffer) => new Float32Array(buffer));
  }

  /** A new check of a step's input, see `Faults.begin`. Every so often the outcome is looked at, off the step's path. */
  beginCheck(undo: () => Error): number {
    const check = this.faults.begin(undo);
    if (this.faults.isDue && !this.#isLooking) {
      this.#isLooking = true;
      setTimeout(() => this.#look(), 0);
    }
    return check;
  }

  async #look(): Promise<void> {
    const checks = this.faults.checks;
    try {
      const [flag] = await readBack(this.recorder.device, [this.faults.flag]);
      this.faults.forget(new Uint32Array(flag!)[0]!, checks);
    } catch {
      // The next read fails for the same reason, and has somebody to tell it to.
    } finally {
      this.#isLooking = false;
    }
  }

  /** Destroys all buffers; whatever is used afterwards throws `DISPOSED`. */
  close(): void {
    this.#failure = new VeloError('DISPOSED', 'This backend was closed: create another one.');
    this.recorder.close();
  }

  /** A new handle in the innermost scope, over new memory unless a region is given, of which the caller gives up a use. */
  create(shape: Shape, region: Region = this.recorder.allocate(sizeOf(shape)), wrapped = false): WebgpuTensor {
    this.liveTensors++;
    return this.scopes.add(new WebgpuTensor(this, region, shape, wrapped));
  }

  /** A handle over a part of `x`, or another shape of it. */
  alias(x: WebgpuTensor, shape: Shape, offset = 0): WebgpuTensor {
    const { memory, offset: begin } = x.region;
    const region = this.recorder.pool.share({ memory, offset: begin + offset, length: sizeOf(shape) });
    const tensor = this.create(shape, region);
    if (this.#uploaded.has(x)) this.#uploaded.add(tensor);
    return tensor;
  }

  upload(values: ArrayLike<number>, shape: Shape): WebgpuTensor {
    if (values.length !== geometryOf(shape).size) {
      throw new VeloError('SHAPE_MISMATCH', `${values.length} values do not fill the shape [${shape}].`);
    }
    this.checkAlive();
    if (this.#depth === 0) return this.create(shape, this.recorder.uploadApart(values));
    const tensor = this.create(shape, this.recorder.pool.share(this.recorder.upload(values)));
    this.#uploaded.add(tensor);
    return tensor;
  }

  free(tensor: WebgpuTensor): void {
    this.recorder.release(tensor.region);
    this.#uploaded.delete(tensor);
    tensor.region = null;
    this.liveTensors--;
  }

  dispose(tensor: WebgpuTensor): void {
    this.free(tensor);
    this.scopes.release(tensor);
  }

  keep(tensor: WebgpuTensor): WebgpuTensor {
    if (this.#uploaded.has(tensor)) this.#moveOut(tensor);
    // Throws where it was disposed of.
    tensor.region;
    this.scopes.release(tensor);
    return tensor;
  }

  /** Frees what was made in it and is not in the result. Everything recorded in the outermost scope is one submission. */
  scope<R>(body: () => R): R {
    this.checkAlive();
    this.#depth++;
    try {
      return this.scopes.run(body);
    } finally {
      this.#depth--;
      if (this.#depth === 0) this.flush();
    }
  }

  /** Submits what was recorded so far, even within a scope. */
  flush(): void {
    for (const tensor of [...this.#uploaded]) this.#moveOut(tensor);
    this.recorder.submit();
  }

  /** A fresh region for `region`, which nobody else writes to. */
  copyOf(region: Region): Region {
    const copy = this.recorder.allocate(region.length);
    this.recorder.copy(region, copy);
    return copy;
  }

  /** Moves the values of `tensor` to `region`, of which the caller gives up a use. Not for wrapped tensors. */
  move(tensor: WebgpuTensor, region: Region): void {
    this.recorder.copy(tensor.region, region);
    this.recorder.release(tensor.region);
    this.#uploaded.delete(tensor);
    tensor.region = region;
  }

  /** Says of a kernel's result that it is what it was before where there is a fault. */
  guarded(tensor: WebgpuTensor): WebgpuTensor {
    this.#guarded.add(tensor.region);
    return tensor;
  }

  /** See `Backend.replace`. */
  replace(state: WebgpuTensor, next: WebgpuTensor): WebgpuTensor {
    if (next === state) return this.keep(state);
    const [to, from] = [state.region, next.region];
    if (to.length !== from.length) {
      throw new VeloError(
        'SHAPE_MISMATCH',
        `A tensor of shape [${state.shape}] cannot take values of [${next.shape}].`,
      );
    }
    const isAlone = (region: Region) => region.memory.uses === 1 && !region.memory.foreign;
    const isSafe = this.#guarded.has(from) || !this.faults.isOpen;
    if (isSafe && !state.wrapped && !next.wrapped && isAlone(from) && isAlone(to) && !this.#uploaded.has(next)) {
      next.region = to;
      state.region = from;
    } else {
      const source = from.memory.gpu === to.memory.gpu ? this.copyOf(from) : from;
      if (source !== from) this.recorder.release(source);
      // Whoever uses either next records that after the copy, but for the host, which must not write to it.
      for (const { memory } of [source, to]) memory.usedBy = this.recorder.recording;
      this.#replacements.push({ from: source, to });
      this.recorder.defer(() => {
        const pairs = this.#replacements;
        this.#replacements = [];
        copyUnlessFaulty(this.recorder, this.faults, pairs);
      });
    }
    this.dispose(next);
    return this.keep(state);
  }

  #moveOut(tensor: WebgpuTensor): void {
    this.move(tensor, this.recorder.allocate(tensor.region.length));
  }
}

const lost = (reason: string, message: string) =>
  new VeloError(
    'DEVICE_LOST',
    `The GPU device has gone away (${reason}${message && `: ${message}`}). Create another backend, and restore a state that you exported before.`,
  );

/** Time for what is on its way. */
const moment = () => new Promise<void>((resolve) => setTimeout(resolve, 100));
