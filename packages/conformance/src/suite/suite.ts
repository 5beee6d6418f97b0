/** What the parts of the suite share. */
import { type Backend, type ParameterInput, type Shape, type Tensor, VeloError, withoutKernels } from '@velojs/core';
import { expect } from 'vitest';
import type { KernelMode } from '../golden.ts';

/** What a backend may do without, if it says so and why. */
export type Capability =
  /** Fused kernels. */
  | 'kernels'
  /** `borrow` and `peek`. */
  | 'hostMemory'
  /** NaN in tensors is noticed: by `peek`, or by `check`. */
  | 'badTensors'
  /** Use after dispose throws `DISPOSED`. */
  | 'disposed'
  /** `liveTensors` of the options. */
  | 'liveTensors'
  /** `compiledCount` of the options. */
  | 'compiledCount';

export const CAPABILITIES: readonly Capability[] = [
  'kernels',
  'hostMemory',
  'badTensors',
  'disposed',
  'liveTensors',
  'compiledCount',
];

export interface Suite<T extends Tensor> {
  readonly backend: Backend<T>;
  /** The kernel modes that the backend has, as backends. */
  readonly paths: readonly { readonly mode: KernelMode; readonly backend: Backend<T> }[];
  has(capability: Capability): boolean;
  /** `it`, for what takes long where every shape is compiled for: left out where the suite is reduced. */
  slow(name: string, body: () => unknown): void;
  /** Handles alive; only where the backend counts them. */
  live(): number;
  /** Another backend, which has compiled nothing yet, and how to count what it will; only where that can be counted. */
  fresh(): Promise<{ readonly backend: Backend<T>; compiled(): number }>;
}

export const pathsOf = <T extends Tensor>(backend: Backend<T>, fused: boolean): Suite<T>['paths'] => [
  { mode: 'composed', backend: withoutKernels(backend) },
  ...(fused ? [{ mode: 'fused', backend } as const] : []),
];

export async function readOne<T extends Tensor>(backend: Backend<T>, tensor: T): Promise<Float32Array> {
  const [values] = await backend.read([tensor]);
  return values!;
}

/** The code of the VeloError that `body` throws or rejects with; 'nothing' if it does neither. */
export async function codeOf(body: () => unknown): Promise<string> {
  try {
    await body();
    return 'nothing';
  } catch (error) {
    if (error instanceof VeloError) return error.code;
    throw error;
  }
}

/** `body` must leave as many handles alive as there were; without a count there is nothing to see. */
export async function expectNoLeak<T extends Tensor>(suite: Suite<T>, body: () => unknown): Promise<void> {
  const count = () => (suite.has('liveTensors') ? suite.live() : 0);
  const before = count();
  await body();
  expect(count(), 'handles alive').toBe(before);
}

/** Shapes that between them take every way through the mathematics. */
export const SHAPES: Readonly<Record<string, readonly Shape[]>> = {
  tall: [[12, 4]],
  wide: [[4, 12]],
  square: [[6, 6]],
  scalar: [[]],
  vector: [[9]],
  'rank 3': [
    [3, 4, 5],
    [5, 3, 4],
    [5, 2, 5],
  ],
  'rank 4': [
    [3, 3, 4, 8],
    [6, 6, 3, 3],
    [2, 5, 3, 4],
  ],
  'rank 5': [
    [2, 3, 2, 3, 2],
    [2, 2, 2, 2, 2],
  ],
  'rank 6': [[2, 1, 3, 2, 1, 2]],
  'size-1 axes': [[1], [1, 1], [1, 7], [7, 1], [1, 7, 1], [5, 1, 5], [1, 1, 1]],
  'a mixed list': [[5, 7], [7], [], [3, 2, 4], [1, 6], [33, 17], [2, 2, 3, 3]],
};

/** Host tensors as parameters. */
export const inputsOf = <T extends Tensor>(
  shapes: readonly Shape[],
  values: readonly Float32Array[],
): ParameterInput<T>[] => shapes.map((shape, j) => ({ shape, data: values[j]! }));
