/** The contract's operations on single numbers: what backends in host memory apply entry by entry. */
import type { BinaryOp, ReduceOp, UnaryOp } from './backend.ts';

export const scalarUnary: Readonly<Record<UnaryOp, (x: number) => number>> = {
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

export const scalarBinary: Readonly<Record<BinaryOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  mul: (a, b) => a * b,
  sub: (a, b) => a - b,
};

/** A reduction starts from `start`, takes entries in by `join`, and ends with `finish`, told how many there were. */
export interface ScalarReduction {
  readonly start: number;
  join(a: number, b: number): number;
  finish(x: number, count: number): number;
}

export const scalarReduce: Readonly<Record<ReduceOp, ScalarReduction>> = {
  max: { start: Number.NEGATIVE_INFINITY, join: Math.max, finish: (x) => x },
  mean: { start: 0, join: (a, b) => a + b, finish: (x, count) => x / count },
};
