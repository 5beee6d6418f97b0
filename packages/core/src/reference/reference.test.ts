import { describe, expect, it } from 'vitest';
import { reference } from './index.ts';

const disposed = expect.objectContaining({ code: 'DISPOSED' });

describe('the reference backend is strict', () => {
  it('throws on use after dispose and on double dispose', () => {
    const backend = reference();
    const x = backend.tensor([1, 2], [2]);
    backend.dispose(x);
    expect(() => backend.unary('abs', x)).toThrow(disposed);
    expect(() => backend.dispose(x)).toThrow(disposed);
    expect(() => backend.keep(x)).toThrow(disposed);
    expect(() => backend.replace(x, backend.tensor([1, 2], [2]))).toThrow(disposed);
  });

  it('throws on leaks when it is closed', () => {
    const backend = reference();
    const x = backend.tensor([1], [1]);
    expect(() => backend.close()).toThrow(/1 tensors were never disposed of: \[1\]/);
    backend.dispose(x);
    backend.close();
  });

  it('frees what a scope made, except what it returns or keeps, through every level', () => {
    const backend = reference();
    const result = backend.scope(() => {
      const inner = backend.scope(() => ({ list: [backend.tensor([1], [1]), null], n: 3 }));
      backend.keep(backend.tensor([2], [1]));
      backend.tensor([3], [1]);
      return inner;
    });
    expect(backend.liveTensors).toBe(2);
    expect(result.n).toBe(3);
    expect(backend.peek!(result.list[0]!)[0]).toBe(1);
    backend.scope(() => backend.scope(() => backend.tensor([1], [1])) && undefined);
    expect(backend.liveTensors).toBe(2);
  });

  it('frees what was made when the body throws or is asynchronous', () => {
    const backend = reference();
    expect(() =>
      backend.scope(() => {
        backend.tensor([1], [1]);
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(() => backend.scope(async () => backend.tensor([1], [1]))).toThrow(
      expect.objectContaining({ code: 'SCOPE_ASYNC' }),
    );
    expect(backend.liveTensors).toBe(0);
  });

  it('computes in double and stores state as float32', () => {
    const backend = reference();
    const third = backend.binary('div', backend.tensor([1], [1]), 3);
    expect(backend.peek!(third)[0]).toBe(1 / 3);
    const state = backend.own(backend.tensor([0], [1]));
    expect(backend.peek!(backend.replace(state, third))[0]).toBe(Math.fround(1 / 3));
    expect(() => backend.peek!(third)).toThrow(disposed);
  });

  it('writes state through to wrapped memory', () => {
    const backend = reference();
    const memory = Float32Array.of(1, 2);
    const wrapped = backend.wrap(memory, [2]);
    expect(backend.own(wrapped)).toBe(wrapped);
    backend.replace(wrapped, backend.tensor([5, 6], [2]));
    expect([...memory]).toEqual([5, 6]);
  });

  it('refuses shapes that do not fit', () => {
    const backend = reference();
    const [a, b] = [backend.tensor([1, 2, 3, 4, 5, 6], [2, 3]), backend.tensor([1, 2], [2])];
    const mismatch = expect.objectContaining({ code: 'SHAPE_MISMATCH' });
    expect(() => backend.tensor([1], [2])).toThrow(mismatch);
    expect(() => backend.binary('add', a, b)).toThrow(mismatch);
    expect(() => backend.matmul(a, a)).toThrow(mismatch);
    expect(() => backend.reshape(a, [4])).toThrow(mismatch);
    expect(() => backend.expand(a, [4, 3])).toThrow(mismatch);
    expect(() => backend.slice(a, 1, 2, 4)).toThrow(mismatch);
    expect(() => backend.concat([a, b], 0)).toThrow(mismatch);
  });
});
