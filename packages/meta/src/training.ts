/** One training of a task by VeLO: the inner loop. */
import type { WasmBackend, WasmTensor } from '@velojs/backend-wasm';
import {
  type DeviceTheta,
  keepTree,
  mapTree,
  replaceTree,
  type Tree,
  tensorsOf,
  type VeloState,
  velo,
} from '@velojs/core';
import type { Key } from './random.ts';
import type { Task } from './task.ts';

/**
 * A training that can be stopped after any step and gone on with, with another theta if need be. Losses that are not
 * finite end it (`diverged`).
 */
export class Training {
  readonly totalSteps: number;
  /** Over the training set, before the first step. */
  readonly initialLoss: number;
  diverged = false;
  readonly #backend: WasmBackend;
  readonly #task: Task;
  readonly #key: Key;
  readonly #gradients: readonly WasmTensor[];
  #state: VeloState<WasmTensor>;

  /** @param key what initial parameters and batches are drawn from. */
  constructor(backend: WasmBackend, theta: DeviceTheta<WasmTensor>, task: Task, key: Key, totalSteps: number) {
    this.totalSteps = totalSteps;
    this.#backend = backend;
    this.#task = task;
    this.#key = key;
    const initial = task.initialParameters(key);
    this.initialLoss = task.trainingLoss(initial);
    this.#gradients = task.shapes.map((shape, j) => backend.wrap(new Float32Array(initial[j]!.length), shape));
    this.#state = backend.scope(() => {
      const parameters = initial.map((values, j) => backend.tensor(values, task.shapes[j]!));
      const state = velo({ backend, theta, totalSteps }).init(parameters) as unknown as Tree<WasmTensor>;
      const own = mapTree(backend, state, (node) => (backend.isTensor(node) ? backend.own(node) : node));
      return keepTree(backend, own) as unknown as VeloState<WasmTensor>;
    });
  }

  /** Steps taken. */
  get steps(): number {
    return this.#state.iteration;
  }

  /** Takes `count` steps, or fewer where it diverges; `onLoss` sees the loss of every batch. */
  run(theta: DeviceTheta<WasmTensor>, count: number, onLoss: (loss: number) => void): void {
    const backend = this.#backend;
    const optimizer = velo({ backend, theta, totalSteps: this.totalSteps });
    const gradients = this.#gradients;
    for (let i = 0; i < count && !this.diverged; i++) {
      const state = this.#state;
      const loss = this.#task.lossAndGradients(
        valuesOf(state.parameters),
        valuesOf(gradients),
        this.#key,
        state.iteration,
      );
      if (!Number.isFinite(loss)) {
        this.diverged = true;
        return;
      }
      onLoss(loss);
      backend.scope(() => {
        this.#state = replaceTree(
          backend,
          state as unknown as Tree<WasmTensor>,
          optimizer.update(state, gradients, loss) as unknown as Tree<WasmTensor>,
        ) as unknown as VeloState<WasmTensor>;
      });
    }
  }

  /** Over the training set, now; infinite once it has diverged. */
  trainingLoss(): number {
    if (this.diverged) return Infinity;
    const loss = this.#task.trainingLoss(valuesOf(this.#state.parameters));
    return Number.isFinite(loss) ? loss : Infinity;
  }

  dispose(): void {
    for (const tensor of tensorsOf(this.#backend, [this.#state as unknown as Tree<WasmTensor>, this.#gradients])) {
      this.#backend.dispose(tensor);
    }
  }
}

/** Anew in every step, because views are detached when the memory grows. */
const valuesOf = (tensors: readonly WasmTensor[]): Float32Array[] => tensors.map((tensor) => tensor.data);
