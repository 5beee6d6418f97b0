/** What is measured. */
import type { Shape } from '@velojs/core';

/** What an optimizer is to train. */
export interface Problem {
  readonly shapes: readonly Shape[];
  /** Initial values, one array per tensor; they are copied. */
  readonly parameters: readonly Float32Array[];
  /** Sets of gradients, to be gone through in turn. Contenders on host memory share them. */
  readonly gradients: readonly (readonly Float32Array[])[];
}

/** Something that is done again and again, and timed. */
export interface Task {
  /** Called before a series of runs, outside the time that counts. */
  prepare?(): void;
  run(): void;
  /** Resolves when all runs are done, where `run` only submits them. */
  finish?(): Promise<void>;
  dispose(): void;
}

/** One run is one step. */
export interface Training extends Task {
  /** The parameters as they are now. */
  parameters(): Promise<Float32Array[]>;
}

/** Starter: H = 16, K = 4. Released: the same optimizer in the size of the released weights, H = 512, K = 256. */
export type ThetaName = 'starter' | 'released';

export interface Contender {
  /** Such as `VeLO wasm`. */
  readonly name: string;
  /** Null for Adam. */
  readonly theta: ThetaName | null;
  readonly threads: number;
  start(problem: Problem): Training;
  /** VeLO: its network per tensor (features, LSTM, heads) alone, on tensors of these shapes. */
  controller?(shapes: readonly Shape[]): Task;
}

/** The one that Node.js 20 runs behind an option only. */
export const RELAXED = 'VeLO wasm relaxed';

/** VeLO's network per tensor without what backends do to make it cheaper. */
export const DIRECT = 'direct form';

/** What cannot be measured here, and why. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}
