/** Where tensors live: blocks of WebAssembly memory, counted by handles, freed when no command uses them any more. */
import { Scopes, type Shape, sizeOf, VeloError } from '@velojs/core';
import type { Commands } from './commands.ts';
import type { Heap } from './heap.ts';
import type { Kernels, ThreadKernels } from './kernel-module.ts';
import type { KernelStore } from './kernels.ts';
import { type Block, type Memory, WasmTensor } from './tensor.ts';

/** What everything runs on. */
interface Machine {
  readonly heap: Heap;
  /** `ThreadKernels` where there are threads. */
  readonly kernels: Kernels;
  readonly commands: Commands;
  /** Address of the threads' control block; 0 without threads. */
  readonly control: number;
}

export class Store implements Memory, KernelStore<WasmTensor, Block> {
  readonly scopes: Scopes<WasmTensor>;
  /** Handles that were made and not yet freed. */
  liveTensors = 0;
  readonly #attachments = new Map<Block, Block[]>();
  readonly #scratch = new Map<string, { address: number; bytes: number }>();
  /** Blocks to be released when a command is done, in the order of commands. */
  readonly #leaving: { address: number; bytes: number; after: number }[] = [];
  /** Null once closed: whoever still holds a tensor then holds no memory. */
  #machine: Machine | null;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.scopes = new Scopes(isTensor, (tensor) => this.free(tensor));
  }

  /** @throws VeloError `DISPOSED` once closed, as everything that needs it. */
  get machine(): Machine {
    if (this.#machine) return this.#machine;
    throw new VeloError('DISPOSED', 'This backend was closed: create another one.');
  }

  /** Bytes of WebAssembly memory that are in use. */
  get bytesInUse(): number {
    if (!this.#machine) return 0;
    this.#sweep();
    return this.machine.heap.bytesInUse;
  }

  /** A tensor whose values are whatever was there. */
  create(shape: Shape, wrapped = false): WasmTensor {
    return this.handle(this.#block(sizeOf(shape), wrapped), shape);
  }

  /** A tensor over `values`, which it keeps. */
  handle(storage: Block | Float64Array, shape: Shape): WasmTensor {
    const tensor = new WasmTensor(this, storage, shape);
    if (!(storage instanceof Float64Array)) storage.handles++;
    this.liveTensors++;
    return this.scopes.add(tensor);
  }

  /** The block of `tensor`; values that a composed operation left on the host move there, rounded. */
  resident(tensor: WasmTensor): Block {
    const { storage } = tensor;
    if (!(storage instanceof Float64Array)) return storage;
    const block = this.#block(storage.length, false);
    block.handles = 1;
    this.view(block).set(storage);
    tensor.storage = block;
    return block;
  }

  view(block: Block): Float32Array {
    this.waitFor(block);
    return new Float32Array(this.machine.heap.memory.buffer, block.address, block.length);
  }

  /** For the commands that read or write `block`. */
  waitFor({ usedBy }: Block): void {
    const { commands } = this.machine;
    if (usedBy > commands.done) commands.wait(usedBy);
  }

  /** Whether `values` are a view of this memory, which growing detaches. */
  holds(values: ArrayLike<number>): boolean {
    return ArrayBuffer.isView(values) && values.buffer === this.machine.heap.memory.buffer;
  }

  /** The values as of now; of blocks that commands still use, copies made after these. */
  async read(tensors: readonly WasmTensor[]): Promise<Float32Array[]> {
    const { commands } = this.machine;
    const copies: Block[] = [];
    try {
      const values = tensors.map((tensor) => {
        const { storage } = tensor;
        if (storage instanceof Float64Array || storage.usedBy <= commands.done) return new Float32Array(tensor.values);
        const copy = this.#block(storage.length, false);
        copies.push(copy);
        this.copy(copy, storage);
        return copy;
      });
      if (copies.length > 0) await commands.settled();
      return values.map((value) => (value instanceof Float32Array ? value : this.view(value).slice()));
    } finally {
      for (const copy of copies) this.#release(copy);
    }
  }

  copy(to: Block, from: Block): void {
    this.using([to, from], ({ run }) => run('copy', to.address, from.address, 4 * to.length));
  }

  /** Takes the storage away from a handle; the block goes with its last one. @throws VeloError `DISPOSED` */
  free(tensor: WasmTensor): void {
    const { storage } = tensor;
    tensor.storage = null;
    this.liveTensors--;
    this.scopes.release(tensor);
    if (!(storage instanceof Float64Array) && --storage.handles === 0) this.#release(storage);
  }

  /** `state` takes over the block of `next`, which is freed. */
  adopt(state: WasmTensor, next: WasmTensor): void {
    const block = this.resident(next);
    const old = this.resident(state);
    state.storage = block;
    block.handles++;
    if (--old.handles === 0) this.#release(old);
    this.free(next);
  }

  /** A block of `bytes` that lives as long as `owner`. */
  attach(owner: Block, bytes: number): Block {
    const block = this.#block(Math.ceil(bytes / 4), false);
    this.#attachments.set(owner, [...(this.#attachments.get(owner) ?? []), block]);
    return block;
  }

  /** Runs commands that read or write `blocks`. */
  using(blocks: readonly Block[], run: (commands: Commands) => void): void {
    const { commands } = this.machine;
    try {
      run(commands);
    } finally {
      // Also of a command that a lost worker has left unfinished.
      for (const block of blocks) block.usedBy = commands.given;
    }
  }

  /** Address of working memory of at least `bytes`, the same for the same name as long as it is large enough. */
  scratch(name: string, bytes: number): number {
    const found = this.#scratch.get(name);
    if (found && found.bytes >= bytes) return found.address;
    this.#dropScratch(name);
    const address = this.#allocate(bytes);
    this.#scratch.set(name, { address, bytes });
    return address;
  }

  /** Counters for commands of at most `count` records. */
  counters(count: number): number {
    return this.scratch('counters', (this.machine.kernels as ThreadKernels).counterBytes(count));
  }

  /** Address of `words` words for the next command to read: the same again once that is done. */
  record(words: number): number {
    const { done, given } = this.machine.commands;
    if (done < given) this.#dropScratch('record');
    return this.scratch('record', 4 * words);
  }

  /** Until the next allocation. */
  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.machine.heap.memory.buffer, address, length);
  }

  close(): void {
    this.#machine?.commands.close();
    this.#machine = null;
  }

  #block(length: number, wrapped: boolean): Block {
    return { address: this.#allocate(4 * length), length, wrapped, handles: 0, usedBy: 0 };
  }

  #allocate(bytes: number): number {
    const { heap, commands } = this.machine;
    this.#sweep();
    try {
      return heap.allocate(bytes);
    } catch (error) {
      if (this.#leaving.length === 0) throw error;
      // What commands still use is free when they are done.
      commands.wait(commands.given);
      this.#sweep();
      return heap.allocate(bytes);
    }
  }

  #release(block: Block): void {
    this.#leave(block.address, 4 * block.length, block.usedBy);
    const attached = this.#attachments.get(block);
    if (!attached) return;
    this.#attachments.delete(block);
    for (const other of attached) this.#release(other);
  }

  #leave(address: number, bytes: number, after: number): void {
    if (!this.#machine) return;
    const { heap, commands } = this.#machine;
    if (after <= commands.done) heap.release(address, bytes);
    else this.#leaving.push({ address, bytes, after });
  }

  #dropScratch(name: string): void {
    const found = this.#scratch.get(name);
    if (!found) return;
    this.#scratch.delete(name);
    this.#leave(found.address, found.bytes, this.machine.commands.given);
  }

  #sweep(): void {
    if (this.#leaving.length === 0) return;
    const { heap, commands } = this.machine;
    const { done } = commands;
    const staying = this.#leaving.filter(({ after }) => after > done);
    for (const { address, bytes, after } of this.#leaving) if (after <= done) heap.release(address, bytes);
    this.#leaving.splice(0, this.#leaving.length, ...staying);
  }
}

export const isTensor = (value: unknown): value is WasmTensor => value instanceof WasmTensor;
