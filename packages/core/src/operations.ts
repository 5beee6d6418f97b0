/** The contract's operations under the names that equations use. */
import type { Backend, Shape, Tensor } from './backend.ts';

export interface Operations<T extends Tensor> {
  abs(x: T): T;
  exp(x: T): T;
  log(x: T): T;
  relu(x: T): T;
  /** 1 / sqrt(x) */
  rsqrt(x: T): T;
  sigmoid(x: T): T;
  sqrt(x: T): T;
  square(x: T): T;
  tanh(x: T): T;
  /** Left to right, as many as there are. */
  add(a: T | number, b: T | number, ...more: (T | number)[]): T;
  mul(a: T | number, b: T | number, ...more: (T | number)[]): T;
  sub(a: T | number, b: T | number): T;
  div(a: T | number, b: T | number): T;
  max(a: T | number, b: T | number): T;
  min(a: T | number, b: T | number): T;
  clip(x: T, low: number, high: number): T;
  maxOver(x: T, ...axes: number[]): T;
  meanOver(x: T, ...axes: number[]): T;
  matmul(a: T, b: T): T;
  reshape(x: T, shape: Shape): T;
  expand(x: T, shape: Shape): T;
  slice(x: T, axis: number, begin: number, end: number): T;
  concat(xs: readonly T[], axis: number): T;
}

export function operations<T extends Tensor>(backend: Backend<T>): Operations<T> {
  type Operand = T | number;
  const add = (a: Operand, b: Operand) => backend.binary('add', a, b);
  const mul = (a: Operand, b: Operand) => backend.binary('mul', a, b);
  return {
    abs: (x) => backend.unary('abs', x),
    exp: (x) => backend.unary('exp', x),
    log: (x) => backend.unary('log', x),
    relu: (x) => backend.unary('relu', x),
    rsqrt: (x) => backend.unary('rsqrt', x),
    sigmoid: (x) => backend.unary('sigmoid', x),
    sqrt: (x) => backend.unary('sqrt', x),
    square: (x) => backend.unary('square', x),
    tanh: (x) => backend.unary('tanh', x),
    add: (a, b, ...more) => more.reduce<T>(add, add(a, b)),
    mul: (a, b, ...more) => more.reduce<T>(mul, mul(a, b)),
    sub: (a, b) => backend.binary('sub', a, b),
    div: (a, b) => backend.binary('div', a, b),
    max: (a, b) => backend.binary('max', a, b),
    min: (a, b) => backend.binary('min', a, b),
    clip: (x, low, high) => backend.binary('min', backend.binary('max', x, low), high),
    maxOver: (x, ...axes) => backend.reduce('max', x, axes),
    meanOver: (x, ...axes) => backend.reduce('mean', x, axes),
    matmul: (a, b) => backend.matmul(a, b),
    reshape: (x, shape) => backend.reshape(x, shape),
    expand: (x, shape) => backend.expand(x, shape),
    slice: (x, axis, begin, end) => backend.slice(x, axis, begin, end),
    concat: (xs, axis) => backend.concat(xs, axis),
  };
}
