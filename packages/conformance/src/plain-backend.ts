import { type Backend, type Shape, scalarBinary, scalarReduce, scalarUnary, sizeOf, VeloError } from '@velojs/core';

/** A handle: any object with a `shape` that the backend can tell from other objects. */
export class PlainTensor {
  constructor(
    readonly shape: Shape,
    readonly data: Float32Array,
  ) {}
}

/** The tensor whose entries `value` computes from their positions. */
const build = (shape: Shape, value: (position: number[]) => number): PlainTensor => {
  const strides = shape.map((_, a) => sizeOf(shape.slice(a + 1)));
  const position = (i: number) => shape.map((axis, a) => Math.floor(i / strides[a]!) % axis);
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(position(i)));
  return new PlainTensor([...shape], data);
};

/** The entry at `position`, which may have more axes and be beyond axes of size 1: NumPy's broadcasting. */
const at = ({ shape, data }: PlainTensor, position: number[]): number => {
  const skipped = position.length - shape.length;
  return data[shape.reduce((i, axis, a) => i * axis + (axis === 1 ? 0 : position[a + skipped]!), 0)]!;
};

const operand = (x: PlainTensor | number) => (typeof x === 'number' ? new PlainTensor([], Float32Array.of(x)) : x);
const sum = (a: number[], b: number[]) => a.map((value, i) => value + b[i]!);

export const plain = (): Backend<PlainTensor> => ({
  name: 'plain',
  arithmetic: 'float32',
  isTensor: (value): value is PlainTensor => value instanceof PlainTensor,
  tensor: (values, shape) => new PlainTensor([...shape], Float32Array.from(values)),
  read: async (tensors) => tensors.map(({ data }) => data.slice()),
  synchronize: async () => {},
  // Garbage collection frees what nobody holds, so these have nothing to do.
  dispose: () => {},
  keep: (x) => x,
  scope(body) {
    const result = body();
    if (result instanceof Promise) throw new VeloError('SCOPE_ASYNC', 'The body of a scope must not be async.');
    return result;
  },
  own: (x) => new PlainTensor(x.shape, x.data.slice()),
  replace: (_state, next) => next,
  unary: (op, x) => new PlainTensor(x.shape, x.data.map(scalarUnary[op])),
  binary(op, a, b) {
    const [x, y] = [operand(a), operand(b)];
    const rank = Math.max(x.shape.length, y.shape.length);
    const axis = (shape: Shape, i: number) => shape[i - rank + shape.length] ?? 1;
    const shape = Array.from({ length: rank }, (_, i) => Math.max(axis(x.shape, i), axis(y.shape, i)));
    return build(shape, (position) => scalarBinary[op](at(x, position), at(y, position)));
  },
  reduce(op, x, axes) {
    const shape = x.shape.map((axis, a) => (axes.includes(a) ? 1 : axis));
    const group = x.shape.map((axis, a) => (axes.includes(a) ? axis : 1));
    const { start, join, finish } = scalarReduce[op];
    return build(shape, (position) => {
      const { data } = build(group, (offset) => at(x, sum(position, offset)));
      return finish(
        data.reduce((a, b) => join(a, b), start),
        data.length,
      );
    });
  },
  matmul(a, b) {
    const [k, m] = b.shape as [number, number];
    return build([a.shape[0]!, m], ([i, j]) => {
      let product = 0;
      for (let l = 0; l < k; l++) product += a.data[i! * k + l]! * b.data[l * m + j!]!;
      return product;
    });
  },
  reshape: (x, shape) => new PlainTensor([...shape], x.data),
  expand: (x, shape) => build(shape, (position) => at(x, position)),
  slice(x, axis, begin, end) {
    const shape = x.shape.with(axis, end - begin);
    return build(shape, (position) => at(x, position.with(axis, begin + position[axis]!)));
  },
  concat(xs, axis) {
    const parts = xs.flatMap((x) => Array.from({ length: x.shape[axis]! }, (_, i) => ({ x, i })));
    return build(xs[0]!.shape.with(axis, parts.length), (position) => {
      const { x, i } = parts[position[axis]!]!;
      return at(x, position.with(axis, i));
    });
  },
});
