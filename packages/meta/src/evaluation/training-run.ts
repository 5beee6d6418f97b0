/** One training of a task by one optimizer: what all measures are made of. */
import { type WasmBackend, type WasmTensor, wasm } from '@velojs/backend-wasm';
import { createVelo, sizeOf, type Theta, VeloError } from '@velojs/core';
import { type BaselineSpec, createBaseline } from '../baselines/index.ts';
import { derive, type Key, keyOf } from '../random.ts';
import type { Task } from '../task.ts';

/** A baseline, or VeLO with a theta. */
export type OptimizerSpec =
  | BaselineSpec
  | {
      readonly name: 'velo';
      readonly theta: Theta;
      /** What VeLO is told as its `totalSteps`, over the number of steps that it will be judged after; default 1. */
      readonly told?: number;
    };

export interface RunSettings {
  readonly task: Task;
  readonly optimizer: OptimizerSpec;
  /** Gives initial parameters and batches: the same for every optimizer. */
  readonly seed: number;
  /** N: the optimizer is judged after so many. */
  readonly steps: number;
  /** 0, or at least 1: train for so many times N steps, and record `trainingCurve` on the way. */
  readonly extent: number;
}

/** What is kept of a training. Losses that are not finite are null: it has diverged, and ended there. */
export interface RunResult {
  /** Over the training set, at the initial parameters. */
  readonly initialLoss: number;
  /** Over the training set after N steps. */
  readonly trainingLoss: number | null;
  /** Over examples that no batch has, after N steps. */
  readonly validationLoss: number | null;
  /** Losses of the batches as an exponential average (0.95), at the steps of `curveSteps(N, extent)`; fewer where it diverged. */
  readonly curve: readonly number[];
  /** Losses over the training set, at the same steps; empty where `extent` is 0. */
  readonly trainingCurve: readonly number[];
}

/** Of the exponential average of batch losses, as in the evaluation of VeLO (arXiv 2211.09760). */
const SMOOTHING = 0.95;
const POINTS_PER_OCTAVE = 8;
/** Octaves before N that a curve shows. */
const OCTAVES = 8;

/** Where curves have points: about 60 numbers of steps from N / 256 to N on a logarithmic grid, and on to `extent` x N. */
export function curveSteps(steps: number, extent = 1): number[] {
  const last = Math.floor(POINTS_PER_OCTAVE * Math.log2(Math.max(1, extent)) + 1e-9);
  const first = -POINTS_PER_OCTAVE * OCTAVES;
  const grid = Array.from({ length: last - first + 1 }, (_, i) =>
    Math.round(steps * 2 ** ((first + i) / POINTS_PER_OCTAVE)),
  );
  return [...new Set(grid)].filter((step) => step >= 1);
}

/** What a training loop holds of an optimizer. */
interface Stepper {
  /** As they are now. */
  parameters(): readonly Float32Array[];
  /** To be overwritten before a step. */
  gradients(): readonly Float32Array[];
  /** @returns false where the numbers have left the finite. */
  step(loss: number): boolean;
  dispose(): void;
}

/** Trains; the same numbers on every machine, as far as its mathematical functions are the same. */
export async function trainingRun({ task, optimizer, seed, steps, extent }: RunSettings): Promise<RunResult> {
  const key = keyOf(seed);
  const initial = task.initialParameters(derive(key, 0));
  const initialLoss = task.trainingLoss(initial);
  const stepper =
    optimizer.name === 'velo'
      ? startVelo(await backendOfThread(), task, optimizer, initial, steps)
      : startBaseline(task, optimizer, initial, steps);
  try {
    return { initialLoss, ...train(task, stepper, derive(key, 1), steps, extent) };
  } finally {
    stepper.dispose();
  }
}

function train(task: Task, stepper: Stepper, key: Key, steps: number, extent: number): Omit<RunResult, 'initialLoss'> {
  const last = Math.round(steps * Math.max(1, extent));
  const grid = curveSteps(steps, extent);
  const curve: number[] = [];
  const trainingCurve: number[] = [];
  let trainingLoss: number | null = null;
  let validationLoss: number | null = null;
  let smoothed = 0;
  for (let step = 1; step <= last; step++) {
    const loss = task.lossAndGradients(stepper.parameters(), stepper.gradients(), key, step - 1);
    if (!Number.isFinite(loss) || !stepper.step(loss)) break;
    smoothed = SMOOTHING * smoothed + (1 - SMOOTHING) * loss;
    if (step === steps) {
      trainingLoss = finite(task.trainingLoss(stepper.parameters()));
      validationLoss = trainingLoss === null ? null : finite(task.validationLoss(stepper.parameters()));
    }
    if (step === grid[curve.length]) {
      curve.push(smoothed / (1 - SMOOTHING ** step));
      if (extent > 0) {
        const exact = step === steps ? trainingLoss : finite(task.trainingLoss(stepper.parameters()));
        if (exact === null) break;
        trainingCurve.push(exact);
      }
    }
  }
  return { trainingLoss, validationLoss, curve, trainingCurve };
}

const finite = (loss: number): number | null => (Number.isFinite(loss) ? loss : null);

function startBaseline(task: Task, spec: BaselineSpec, parameters: readonly Float32Array[], steps: number): Stepper {
  const gradients = parameters.map(({ length }) => new Float32Array(length));
  const baseline = createBaseline(spec, task.shapes.map(sizeOf), steps);
  return {
    parameters: () => parameters,
    gradients: () => gradients,
    step() {
      baseline.step(parameters, gradients);
      return true;
    },
    dispose() {},
  };
}

function startVelo(
  backend: WasmBackend,
  { shapes }: Task,
  { theta, told = 1 }: OptimizerSpec & { readonly name: 'velo' },
  initial: readonly Float32Array[],
  steps: number,
): Stepper {
  const wrap = (values: Float32Array, j: number): WasmTensor => backend.wrap(values, shapes[j]!);
  const parameters = initial.map(wrap);
  const gradients = initial.map((values, j) => wrap(new Float32Array(values.length), j));
  const velo = createVelo({
    backend,
    theta,
    parameters,
    totalSteps: Math.max(1, Math.round(steps * told)),
    // That there are more steps than it was told is what is measured.
    onWarning: () => {},
  });
  // Anew in every step, because views are detached when the memory grows.
  const values = (tensors: readonly WasmTensor[]) => tensors.map((tensor) => tensor.data);
  return {
    parameters: () => values(parameters),
    gradients: () => values(gradients),
    step(loss) {
      try {
        velo.step(gradients, loss);
        return true;
      } catch (error) {
        if (error instanceof VeloError && error.code === 'NON_FINITE') return false;
        throw error;
      }
    },
    dispose() {
      velo.dispose();
      for (const tensor of [...parameters, ...gradients]) backend.dispose(tensor);
    },
  };
}

let backend: Promise<WasmBackend> | undefined;
/** Without relaxed SIMD, which rounds differently per processor. */
const backendOfThread = (): Promise<WasmBackend> => {
  backend ??= wasm({ simd: 'plain' });
  return backend;
};
