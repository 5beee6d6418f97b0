/** The contract's operations on double arrays, written for clarity: what a backend's results are compared with. */
import { type BinaryOp, type ReduceOp, type Shape, sizeOf, type UnaryOp } from '@velojs/core';

export interface HostArray {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export const UNARY: Readonly<Record<UnaryOp, (x: number) => number>> = {
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  relu: (x) => Math.max(x, 0),
  rsqrt: (x) => 1 / Math.sqrt(x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  sqrt: Math.sqrt,
  square: (x) => x * x,
  tanh: Math.tanh,
};

export const BINARY: Readonly<Record<BinaryOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  mul: (a, b) => a * b,
  sub: (a, b) => a - b,
};

export const REDUCE: Readonly<Record<ReduceOp, (x: readonly number[]) => number>> = {
  max: (x) => x.reduce((largest, value) => Math.max(largest, value)),
  mean: (x) => x.reduce((sum, value) => sum + value, 0) / x.length,
};

/** Position of entry `index` along every axis. */
export const positionOf = (shape: Shape, index: number): number[] =>
  shape.map((axis, a) => Math.floor(index / sizeOf(shape.slice(a + 1))) % axis);

/** The inverse of `positionOf`; positions beyond an axis of size 1 stay on it, as in broadcasting. */
export const indexOf = (shape: Shape, position: readonly number[]): number =>
  shape.reduce((index, axis, a) => index * axis + (axis === 1 ? 0 : position[a]!), 0);

/** The array whose entries `value` gives for their positions. */
export function build(shape: Shape, value: (position: number[]) => number): HostArray {
  return { shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => value(positionOf(shape, i))) };
}

export const at = ({ shape, data }: HostArray, position: readonly number[]): number => data[indexOf(shape, position)]!;

/** NumPy's rule: axes are aligned at the end, and an axis of size 1 repeats. */
export function broadcastShape(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const axis = (shape: Shape, i: number) => shape[i - (rank - shape.length)] ?? 1;
  return Array.from({ length: rank }, (_, i) => (axis(a, i) === 1 ? axis(b, i) : axis(a, i)));
}

export function binary(op: BinaryOp, a: HostArray, b: HostArray): HostArray {
  const shape = broadcastShape(a.shape, b.shape);
  const from = (x: HostArray, position: number[]) => at(x, position.slice(shape.length - x.shape.length));
  return build(shape, (position) => BINARY[op](from(a, position), from(b, position)));
}

export function reduce(op: ReduceOp, x: HostArray, axes: readonly number[]): HostArray {
  const shape = x.shape.map((axis, a) => (axes.includes(a) ? 1 : axis));
  const groups = Array.from({ length: sizeOf(shape) }, (): number[] => []);
  x.data.forEach((value, i) => {
    groups[indexOf(shape, positionOf(x.shape, i))]!.push(value);
  });
  return { shape, data: Float64Array.from(groups, REDUCE[op]) };
}

export function matmul(a: HostArray, b: HostArray): HostArray {
  const [n, k] = a.shape as [number, number];
  return build([n, b.shape[1]!], ([i, j]) =>
    Array.from({ length: k }, (_, l) => at(a, [i!, l]) * at(b, [l, j!])).reduce((sum, value) => sum + value, 0),
  );
}

export const expand = (x: HostArray, shape: Shape): HostArray => build(shape, (position) => at(x, position));

export function slice(x: HostArray, axis: number, begin: number, end: number): HostArray {
  const shape = x.shape.map((size, a) => (a === axis ? end - begin : size));
  return build(
    shape,
    (position) =>
      x.data[
        strictIndex(
          x.shape,
          position.map((p, a) => (a === axis ? p + begin : p)),
        )
      ]!,
  );
}

export function concat(xs: readonly HostArray[], axis: number): HostArray {
  /** Which array each index along `axis` comes from, and its index there. */
  const parts = xs.flatMap((x) => Array.from({ length: x.shape[axis]! }, (_, index) => ({ x, index })));
  return build(xs[0]!.shape.with(axis, parts.length), (position) => {
    const { x, index } = parts[position[axis]!]!;
    return x.data[strictIndex(x.shape, position.with(axis, index))]!;
  });
}

const strictIndex = (shape: Shape, position: readonly number[]) =>
  shape.reduce((index, axis, a) => index * axis + position[a]!, 0);
