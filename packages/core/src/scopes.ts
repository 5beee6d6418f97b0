/** Who frees a tensor: the innermost scope that it was made in, unless it is returned, kept or disposed of first. */
import type { Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
import { forEachTensor } from './tree.ts';

/**
 * The bookkeeping behind `Backend.scope`, for backends that free by hand.
 *
 * @example
 * ```ts
 * const scopes = new Scopes<MyTensor>(isTensor, (tensor) => tensor.free());
 * const backend = {
 *   tensor: (values, shape) => scopes.add(upload(values, shape)),
 *   keep: (tensor) => (scopes.release(tensor), tensor),
 *   scope: (body) => scopes.run(body),
 *   // ...
 * };
 * ```
 */
export class Scopes<T extends Tensor> {
  readonly #open: Set<T>[] = [];
  readonly #isTensor: (value: unknown) => value is T;
  readonly #free: (tensor: T) => void;

  constructor(isTensor: (value: unknown) => value is T, free: (tensor: T) => void) {
    this.#isTensor = isTensor;
    this.#free = free;
  }

  /** `tensor` was made now. */
  add(tensor: T): T {
    this.#open.at(-1)?.add(tensor);
    return tensor;
  }

  /** No scope frees `tensor` any more: it was kept, or is gone. */
  release(tensor: T): void {
    for (const made of this.#open) made.delete(tensor);
  }

  /** @throws VeloError `SCOPE_ASYNC` where `body` returns a promise. */
  run<R>(body: () => R): R {
    const made = new Set<T>();
    this.#open.push(made);
    try {
      const result = body();
      if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
        throw new VeloError('SCOPE_ASYNC', 'The body of a scope must not be asynchronous: read before or after it.');
      }
      const outer = this.#open.at(-2);
      forEachTensor(this.#isTensor, result as Tree<T>, (tensor) => {
        if (made.delete(tensor)) outer?.add(tensor);
      });
      return result;
    } finally {
      this.#open.pop();
      for (const tensor of made) this.#free(tensor);
    }
  }
}
