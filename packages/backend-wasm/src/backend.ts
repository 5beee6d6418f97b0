/** Tensors in WebAssembly memory, updated in place. */
import { type Backend, type Shape, sizeOf, VeloError } from '@velojs/core';
import { arrayOperations } from '@velojs/core/typed-arrays';
import { type Commands, leadElsewhere, leadHere, ownThread } from './commands.ts';
import { Heap } from './heap.ts';
import { compileKernels, type Simd, type ThreadKernels } from './kernel-module.ts';
import { createKernels } from './kernels.ts';
import { isTensor, Store } from './store.ts';
import type { WasmTensor } from './tensor.ts';
import { DONE_WORD } from './worker-source.ts';
import { startWorker, type Worker } from './workers.ts';

export interface WasmOptions {
  /** Default: `relaxed` where the engine has it, which is faster and rounds differently per processor; else `plain`. */
  readonly simd?: Simd;
  /**
   * How many threads share the work of a step; default 1. More need `SharedArrayBuffer`: Node has it, a page must be
   * cross-origin isolated. Without it there is one thread, as `backend.threads` tells. Results do not depend on it.
   */
  readonly threads?: number;
}

export interface WasmBackend extends Backend<WasmTensor> {
  readonly simd: Simd;
  readonly threads: number;
  /** Handles that were made and not yet freed. */
  readonly liveTensors: number;
  /** Bytes of WebAssembly memory in use. What was freed is used again; an engine keeps the rest until `close`. */
  readonly bytesInUse: number;
  /**
   * A tensor in WebAssembly memory that you write to and read through its `data`: given to `createVelo` as a parameter
   * every step updates it in place, given to `step` as a gradient it is not copied.
   *
   * @param values row-major; copied. Who writes to a parameter's `data` between steps tells the optimizer by
   *   `velo.setParameters(velo.parameters)`.
   * @throws VeloError `SHAPE_MISMATCH` where they do not fill `shape`, `OUT_OF_MEMORY`
   */
  wrap(values: ArrayLike<number>, shape: Shape): WasmTensor;
  /** Ends the threads and lets the memory go. Whatever is used afterwards throws `DISPOSED`. */
  close(): void;
}

/** Addresses are 32 bits wide. */
const MAX_PAGES = 65_536;
const MAX_THREADS = 64;

/**
 * VeLO in WebAssembly: SIMD kernels on state in WebAssembly memory, in one thread or several.
 *
 * In Node and in workers a step is done when `step` returns. On a page's main thread, which must not block, threads work
 * while the page goes on: parameters are those of the last step after `await velo.synchronize()`.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where there is no WebAssembly SIMD, or what `options` ask for; `INVALID_ARGUMENT`
 * @example
 * ```ts
 * const backend = await wasm({ threads: 4 });
 * const weights = backend.wrap(initialWeights, [784, 10]);
 * const gradient = backend.wrap(new Float32Array(7840), [784, 10]);
 * const velo = createVelo({ backend, theta, parameters: { w: weights }, totalSteps: 1_000 });
 * writeGradient(weights.data, gradient.data);
 * velo.step({ w: gradient }, loss);
 * ```
 */
export async function wasm(options: WasmOptions = {}): Promise<WasmBackend> {
  const wanted = checkOptions(options);
  const threads = canShareMemory() ? wanted : 1;
  const { simd, module } = await compileKernels(options.simd, threads > 1);
  const memory = createMemory(threads > 1);
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const kernels = exports as unknown as ThreadKernels;
  const heap = new Heap(memory);
  let commands = ownThread(kernels);
  let control = 0;
  if (threads > 1) {
    control = heap.allocate(kernels.CONTROL_BYTES.value);
    commands = await startThreads(threads, kernels, { module, memory, control });
  }
  return createBackend(new Store({ heap, kernels, commands, control }), simd, commands.threads);
}

function createBackend(store: Store, simd: Simd, threads: number): WasmBackend {
  const { scopes } = store;
  const fill = (values: ArrayLike<number>, shape: Shape, wrapped: boolean): WasmTensor => {
    if (values.length !== sizeOf(shape)) {
      throw new VeloError('SHAPE_MISMATCH', `${values.length} values do not fill the shape [${shape}].`);
    }
    const source = store.holds(values) ? Float32Array.from(values) : values;
    const tensor = store.create(shape, wrapped);
    store.view(store.resident(tensor)).set(source);
    return tensor;
  };
  const keep = (tensor: WasmTensor): WasmTensor => {
    store.resident(tensor);
    scopes.release(tensor);
    return tensor;
  };
  return {
    name: ['wasm', simd === 'relaxed' && simd, threads > 1 && `${threads}-threads`].filter(Boolean).join('-'),
    arithmetic: 'float32',
    simd,
    threads,
    kernels: createKernels(store),
    get liveTensors() {
      return store.liveTensors;
    },
    get bytesInUse() {
      return store.bytesInUse;
    },
    close: () => store.close(),

    isTensor,
    tensor: (values, shape) => fill(values, shape, false),
    wrap: (values, shape) => keep(fill(values, shape, true)),
    peek: (tensor) => tensor.values,
    firstNaN(tensor) {
      const { storage } = tensor;
      if (storage instanceof Float64Array) return storage.findIndex(Number.isNaN);
      store.waitFor(storage);
      return store.machine.kernels.firstNaN(storage.address, storage.length);
    },
    read: (tensors) => store.read(tensors),
    dispose: (tensor) => store.free(tensor),
    keep,
    synchronize: async () => store.machine.commands.settled(),
    scope: (body) => scopes.run(body),

    own(tensor) {
      const { storage } = tensor;
      if (storage instanceof Float64Array) return fill(storage, tensor.shape, false);
      if (storage.wrapped) return tensor;
      const copy = store.create(tensor.shape);
      store.copy(store.resident(copy), storage);
      return copy;
    },
    replace(state, next) {
      if (next === state) return keep(state);
      const [target, source] = [store.resident(state), next.storage];
      if (target.length !== source.length) {
        throw new VeloError(
          'SHAPE_MISMATCH',
          `A tensor of shape [${state.shape}] cannot take values of [${next.shape}].`,
        );
      }
      const isAlone = !(source instanceof Float64Array) && source.handles === 1 && !source.wrapped;
      if (isAlone && !target.wrapped) store.adopt(state, next);
      else {
        if (source instanceof Float64Array) store.view(target).set(source);
        else store.copy(target, source);
        store.free(next);
      }
      return keep(state);
    },

    ...arrayOperations((values, shape) => store.handle(values, shape)),
    reshape: (x, shape) => store.handle(x.storage, shape),
  };
}

/** Shared memory reserves all that it may grow to, which some devices refuse. */
function createMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(shared ? { initial: 16, maximum: MAX_PAGES, shared } : { initial: 16 });
  } catch (cause) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      `There is no WebAssembly memory to be had here (${(cause as Error).message}): close backends that are not used any more${shared ? ', or leave `threads` out' : ''}.`,
      { cause },
    );
  }
}

async function startThreads(
  threads: number,
  kernels: ThreadKernels,
  start: { module: WebAssembly.Module; memory: WebAssembly.Memory; control: number },
): Promise<Commands> {
  const here = canBlock();
  const started = await Promise.allSettled(
    Array.from({ length: here ? threads - 1 : threads }, (_, i) => startWorker({ ...start, thread: here ? i + 1 : i })),
  );
  const workers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = started.find((result) => result.status === 'rejected');
  if (failure) {
    for (const worker of workers) worker.terminate();
    throw failure.reason;
  }
  if (here) return leadHere(kernels, workers);
  const words = () => new Int32Array(start.memory.buffer);
  return leadElsewhere(workers[0] as Worker, workers.slice(1), words, start.control / 4 + DONE_WORD);
}

/** Pages need cross-origin isolation for it; elsewhere there is no such flag. */
const canShareMemory = (): boolean =>
  typeof SharedArrayBuffer === 'function' &&
  (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;

/** A page's main thread must not. */
function canBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

function checkOptions(options: WasmOptions): number {
  const { simd, threads = 1, ...rest } = options;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw new VeloError('INVALID_ARGUMENT', `There is no option "${unknown}"; there are simd and threads.`);
  }
  if (simd !== undefined && simd !== 'plain' && simd !== 'relaxed') {
    throw new VeloError('INVALID_ARGUMENT', `simd must be 'plain' or 'relaxed'; got ${simd}.`);
  }
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new VeloError('INVALID_ARGUMENT', `threads must be a whole number from 1 to ${MAX_THREADS}; got ${threads}.`);
  }
  return threads;
}
