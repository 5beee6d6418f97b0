/**
 * The oracle: every operation written out in double precision, every handle tracked.
 *
 * Slow on purpose. It throws on use after dispose, on double dispose and on what was never given back (`close`), and it
 * has no fused kernels. State is rounded to float32 when it is stored, as on every backend.
 */
import type { Backend, Shape } from '../backend.ts';
import { VeloError } from '../errors.ts';
import { sizeOf } from '../geometry.ts';
import { scalarBinary, scalarReduce, scalarUnary } from '../scalar-operations.ts';
import { Scopes } from '../scopes.ts';

/** A handle. Its values are the backend's. */
export class ReferenceTensor {
  constructor(readonly shape: Shape) {}
}

export interface ReferenceBackend extends Backend<ReferenceTensor> {
  /** Handles that were made and not yet disposed of. */
  readonly liveTensors: number;
  /** A handle over `values`, which updates then write to. */
  wrap(values: Float32Array, shape: Shape): ReferenceTensor;
  /** @throws VeloError `DISPOSED` if handles are still alive: a leak. */
  close(): void;
}

interface Storage {
  values: Float64Array;
  /** Memory of the caller's that state is written to. */
  readonly wrapped: Float32Array | undefined;
}

/**
 * Creates a reference backend.
 *
 * @param options.memory `host` (default), or `device` to behave as a device does: values cannot be looked at in a step,
 *   and bad ones are found by the next read.
 * @example
 * ```ts
 * const backend = reference();
 * const x = backend.tensor([1, 2, 3], [3]);
 * const [values] = await backend.read([backend.unary('square', x)]);
 * ```
 */
export function reference({ memory = 'host' }: { memory?: 'host' | 'device' } = {}): ReferenceBackend {
  const storages = new Map<ReferenceTensor, Storage>();
  const isTensor = (value: unknown): value is ReferenceTensor => value instanceof ReferenceTensor;
  const scopes = new Scopes<ReferenceTensor>(isTensor, (tensor) => storages.delete(tensor));
  /** Since a bad step: how to undo it, and all steps after it. */
  let undos: (() => Error)[] = [];

  const create = (values: Float64Array, shape: Shape, wrapped?: Float32Array): ReferenceTensor => {
    if (values.length !== sizeOf(shape)) {
      throw new VeloError('SHAPE_MISMATCH', `${values.length} values do not fill the shape [${shape}].`);
    }
    const tensor = new ReferenceTensor([...shape]);
    storages.set(tensor, { values, wrapped });
    return scopes.add(tensor);
  };
  const storageOf = (tensor: ReferenceTensor): Storage => {
    const storage = storages.get(tensor);
    if (!storage)
      throw new VeloError('DISPOSED', `A tensor of shape [${tensor.shape}] was used after it was disposed of.`);
    // Wrapped memory is read as it is now: its owner may have written to it.
    if (storage.wrapped) storage.values = Float64Array.from(storage.wrapped);
    return storage;
  };
  const valuesOf = (tensor: ReferenceTensor) => storageOf(tensor).values;
  const dispose = (tensor: ReferenceTensor) => {
    storageOf(tensor);
    storages.delete(tensor);
    scopes.release(tensor);
  };
  const keep = (tensor: ReferenceTensor) => {
    const storage = storageOf(tensor);
    scopes.release(tensor);
    storage.values = storage.values.map(Math.fround);
    return tensor;
  };
  const raiseFault = () => {
    const errors = undos.toReversed().map((undo) => undo());
    undos = [];
    if (errors.length > 0) throw errors.at(-1);
  };

  const backend: ReferenceBackend = {
    name: 'reference',
    arithmetic: 'float64',
    get liveTensors() {
      return storages.size;
    },
    close() {
      if (storages.size === 0) return;
      const shapes = [...storages.keys()].slice(0, 5).map(({ shape }) => `[${shape}]`);
      throw new VeloError('DISPOSED', `${storages.size} tensors were never disposed of: ${shapes.join(', ')}, ...`);
    },
    wrap: (values, shape) => create(Float64Array.from(values), shape, values),
    isTensor,
    tensor: (values, shape) => create(Float64Array.from(values), shape),
    async read(tensors) {
      const values = tensors.map((tensor) => Float32Array.from(valuesOf(tensor)));
      raiseFault();
      return values;
    },
    async synchronize() {
      raiseFault();
    },
    dispose,
    keep,
    scope: (body) => scopes.run(body),

    own(tensor) {
      const { values, wrapped } = storageOf(tensor);
      return wrapped ? tensor : create(Float64Array.from(values, Math.fround), tensor.shape);
    },
    replace(state, next) {
      const target = storageOf(state);
      const { values } = storageOf(next);
      if (undos.length === 0) {
        target.values = Float64Array.from(values, Math.fround);
        target.wrapped?.set(values);
      }
      if (next !== state) dispose(next);
      return keep(state);
    },
    ...(memory === 'host'
      ? {
          borrow: (values: Float32Array, shape: Shape) => create(Float64Array.from(values), shape),
          peek: valuesOf,
        }
      : {
          check(gradients: readonly ReferenceTensor[], loss: ReferenceTensor | undefined, undo: () => Error) {
            const bad =
              gradients.some((gradient) => valuesOf(gradient).some(Number.isNaN)) ||
              (loss !== undefined && !valuesOf(loss).every(Number.isFinite));
            if (bad || undos.length > 0) undos.push(undo);
          },
        }),

    unary: (op, x) => create(valuesOf(x).map(scalarUnary[op]), x.shape),
    binary(op, a, b) {
      const [left, right] = [operand(a), operand(b)];
      const shape = broadcast(left.shape, right.shape);
      const [leftStrides, rightStrides] = [strides(left.shape, shape), strides(right.shape, shape)];
      return create(
        fill(shape, (index) =>
          scalarBinary[op](left.values[offset(index, leftStrides)]!, right.values[offset(index, rightStrides)]!),
        ),
        shape,
      );
    },
    reduce(op, x, axes) {
      const { start, join, finish } = scalarReduce[op];
      const shape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
      const result = new Float64Array(sizeOf(shape)).fill(start);
      const values = valuesOf(x);
      const target = strides(shape, x.shape);
      let i = 0;
      forEachIndex(x.shape, (index) => {
        const at = offset(index, target);
        result[at] = join(result[at]!, values[i++]!);
      });
      const count = values.length / result.length;
      return create(
        result.map((value) => finish(value, count)),
        shape,
      );
    },
    matmul(a, b) {
      const [n, k] = a.shape as [number, number];
      const m = b.shape[1]!;
      if (a.shape.length !== 2 || b.shape.length !== 2 || b.shape[0] !== k) {
        throw new VeloError('SHAPE_MISMATCH', `Matrices [${a.shape}] and [${b.shape}] cannot be multiplied.`);
      }
      const [left, right] = [valuesOf(a), valuesOf(b)];
      const product = new Float64Array(n * m);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < k; j++) {
          const factor = left[i * k + j]!;
          for (let column = 0; column < m; column++) product[i * m + column]! += factor * right[j * m + column]!;
        }
      }
      return create(product, [n, m]);
    },
    reshape: (x, shape) => create(valuesOf(x).slice(), shape),
    expand(x, shape) {
      if (`${broadcast(x.shape, shape)}` !== `${shape}` || x.shape.length !== shape.length) {
        throw new VeloError('SHAPE_MISMATCH', `[${x.shape}] does not expand to [${shape}].`);
      }
      const values = valuesOf(x);
      const source = strides(x.shape, shape);
      return create(
        fill(shape, (index) => values[offset(index, source)]!),
        shape,
      );
    },
    slice(x, axis, begin, end) {
      if (!(0 <= begin && begin < end && end <= (x.shape[axis] ?? 0))) {
        throw new VeloError('SHAPE_MISMATCH', `[${x.shape}] has no slice ${begin}..${end} along axis ${axis}.`);
      }
      const values = valuesOf(x);
      const shape = x.shape.map((size, i) => (i === axis ? end - begin : size));
      const source = strides(x.shape);
      return create(
        fill(shape, (index) => values[offset(index, source) + begin * source[axis]!]!),
        shape,
      );
    },
    concat(xs, axis) {
      const first = xs[0];
      const fits = (x: ReferenceTensor) =>
        x.shape.length === first!.shape.length && x.shape.every((size, i) => i === axis || size === first!.shape[i]);
      if (!first || !xs.every(fits)) {
        throw new VeloError(
          'SHAPE_MISMATCH',
          `[${xs.map(({ shape }) => `[${shape}]`)}] do not join along axis ${axis}.`,
        );
      }
      const shape = first.shape.map((size, i) => (i === axis ? xs.reduce((sum, x) => sum + x.shape[axis]!, 0) : size));
      const parts = xs.flatMap((x) => {
        const [values, source] = [valuesOf(x), strides(x.shape)];
        return Array.from({ length: x.shape[axis]! }, (_, at) => ({ values, source, at }));
      });
      return create(
        fill(shape, (index) => {
          const { values, source, at } = parts[index[axis]!]!;
          return values[offset(index, source) + (at - index[axis]!) * source[axis]!]!;
        }),
        shape,
      );
    },
  };

  function operand(x: ReferenceTensor | number): { values: Float64Array; shape: Shape } {
    return typeof x === 'number' ? { values: Float64Array.of(x), shape: [] } : { values: valuesOf(x), shape: x.shape };
  }
  return backend;
}

/** Calls `visit` with every index of `shape`, in row-major order; the index array is reused. */
function forEachIndex(shape: Shape, visit: (index: readonly number[]) => void): void {
  const index = shape.map(() => 0);
  for (let left = sizeOf(shape); left > 0; left--) {
    visit(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

function fill(shape: Shape, value: (index: readonly number[]) => number): Float64Array {
  const values = new Float64Array(sizeOf(shape));
  let i = 0;
  forEachIndex(shape, (index) => {
    values[i++] = value(index);
  });
  return values;
}

function offset(index: readonly number[], steps: readonly number[]): number {
  let at = 0;
  for (let axis = 0; axis < index.length; axis++) at += index[axis]! * steps[axis]!;
  return at;
}

/** Steps through the values of `shape` for an index into `target`, to which it broadcasts: 0 along repeated axes. */
function strides(shape: Shape, target: Shape = shape): number[] {
  const missing = target.length - shape.length;
  return target.map((size, axis) => {
    const own = shape[axis - missing];
    return own === undefined || (own === 1 && size > 1) ? 0 : sizeOf(shape.slice(axis - missing + 1));
  });
}

/** The shape that both broadcast to, as NumPy does. */
function broadcast(a: Shape, b: Shape): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const axis = (shape: Shape) => shape[shape.length - Math.max(a.length, b.length) + i] ?? 1;
    if (axis(a) !== axis(b) && axis(a) !== 1 && axis(b) !== 1) {
      throw new VeloError('SHAPE_MISMATCH', `[${a}] and [${b}] do not broadcast.`);
    }
    return Math.max(axis(a), axis(b));
  });
}
