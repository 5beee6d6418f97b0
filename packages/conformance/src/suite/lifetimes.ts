/** Who owns a tensor, and until when. */
import type { Tensor } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { codeOf, expectNoLeak, readOne, type Suite } from './suite.ts';

export function describeLifetimes<T extends Tensor>(suite: Suite<T>): void {
  const { backend } = suite;
  const make = (...values: number[]) => backend.tensor(values, [values.length]);
  const float32 = (...values: number[]) => Float32Array.from(values);
  const noLeak = (body: () => unknown) => expectNoLeak(suite, body);

  describe('scope', () => {
    it('frees what is made in it and not returned', () =>
      noLeak(async () => {
        const x = make(1, 2);
        const sum = backend.scope(() => {
          const y = backend.unary('square', x);
          backend.unary('abs', y);
          return backend.binary('add', y, x);
        });
        expect(await backend.read([sum, x])).toEqual([float32(2, 6), float32(1, 2)]);
        backend.dispose(sum);
        backend.dispose(x);
      }));

    it('lets tensors in arrays and objects survive, and passes host values through', () =>
      noLeak(async () => {
        const means = Float64Array.of(1, 2);
        const result = backend.scope(() => ({
          list: [make(1), [make(2), null]] as const,
          nested: { deep: { x: make(3) } },
          count: 4,
          name: 'five',
          flag: true,
          nothing: undefined,
          means,
        }));
        const { list, nested, ...rest } = result;
        expect(rest).toEqual({ count: 4, name: 'five', flag: true, nothing: undefined, means });
        const tensors = [list[0], list[1][0], nested.deep.x];
        expect(await backend.read(tensors)).toEqual([float32(1), float32(2), float32(3)]);
        for (const tensor of tensors) backend.dispose(tensor);
      }));

    it('returns nothing where its body does', () =>
      noLeak(() => expect(backend.scope(() => void make(1))).toBe(undefined)));

    it('nests: what an inner scope returns belongs to the outer one', () =>
      noLeak(async () => {
        const outer = backend.scope(() => {
          const inner = backend.scope(() => [make(1), make(2)] as const);
          return backend.binary('add', inner[0], inner[1]);
        });
        expect(await readOne(backend, outer)).toEqual(float32(3));
        backend.dispose(outer);
      }));

    it('leaves alone what was made outside, returned or not', () =>
      noLeak(async () => {
        const x = make(1);
        const y = make(2);
        expect(backend.scope(() => x)).toBe(x);
        backend.scope(() => {
          backend.binary('add', x, y);
        });
        expect(await backend.read([x, y])).toEqual([float32(1), float32(2)]);
        for (const tensor of [x, y]) backend.dispose(tensor);
      }));

    it('lets a tensor that is returned twice live once', () =>
      noLeak(async () => {
        const [x, y] = backend.scope(() => {
          const z = make(7);
          return [z, z] as const;
        });
        expect(x).toBe(y);
        expect(await readOne(backend, x)).toEqual(float32(7));
        backend.dispose(x);
      }));

    it('takes tensors that were disposed of inside', () =>
      noLeak(() =>
        backend.scope(() => {
          backend.dispose(make(1));
        }),
      ));

    it('frees everything when its body throws, and throws on', () =>
      noLeak(() => {
        const failure = new Error('on purpose');
        expect(() =>
          backend.scope(() => {
            make(1);
            throw failure;
          }),
        ).toThrow(failure);
      }));

    it('throws SCOPE_ASYNC on a promise', () =>
      noLeak(async () => {
        expect(await codeOf(() => backend.scope(async () => void make(1)))).toBe('SCOPE_ASYNC');
        // A scope that failed is closed all the same.
        const x = backend.scope(() => make(2));
        expect(await readOne(backend, x)).toEqual(float32(2));
        backend.dispose(x);
      }));

    it('gives storage back only with its last handle', () =>
      noLeak(async () => {
        const alias = backend.scope(() => backend.reshape(make(1, 2, 3, 4), [2, 2]));
        expect(await readOne(backend, alias)).toEqual(float32(1, 2, 3, 4));
        const again = backend.reshape(alias, [4]);
        backend.dispose(alias);
        expect(await readOne(backend, again)).toEqual(float32(1, 2, 3, 4));
        backend.dispose(again);
      }));
  });

  describe('keep', () => {
    it('lets a tensor survive every scope around it', () =>
      noLeak(async () => {
        const kept: T[] = [];
        backend.scope(() =>
          backend.scope(() => {
            const x = make(5);
            expect(backend.keep(x)).toBe(x);
            kept.push(x);
          }),
        );
        expect(await backend.read(kept)).toEqual([float32(5)]);
        backend.dispose(kept[0]!);
      }));
  });

  describe('own and replace', () => {
    it('own gives a copy that can be overwritten', () =>
      noLeak(async () => {
        const x = make(1, 2);
        const state = backend.own(x);
        const next = backend.replace(state, make(3, 4));
        expect(await backend.read([x, next])).toEqual([float32(1, 2), float32(3, 4)]);
        backend.dispose(x);
        backend.dispose(next);
      }));

    it('replace leaves one handle with the new value, which survives scopes', () =>
      noLeak(async () => {
        const first = make(1, 2);
        let state = backend.own(first);
        backend.dispose(first);
        for (const value of [3, 5, 7]) {
          backend.scope(() => {
            state = backend.replace(state, backend.binary('add', make(value, value), 1));
          });
          expect([...state.shape]).toEqual([2]);
          expect(await readOne(backend, state)).toEqual(float32(value + 1, value + 1));
        }
        backend.dispose(state);
      }));

    it('replace takes a value computed from the state itself', () =>
      noLeak(async () => {
        const first = make(1, 2);
        let state = backend.own(first);
        backend.dispose(first);
        for (let i = 0; i < 3; i++) {
          backend.scope(() => {
            state = backend.replace(state, backend.binary('mul', state, 2));
          });
        }
        expect(await readOne(backend, state)).toEqual(float32(8, 16));
        backend.dispose(state);
      }));

    it('read gives the values as of its call, whatever is written before it resolves', () =>
      noLeak(async () => {
        const first = make(1, 2);
        let state = backend.own(first);
        const reading = backend.read([state]);
        backend.scope(() => {
          state = backend.replace(state, backend.binary('mul', state, 10));
        });
        expect(await reading).toEqual([float32(1, 2)]);
        expect(await readOne(backend, state)).toEqual(float32(10, 20));
        for (const tensor of [first, state]) backend.dispose(tensor);
      }));

    it('replace does not reach tensors that were computed from the old value', () =>
      noLeak(async () => {
        const first = make(1, 2);
        let state = backend.own(first);
        const sum = backend.binary('add', state, 10);
        state = backend.replace(state, make(3, 4));
        expect(await backend.read([first, sum, state])).toEqual([float32(1, 2), float32(11, 12), float32(3, 4)]);
        for (const tensor of [first, sum, state]) backend.dispose(tensor);
      }));
  });

  if (suite.has('hostMemory')) {
    describe('host memory', () => {
      it('peek shows the values, without a copy', () =>
        noLeak(() => {
          const x = make(1, 2);
          expect(Array.from(backend.peek!(x))).toEqual([1, 2]);
          expect(backend.peek!(x).buffer).toBe(backend.peek!(x).buffer);
          backend.dispose(x);
        }));

      it('borrow makes a tensor of what it is given, and writes nothing to it', () =>
        noLeak(() => {
          const values = float32(1, 2, 3, 4);
          const result = backend.scope(() => {
            const x = backend.borrow!(values, [2, 2]);
            expect(backend.isTensor(x)).toBe(true);
            expect([...x.shape]).toEqual([2, 2]);
            return backend.unary('square', x);
          });
          expect(Array.from(backend.peek!(result))).toEqual([1, 4, 9, 16]);
          expect(values).toEqual(float32(1, 2, 3, 4));
          backend.dispose(result);
        }));
    });
  }

  if (suite.has('disposed')) {
    describe('after dispose', () => {
      const uses: Readonly<Record<string, (x: T, y: T) => unknown>> = {
        dispose: (x) => backend.dispose(x),
        read: (x) => backend.read([x]),
        keep: (x) => backend.keep(x),
        own: (x) => backend.own(x),
        'replace (state)': (x, y) => backend.replace(x, y),
        'replace (next)': (x, y) => backend.replace(y, x),
        unary: (x) => backend.unary('abs', x),
        'binary (left)': (x, y) => backend.binary('add', x, y),
        'binary (right)': (x, y) => backend.binary('add', y, x),
        reduce: (x) => backend.reduce('mean', x, [0]),
        matmul: (x, y) => backend.matmul(y, x),
        reshape: (x) => backend.reshape(x, [2]),
        expand: (x) => backend.expand(x, [1, 2]),
        slice: (x) => backend.slice(x, 1, 0, 1),
        concat: (x, y) => backend.concat([y, x], 1),
      };
      for (const [name, use] of Object.entries(uses)) {
        it(`${name} throws DISPOSED`, () =>
          noLeak(async () => {
            const x = backend.tensor([1, 2], [1, 2]);
            const y = backend.tensor([3], [1, 1]);
            backend.dispose(x);
            expect(await codeOf(() => use(x, y))).toBe('DISPOSED');
            backend.dispose(y);
          }));
      }

      if (suite.has('liveTensors')) {
        it('so does what a scope has freed', async () => {
          const leaked: T[] = [];
          backend.scope(() => {
            leaked.push(make(1));
          });
          expect(await codeOf(() => backend.read(leaked))).toBe('DISPOSED');
        });
      }
    });
  }
}
