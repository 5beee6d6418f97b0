/**
 * The contract between VeLO's mathematics and the device that runs it. Types only.
 *
 * Rules (checked by `@velojs/conformance`):
 * - Operations borrow: they never change, consume or free their arguments.
 * - `scope` frees what was created inside it and is neither returned nor kept.
 * - Nothing in a step waits for the device: `read` and `synchronize` are the only asynchronous members.
 * - Numbers given to an operation are constants of the algorithm; what changes between steps is a tensor.
 */
import type { Kernels } from './kernels.ts';

export type Shape = readonly number[];

/** A float32 array on some device, row-major. The mathematics looks at nothing but its shape. */
export interface Tensor {
  readonly shape: Shape;
}

export type UnaryOp = 'abs' | 'exp' | 'log' | 'relu' | 'rsqrt' | 'sigmoid' | 'sqrt' | 'square' | 'tanh';
export type BinaryOp = 'add' | 'div' | 'max' | 'min' | 'mul' | 'sub';
export type ReduceOp = 'max' | 'mean';

/** Tensors and host values in arrays and plain objects, to any depth. */
export type Tree<T extends Tensor> = T | HostLeaf | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };
export type HostLeaf = number | string | boolean | null | undefined | Float64Array;

export interface Backend<T extends Tensor = Tensor> {
  readonly name: string;
  /** What its operations compute in; state is float32 either way. */
  readonly arithmetic: 'float32' | 'float64';

  /** Whether `value` is a live or disposed handle of this backend. */
  isTensor(value: unknown): value is T;
  /** Uploads `values` (row-major, copied) as a tensor of `shape`. */
  tensor(values: ArrayLike<number>, shape: Shape): T;
  /** Downloads the values as of this call; the only way back from a device. Rejects where `check` found a bad value. */
  read(tensors: readonly T[]): Promise<Float32Array[]>;
  /** Gives the handle back; storage goes with its last handle. */
  dispose(tensor: T): void;
  /** Lets `tensor` survive every enclosing scope, as state does: rounded to float32. Returns it. */
  keep(tensor: T): T;
  /** Runs `body`, then frees what was created in it and is not in the result (a `Tree`). Throws if `body` returns a promise. */
  scope<R>(body: () => R): R;
  /** Resolves when all submitted work is done; rejects like `read`. */
  synchronize(): Promise<void>;

  /** A handle the optimizer may overwrite: a copy, or `tensor` itself where its owner wrapped memory for that purpose. */
  own(tensor: T): T;
  /** `state` takes the value of `next`: in place where the backend can, else `next` lives on. Exactly one handle survives, kept. */
  replace(state: T, next: T): T;
  /** Host-memory backends only: a tensor over `values` without a copy, for the duration of one step. */
  borrow?(values: Float32Array, shape: Shape): T;
  /** Host-memory backends only: the values, without a copy. */
  peek?(tensor: T): Float32Array | Float64Array;
  /** Host-memory backends only, where they find it faster than a loop over `peek`: the index of the first NaN, or -1. */
  firstNaN?(tensor: T): number;
  /**
   * Devices only, at the start of a step: after NaN in `gradients` or a non-finite `loss` no state is written any more.
   * The next `read` or `synchronize` calls the `undo` of that step and of all later ones, last first, whoever's they are,
   * rejects with what the first gave, and starts afresh.
   */
  check?(gradients: readonly T[], loss: T | undefined, undo: () => Error): void;

  unary(op: UnaryOp, x: T): T;
  /** NumPy broadcasting; at most one argument is a number. */
  binary(op: BinaryOp, a: T | number, b: T | number): T;
  /** Keeps the reduced axes as size 1. */
  reduce(op: ReduceOp, x: T, axes: readonly number[]): T;
  /** `[n, k] x [k, m] -> [n, m]`. */
  matmul(a: T, b: T): T;
  /** May alias the storage of `x`; the result is a handle of its own. */
  reshape(x: T, shape: Shape): T;
  /** Repeats axes of size 1 up to `shape` (same rank). */
  expand(x: T, shape: Shape): T;
  slice(x: T, axis: number, begin: number, end: number): T;
  concat(xs: readonly T[], axis: number): T;

  /** Fused replacements of core's composed definitions, for speed. */
  readonly kernels?: Partial<Kernels<T>>;
}
