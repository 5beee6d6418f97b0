/** tfjs's backend `wasm`: every tensor is a block of one WebAssembly memory. */
import * as tf from '@tensorflow/tfjs-core';
import {
  createKernels,
  instantiateKernels,
  type KernelStore,
  OVERREAD,
  type Place,
} from '@velojs/backend-wasm/kernels';
import { type HostKernels, VeloError } from '@velojs/core';
import { hostKernels } from './host-kernels.ts';
import type { HostMemory } from './host-memory.ts';

/** What is known of a tensor's values: another object when they have moved. */
interface TensorData {
  readonly id: number;
  readonly memoryOffset: number;
}

/** What is asked of `BackendWasm`. */
interface WasmBackend extends tf.KernelBackend {
  readonly dataIdMap: tf.DataStorage<TensorData>;
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  readonly wasm: {
    readonly tfjs: {
      registerTensor(id: number, size: number, memoryOffset: number): void;
      disposeData(id: number): void;
    };
    _malloc(bytes: number): number;
    _free(address: number): void;
    /** Where there are no threads. */
    readonly asm?: { readonly memory?: WebAssembly.Memory };
    /** Where there are. */
    readonly wasmMemory?: WebAssembly.Memory;
  };
}

export const isWasmBackend = (backend: tf.KernelBackend): backend is WasmBackend => {
  const { dataIdMap, wasm } = backend as Partial<WasmBackend>;
  return dataIdMap instanceof tf.DataStorage && memoryOf(wasm) !== undefined;
};

const memoryOf = (wasm: WasmBackend['wasm'] | undefined) => wasm?.wasmMemory ?? wasm?.asm?.memory;

export function wasmMemory(backend: WasmBackend): HostMemory {
  const memory = memoryOf(backend.wasm) as WebAssembly.Memory;
  const dataOf = ({ dataId }: tf.Tensor) => backend.dataIdMap.get(dataId);
  const peek = (tensor: tf.Tensor) => new Float32Array(memory.buffer, dataOf(tensor).memoryOffset, tensor.size);
  const common = { peek, isShared: (tensor: tf.Tensor) => backend.refCount(tensor.dataId) > 1 };
  /**
   * The wasm backend keeps packed copies (XNNPACK's) of what was multiplied with, by the number of the tensor, until that is
   * disposed of: parameters that changed in place would go on as they were.
   */
  const renewing = ({ controller, update }: HostKernels<tf.Tensor>): HostKernels<tf.Tensor> => ({
    controller,
    update(slots, mlp) {
      const updated = update(slots, mlp);
      for (const { parameter } of updated.slots) {
        const { id, memoryOffset } = dataOf(parameter);
        backend.wasm.tfjs.disposeData(id);
        backend.wasm.tfjs.registerTensor(id, parameter.size, memoryOffset);
      }
      return updated;
    },
  });
  let module: ReturnType<typeof instantiateKernels>;
  try {
    module = instantiateKernels(memory);
  } catch {
    // Slower, but it runs everywhere.
    return { ...common, kernels: renewing(hostKernels(peek, peek)) };
  }
  const store = new TfjsHeap(backend, memory, module);
  return {
    ...common,
    firstNaN: (tensor) => module.kernels.firstNaN(store.resident(tensor).address, tensor.size),
    sweep: () => store.sweep(),
    kernels: renewing(createKernels(store)),
  };
}

/** Tensors, and working memory from tfjs's own allocator. */
class TfjsHeap implements KernelStore<tf.Tensor> {
  readonly machine: KernelStore<tf.Tensor>['machine'];
  readonly #backend: WasmBackend;
  readonly #memory: WebAssembly.Memory;
  readonly #places = new WeakMap<TensorData, Place>();
  /** What was made of a tensor, to be given back after it: `alive` tells. */
  #attached: { readonly alive: () => boolean; readonly address: number }[] = [];
  readonly #owners = new WeakMap<Place, () => boolean>();
  readonly #scratch = new Map<string, { address: number; bytes: number }>();

  constructor(backend: WasmBackend, memory: WebAssembly.Memory, module: ReturnType<typeof instantiateKernels>) {
    this.#backend = backend;
    this.#memory = memory;
    this.machine = { ...module, control: 0 };
  }

  resident({ dataId, size }: tf.Tensor): Place {
    const { dataIdMap } = this.#backend;
    const data = dataIdMap.get(dataId);
    let place = this.#places.get(data);
    if (!place) {
      place = { address: data.memoryOffset };
      this.#places.set(data, place);
      this.#owners.set(place, () => dataIdMap.has(dataId) && dataIdMap.get(dataId) === data);
    }
    this.#reach(place.address + 4 * size + OVERREAD);
    return place;
  }

  create(shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.#backend.makeOutput([...shape], 'float32'), this.#backend);
  }

  attach(owner: Place, bytes: number): Place {
    this.sweep();
    const address = this.#allocate(bytes);
    this.#attached.push({ alive: this.#owners.get(owner) as () => boolean, address });
    return { address };
  }

  sweep(): void {
    if (this.#attached.every(({ alive }) => alive())) return;
    for (const { alive, address } of this.#attached) if (!alive()) this.#backend.wasm._free(address);
    this.#attached = this.#attached.filter(({ alive }) => alive());
  }

  scratch(name: string, bytes: number): number {
    const found = this.#scratch.get(name);
    if (found && found.bytes >= bytes) return found.address;
    if (found) {
      this.#scratch.delete(name);
      this.#backend.wasm._free(found.address);
    }
    const address = this.#allocate(bytes);
    this.#scratch.set(name, { address, bytes });
    return address;
  }

  counters(): number {
    throw new Error('There is one thread.');
  }

  record(words: number): number {
    return this.scratch('record', 4 * words);
  }

  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, address, length);
  }

  using(_: readonly Place[], run: (commands: KernelStore<tf.Tensor>['machine']['commands']) => void): void {
    run(this.machine.commands);
  }

  #allocate(bytes: number): number {
    const address = this.#backend.wasm._malloc(bytes + OVERREAD) >>> 0;
    if (address !== 0) return address;
    throw new VeloError(
      'OUT_OF_MEMORY',
      `tfjs's WebAssembly memory has no room for ${bytes} bytes: train fewer parameters, or dispose of other tensors first.`,
    );
  }

  /** Lets the memory go on to `end`: a tensor may be the last thing in it, and kernels read past its end. */
  #reach(end: number): void {
    const blocks: number[] = [];
    try {
      for (let bytes = 65_536; this.#memory.buffer.byteLength < end; bytes *= 2) blocks.push(this.#allocate(bytes));
    } finally {
      for (const address of blocks) this.#backend.wasm._free(address);
    }
  }
}
