/** The fused kernels: writes down in WebAssembly memory what there is to do, and has it done. */
import {
  type ControllerInputs,
  type ControllerOutputs,
  type DeviceTheta,
  type Geometry,
  type HostKernels,
  MLP_ROW,
  type Shape,
  type Slot,
  STATISTICS_LENGTH,
  type Tensor,
} from '@velojs/core';
import type { Commands } from './commands.ts';
import type { Kernels as Module } from './kernel-module.ts';

/** Words of a record; what they mean is written in `assembly/update-job.ts` and `assembly/controller-call.ts`. */
const RECORD = 16;
const SCRATCH_WORD = 15;
/** Entries, or weights of the LSTM met by all tensors, below which waking helpers costs more than they do. */
const WORTH_SHARING = 32_768;

/** Float32 values in the memory that the kernels run on. */
export interface Place {
  readonly address: number;
}

/** Who holds the tensors that the kernels work on: `Store`, or what manages the memory of another program. */
export interface KernelStore<T extends Tensor, P extends Place = Place> {
  /** `control` is the address of the threads' control block; 0 without threads. */
  readonly machine: { readonly kernels: Module; readonly commands: Commands; readonly control: number };
  /** Where the values of `tensor` are: the same object as long as it lives there. */
  resident(tensor: T): P;
  /** A tensor whose values are whatever was there. */
  create(shape: Shape): T;
  /** A place of `bytes` that lives as long as `owner`. */
  attach(owner: P, bytes: number): P;
  /** Address of working memory of at least `bytes`, the same for the same name as long as it is large enough. */
  scratch(name: string, bytes: number): number;
  /** Address of counters for commands of at most `count` records; only asked for where there are threads. */
  counters(count: number): number;
  /** Address of `words` words for the next command to read. */
  record(words: number): number;
  /** A view, until the next allocation. */
  words(address: number, length: number): Uint32Array;
  /** Runs commands that read or write `places`. */
  using(places: readonly P[], run: (commands: Commands) => void): void;
}

export function createKernels<T extends Tensor, P extends Place>(store: KernelStore<T, P>): HostKernels<T> {
  const packed = new WeakMap<object, P>();
  return {
    controller: (inputs, theta) => controller(store, packedTheta(store, packed, theta), inputs, theta.hiddenSize),
    update: (slots, mlp) => update(store, slots, mlp),
  };
}

/** Theta in the order in which products read it; packed once, and freed with the tensors it was made of. */
function packedTheta<T extends Tensor, P extends Place>(
  store: KernelStore<T, P>,
  packed: WeakMap<object, P>,
  theta: DeviceTheta<T>,
): P {
  const { featureGates, gateBias, heads, headsBias } = theta.folded;
  const source = store.resident(heads);
  let block = packed.get(source);
  if (!block) {
    const { kernels } = store.machine;
    const H = theta.hiddenSize;
    block = store.attach(source, kernels.packedThetaBytes(H) >>> 0);
    const { inputWeight, recurrentWeight, poolWeight, poolBias } = theta;
    const sources = [featureGates, inputWeight, recurrentWeight, gateBias, poolWeight, poolBias, heads, headsBias];
    kernels.packTheta(H, ...sources.map((tensor) => store.resident(tensor).address), block.address);
    packed.set(source, block);
  }
  return block;
}

function controller<T extends Tensor, P extends Place>(
  store: KernelStore<T, P>,
  theta: P,
  { statistics, ranks, common, hidden, cell }: ControllerInputs<T>,
  H: number,
): ControllerOutputs<T> {
  const { kernels, control } = store.machine;
  const n = hidden.shape[0]!;
  const outputs = {
    mlp: store.create([n, MLP_ROW]),
    hidden: store.create([n, H]),
    cell: store.create([n, H]),
  };
  const used = [statistics, ranks, common, hidden, cell, outputs.mlp, outputs.hidden, outputs.cell].map((tensor) =>
    store.resident(tensor),
  );
  used.push(theta);
  const scratch = store.scratch('controller', kernels.controllerScratchBytes(n, H) >>> 0);
  const record = store.record(RECORD);
  store.words(record, RECORD).set([n, H, ...used.map(({ address }) => address), scratch]);
  store.using(used, ({ threads, run }) => {
    if (threads > 1 && n * H * H >= WORTH_SHARING) run('leadController', control, record, store.counters(0));
    else run('controller', record);
  });
  return outputs;
}

function update<T extends Tensor, P extends Place>(
  store: KernelStore<T, P>,
  slots: readonly Slot<T>[],
  mlp: T,
): { slots: readonly Slot<T>[]; statistics: T } {
  const n = slots.length;
  const statistics = store.create([n, STATISTICS_LENGTH]);
  const [networks, results] = [store.resident(mlp), store.resident(statistics)];
  const used = [networks, results];
  for (const { parameter, gradient, accumulators } of slots) {
    used.push(store.resident(parameter), store.resident(gradient));
    used.push(store.resident(accumulators.moments), store.resident(accumulators.rows));
    if (accumulators.columns) used.push(store.resident(accumulators.columns));
  }
  const table = store.record(RECORD * n);
  const words = store.words(table, RECORD * n);
  let place = 2;
  let entries = 0;
  for (let j = 0; j < n; j++) {
    const { geometry, accumulators } = slots[j]!;
    const word = RECORD * j;
    words.set(viewOf(geometry), word);
    for (let array = 8; array < 12; array++) words[word + array] = used[place++]!.address;
    words[word + 12] = accumulators.columns ? used[place++]!.address : 0;
    words[word + 13] = networks.address + 4 * MLP_ROW * j;
    words[word + 14] = results.address + 4 * STATISTICS_LENGTH * j;
    entries += geometry.size;
  }
  runJobs(store, table, n, entries, used);
  return { slots, statistics };
}

/** Finds room for the `n` jobs in `table`, which have `entries` altogether, to work in, and has them done. */
function runJobs<T extends Tensor, P extends Place>(
  store: KernelStore<T, P>,
  table: number,
  n: number,
  entries: number,
  used: readonly P[],
): void {
  const { kernels, commands, control } = store.machine;
  const tile = kernels.TILE_BYTES.value as number;
  const share = commands.threads > 1;
  /** Scratch of the largest job that one thread does alone, and of the largest that all share. */
  let own = 0;
  let shared = 0;
  const isShared: boolean[] = [];
  for (let j = 0; j < n; j++) {
    const job = table + 4 * RECORD * j;
    const bytes = kernels.jobScratchBytes(job) >>> 0;
    const split = share && kernels.chunkCount(job) > 1;
    if (split) shared = Math.max(shared, bytes);
    else own = Math.max(own, bytes);
    isShared.push(split);
  }
  const arenaBytes = Math.ceil((tile + own) / 64) * 64;
  const arenas = store.scratch('update', arenaBytes * commands.threads + shared);
  const sharedScratch = arenas + arenaBytes * commands.threads;
  const counters = share ? store.counters(n) : 0;
  const words = store.words(table, RECORD * n);
  for (let j = 0; j < n; j++) words[RECORD * j + SCRATCH_WORD] = isShared[j] ? sharedScratch : arenas + tile;
  store.using(used, ({ run }) => {
    if (share && entries >= WORTH_SHARING) run('leadUpdate', control, table, n, counters, arenas, arenaBytes);
    else run('update', table, n, arenas);
  });
}

/** The first eight words of a job. */
function viewOf({ factored, size }: Geometry): number[] {
  if (!factored) return [0, size, 1, 1, 1, size, 1, 0];
  const { view, d1 } = factored;
  const [outer, first, middle, second, inner] = view;
  // The kernel wants long runs: a second axis of length 1 changes places with the first.
  if (second === 1) return [1, size, outer, 1, 1, first, middle * inner, d1 === 1 ? 3 : 1];
  return [1, size, ...view, d1];
}
