/** Where tensors live: blocks of WebAssembly memory, counted by handles, freed when no command uses them any more. */
import { Scopes, type Shape, sizeOf, VeloError } from '@velojs/core';
import type { Commands } from './commands.ts';
import type { Heap } from './heap.ts';
import type { Kernels } from './kernel-module.ts';
import { type Block, type Memory, WasmTensor } from './tensor.ts';

export class Store implements Memory {
  readonly kernels: Kernels;
  readonly commands: Commands;
  /** Address of the threads' control block; 0 without threads. */
  readonly control: number;
  readonly scopes: Scopes<WasmTensor>;
  /** Handles that were made and not yet freed. */
  liveTensors = 0;
  readonly #heap: Heap;
  readonly #attachments = new Map<Block, Block[]>();
  readonly #scratch = new Map<string, { address: number; bytes: number }>();
  /** Blocks to be released when a command is done, in the order of commands. */
  readonly #leaving: { address: number; after: number }[] = [];
  #closed = false;

  constructor(heap: Heap, kernels: Kernels, commands: Commands, control: number) {
    this.#heap = heap;
    this.kernels = kernels;
    this.commands = commands;
    this.control = control;
    this.scopes = new Scopes(isTensor, (tensor) => this.free(tensor));
  }

  /** Bytes of WebAssembly memory that are in use. */
  get bytesInUse(): number {
    return this.#heap.bytesInUse;
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
    this.#check();
    if (block.usedBy > this.commands.done) this.commands.wait(block.usedBy);
    return new Float32Array(this.#heap.memory.buffer, block.address, block.length);
  }

  /** The values as of now, once all commands given so far are done. */
  snapshot(tensor: WasmTensor): () => Float32Array {
    const { storage } = tensor;
    if (storage instanceof Float64Array || storage.usedBy <= this.commands.done) {
      const values = new Float32Array(tensor.values);
      return () => values;
    }
    const copy = this.#block(storage.length, false);
    this.copy(copy, storage);
    return () => {
      const values = this.view(copy).slice();
      this.#release(copy);
      return values;
    };
  }

  copy(to: Block, from: Block): void {
    this.using([to, from], () => this.commands.run('copy', to.address, from.address, 4 * to.length));
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
  using(blocks: readonly Block[], run: () => void): void {
    run();
    const { given } = this.commands;
    for (const block of blocks) block.usedBy = given;
  }

  /** Address of working memory of at least `bytes`, the same for the same name as long as it is large enough. */
  scratch(name: string, bytes: number): number {
    const found = this.#scratch.get(name);
    if (found && found.bytes >= bytes) return found.address;
    if (found) this.#leave(found.address, this.commands.given);
    const address = this.#heap.allocate(bytes);
    this.#scratch.set(name, { address, bytes });
    return address;
  }

  /** Counters for commands of at most `count` records. */
  counters(count: number): number {
    const { counterBytes } = this.kernels as Partial<{ counterBytes(count: number): number }>;
    return this.scratch('counters', counterBytes!(count));
  }

  /** Address of `words` words that a command reads. */
  record(words: number): number {
    this.#check();
    this.#sweep();
    return this.#heap.allocate(4 * words);
  }

  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.#heap.memory.buffer, address, length);
  }

  /** Gives a record back once the commands given so far are done. */
  discard(address: number): void {
    this.#leave(address, this.commands.given);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.commands.close();
  }

  #block(length: number, wrapped: boolean): Block {
    this.#check();
    this.#sweep();
    return { address: this.#heap.allocate(4 * length), length, wrapped, handles: 0, usedBy: 0 };
  }

  #release(block: Block): void {
    this.#leave(block.address, block.usedBy);
    for (const attached of this.#attachments.get(block) ?? []) this.#release(attached);
    this.#attachments.delete(block);
  }

  #leave(address: number, after: number): void {
    if (after <= this.commands.done) this.#heap.release(address);
    else this.#leaving.push({ address, after });
  }

  #sweep(): void {
    if (this.#leaving.length === 0) return;
    const { done } = this.commands;
    const staying = this.#leaving.filter(({ after }) => after > done);
    for (const { address, after } of this.#leaving) if (after <= done) this.#heap.release(address);
    this.#leaving.splice(0, this.#leaving.length, ...staying);
  }

  #check(): void {
    if (this.#closed) throw new VeloError('DISPOSED', 'This backend was closed: create another one.');
  }
}

export const isTensor = (value: unknown): value is WasmTensor => value instanceof WasmTensor;
