/** The contract's operations for tensors that are typed arrays: double precision in, double precision out. */
import type { Backend, BinaryOp, ReduceOp, Shape, Tensor, UnaryOp } from '../backend.ts';
import { sizeOf } from '../geometry.ts';
import { scalarBinary, scalarReduce, scalarUnary } from '../scalar-operations.ts';
import { matmul as multiply } from './matmul.ts';
import {
  broadcastShape,
  checkExpansion,
  concatenatedShape,
  productShape,
  reducedShape,
  slicedShape,
} from './shapes.ts';
import { forEachRow, stridesIn } from './strided.ts';

export type Values = Float32Array | Float64Array;

/** A tensor whose values the host sees. */
export interface ArrayTensor extends Tensor {
  /** Row-major. */
  readonly values: Values;
}

export type ArrayOperations<T extends ArrayTensor> = Pick<
  Backend<T>,
  'unary' | 'binary' | 'reduce' | 'matmul' | 'expand' | 'slice' | 'concat'
>;

/**
 * The operations of a backend in host memory, all but `reshape`, which is a matter of who owns storage.
 *
 * @param make a tensor of the backend over fresh values, which it may keep.
 * @throws VeloError `SHAPE_MISMATCH` (the operations) where shapes do not fit.
 * @example
 * ```ts
 * const backend = { ...arrayOperations((values, shape) => new MyTensor(values, shape)), ... };
 * ```
 */
export function arrayOperations<T extends ArrayTensor>(
  make: (values: Float64Array, shape: Shape) => T,
): ArrayOperations<T> {
  function unary(op: UnaryOp, x: T): T {
    const values = x.values;
    const apply = scalarUnary[op];
    const result = new Float64Array(values.length);
    for (let i = 0; i < result.length; i++) result[i] = apply(values[i]!);
    return make(result, x.shape);
  }

  function binary(op: BinaryOp, a: T | number, b: T | number): T {
    const [left, right] = [operand(a), operand(b)];
    const [leftValues, rightValues] = [left.values, right.values];
    const shape = broadcastShape(left.shape, right.shape);
    const apply = scalarBinary[op];
    const result = new Float64Array(sizeOf(shape));
    let at = 0;
    forEachRow(shape, stridesIn(shape, left.shape), stridesIn(shape, right.shape), (i, iStep, j, jStep, length) => {
      for (const end = at + length; at < end; at++, i += iStep, j += jStep) {
        result[at] = apply(leftValues[i]!, rightValues[j]!);
      }
    });
    return make(result, shape);
  }

  function reduce(op: ReduceOp, x: T, axes: readonly number[]): T {
    const { start, join, finish } = scalarReduce[op];
    const values = x.values;
    const shape = reducedShape(x.shape, axes);
    const result = new Float64Array(sizeOf(shape)).fill(start);
    forEachRow(x.shape, stridesIn(x.shape, x.shape), stridesIn(x.shape, shape), (from, step, to, toStep, length) => {
      for (let i = 0; i < length; i++, from += step, to += toStep) result[to] = join(result[to]!, values[from]!);
    });
    const count = values.length / result.length;
    return make(
      result.map((value) => finish(value, count)),
      shape,
    );
  }

  function matmul(a: T, b: T): T {
    const [n, m] = productShape(a.shape, b.shape);
    const product = new Float64Array(n * m);
    multiply(a.values, b.values, product, n, a.shape[1]!, m);
    return make(product, [n, m]);
  }

  function expand(x: T, shape: Shape): T {
    checkExpansion(x.shape, shape);
    const values = x.values;
    const result = new Float64Array(sizeOf(shape));
    const strides = stridesIn(shape, x.shape);
    let at = 0;
    forEachRow(shape, strides, strides, (i, step, _j, _jStep, length) => {
      for (const end = at + length; at < end; at++, i += step) result[at] = values[i]!;
    });
    return make(result, shape);
  }

  function slice(x: T, axis: number, begin: number, end: number): T {
    const shape = slicedShape(x.shape, axis, begin, end);
    const size = x.shape[axis]!;
    const inner = sizeOf(x.shape.slice(axis + 1));
    const values = x.values;
    const length = (end - begin) * inner;
    const result = new Float64Array((values.length / size) * (end - begin));
    for (let from = begin * inner, to = 0; to < result.length; from += size * inner, to += length) {
      result.set(values.subarray(from, from + length), to);
    }
    return make(result, shape);
  }

  function concat(xs: readonly T[], axis: number): T {
    const shape = concatenatedShape(
      xs.map(({ shape }) => shape),
      axis,
    );
    const inner = sizeOf(shape.slice(axis + 1));
    const result = new Float64Array(sizeOf(shape));
    let begin = 0;
    for (const x of xs) {
      const values = x.values;
      const length = x.shape[axis]! * inner;
      for (let from = 0, to = begin; from < values.length; from += length, to += shape[axis]! * inner) {
        result.set(values.subarray(from, from + length), to);
      }
      begin += length;
    }
    return make(result, shape);
  }

  return { unary, binary, reduce, matmul, expand, slice, concat };
}

const operand = <T extends ArrayTensor>(x: T | number) =>
  typeof x === 'number' ? { values: Float64Array.of(x), shape: [] } : x;
