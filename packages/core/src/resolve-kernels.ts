/** Which kernels run: a backend's own, or core's composed definitions. */
import type { Backend, Shape, Tensor } from './backend.ts';
import { controller } from './controller.ts';
import type { Kernels } from './kernels.ts';
import { deviceLoss } from './loss-buffer.ts';
import { perParameterUpdate } from './per-parameter-mlp.ts';

/** The definitions: every kernel by composed operations. */
export function composedKernels<T extends Tensor>(backend: Backend<T>): Kernels<T> {
  return {
    loss: (inputs) => deviceLoss(backend, inputs),
    controller: (inputs, theta) => controller(backend, inputs, theta),
    update: (slots, mlp) => perParameterUpdate(backend, slots, mlp),
  };
}

/** The backend's kernels, and core's definitions where it has none. */
export function resolveKernels<T extends Tensor>(backend: Backend<T>): Kernels<T> {
  const { kernels } = backend;
  const composed = composedKernels(backend);
  return {
    loss: (inputs) => (kernels?.loss ? kernels : composed).loss!(inputs),
    controller: (inputs, theta) => (kernels?.controller ? kernels : composed).controller!(inputs, theta),
    update: (slots, mlp) => (kernels?.update ? kernels : composed).update!(slots, mlp),
  };
}

/**
 * The same backend with other kernels, for instance counted, traced or fewer.
 *
 * @example
 * ```ts
 * withKernels(backend, { update: backend.kernels.update }); // composed controller, fused update
 * ```
 */
export function withKernels<T extends Tensor>(backend: Backend<T>, kernels: Partial<Kernels<T>>): Backend<T> {
  return {
    name: backend.name,
    arithmetic: backend.arithmetic,
    isTensor: (value): value is T => backend.isTensor(value),
    tensor: (values, shape) => backend.tensor(values, shape),
    read: (tensors) => backend.read(tensors),
    dispose: (tensor) => backend.dispose(tensor),
    keep: (tensor) => backend.keep(tensor),
    scope: (body) => backend.scope(body),
    synchronize: () => backend.synchronize(),
    own: (tensor) => backend.own(tensor),
    replace: (state, next) => backend.replace(state, next),
    ...(backend.borrow && { borrow: (values: Float32Array, shape: Shape) => backend.borrow!(values, shape) }),
    ...(backend.peek && { peek: (tensor: T) => backend.peek!(tensor) }),
    ...(backend.firstNaN && { firstNaN: (tensor: T) => backend.firstNaN!(tensor) }),
    ...(backend.check && {
      check: (gradients: readonly T[], loss: T | undefined, undo: () => Error) => backend.check!(gradients, loss, undo),
    }),
    unary: (op, x) => backend.unary(op, x),
    binary: (op, a, b) => backend.binary(op, a, b),
    reduce: (op, x, axes) => backend.reduce(op, x, axes),
    matmul: (a, b) => backend.matmul(a, b),
    reshape: (x, shape) => backend.reshape(x, shape),
    expand: (x, shape) => backend.expand(x, shape),
    slice: (x, axis, begin, end) => backend.slice(x, axis, begin, end),
    concat: (xs, axis) => backend.concat(xs, axis),
    kernels,
  };
}

/** The same backend running core's definitions only: slow, exact, differentiable where its operations are. */
export function withoutKernels<T extends Tensor>(backend: Backend<T>): Backend<T> {
  return withKernels(backend, {});
}
