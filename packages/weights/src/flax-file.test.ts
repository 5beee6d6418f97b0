import { readFileSync } from 'node:fs';
import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { type FlaxTree, readFlax, writeFlax } from './flax-file.ts';

const bytes = (...parts: (number | string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part)] : part)));
const array = (shape: number[], type: string, length: number): FlaxTree => ({
  shape,
  type,
  bytes: Uint8Array.from({ length }, (_, i) => i),
});
/** An ext 8 of this type and payload. */
const extension = (type: number, payload: Uint8Array) => bytes(0xc7, payload.length, type, [...payload]);
const map1 = (value: Uint8Array) => bytes(0x81, 0xa1, 'x', Array.from(value));

describe('a flax file', () => {
  it('gives its leaves by path, arrays in place', () => {
    const file = writeFlax({ a: { '~': array([2], 'float32', 8), 'b/c': 'text' }, n: -7, e: {} });
    const leaves = readFlax(file);
    expect([...leaves.keys()]).toEqual(['a.~', 'a.b/c', 'n']);
    expect(leaves.get('a.~')).toEqual(array([2], 'float32', 8));
    expect((leaves.get('a.~') as { bytes: Uint8Array }).bytes.buffer).toBe(file.buffer);
    expect([leaves.get('a.b/c'), leaves.get('n')]).toEqual(['text', -7]);
  });

  it('is written as MessagePack for Python packs it, at every width of a size', () => {
    for (const length of [0, 1, 15, 16, 31, 32, 127, 255, 256, 65_535, 65_536]) {
      const file = writeFlax({ x: array([length], 'uint8', length) });
      const data =
        length < 256 ? [0xc4, length] : length < 65_536 ? [0xc5, length >> 8, length & 255] : [0xc6, 0, 1, 0, 0];
      const shape =
        length < 128
          ? [length]
          : length < 256
            ? [0xcc, length]
            : length < 65_536
              ? [0xcd, length >> 8, length & 255]
              : [0xce, 0, 1, 0, 0];
      const head = bytes(0x93, 0x91, shape, 0xa5, 'uint8', data);
      const size = head.length + length;
      const ext =
        { 16: [0xd8] }[size] ??
        (size < 256
          ? [0xc7, size]
          : size < 65_536
            ? [0xc8, size >> 8, size & 255]
            : [0xc9, 0, 1, (size >> 8) & 255, size & 255]);
      expect(file.subarray(0, file.length - length)).toEqual(bytes(0x81, 0xa1, 'x', ext, 1, [...head]));
      expect(readFlax(file).get('x')).toEqual(array([length], 'uint8', length));
    }
  });

  it('may have names of types and keys as bytes, as very old ones do', () => {
    const payload = bytes(0x93, 0x91, 1, 0xc4, 7, 'float32', 0xc4, 4, 0, 0, 0x80, 0x3f);
    const file = bytes(0x81, 0xc4, 1, 'k', [...extension(1, payload)]);
    expect(readFlax(file).get('k')).toEqual({ shape: [1], type: 'float32', bytes: bytes(0, 0, 0x80, 0x3f) });
  });

  it('may have scalars, complex numbers, big integers, lists and everything else of MessagePack', () => {
    const scalar = extension(3, bytes(0x93, 0x90, 0xa5, 'int32', 0xc4, 4, 5, 0, 0, 0));
    expect(readFlax(map1(scalar)).get('x')).toEqual({ shape: [], type: 'int32', bytes: bytes(5, 0, 0, 0) });
    const complex = extension(2, bytes(0x92, 0xcb, [0, 0, 0, 0, 0, 0, 0, 0], 0x01));
    expect(readFlax(map1(complex)).get('x')).toMatchObject({ shape: [], type: 'complex' });
    const file = encode({ list: [1, 2.5, [true, null]], big: 2n ** 63n }, { useBigInt64: true });
    expect(Object.fromEntries(readFlax(file))).toEqual({
      'list.0': 1,
      'list.1': 2.5,
      'list.2.0': true,
      'list.2.1': null,
      big: 2n ** 63n,
    });
  });

  it('of a type without known size is listed', () => {
    expect(readFlax(writeFlax({ x: array([3], 'int4', 2) })).get('x')).toMatchObject({ type: 'int4', shape: [3] });
  });

  it('keeps keys that are named like properties of objects', () => {
    expect([...readFlax(writeFlax({ constructor: 'c', toString: { hasOwnProperty: 1 } })).keys()]).toEqual([
      'constructor',
      'toString.hasOwnProperty',
    ]);
  });

  it('keeps byte order marks, so that keys are those that were looked at', () => {
    const mark = [0xef, 0xbb, 0xbf];
    const twice = bytes(0x82, 0xc4, 4, mark, 'x', 1, 0xa1, 'x', 2);
    expect([...readFlax(twice)]).toEqual([
      ['\ufeffx', 1],
      ['x', 2],
    ]);
    const prototype = bytes(0x81, 0xc4, 12, mark, '__proto__', 0x81, 0xa1, 'x', 1);
    expect([...readFlax(prototype).keys()]).toEqual(['\ufeff__proto__.x']);
  });
});

describe('is refused with WEIGHTS_INVALID', () => {
  const nested = (level: Uint8Array, depth: number) =>
    map1(Uint8Array.from({ length: depth * level.length + 1 }, (_, i) => level[i % level.length]!));
  const ext1 = (...parts: Parameters<typeof bytes>) => map1(extension(1, bytes(...parts)));
  const chunked = (...parts: FlaxTree[]) =>
    writeFlax({
      x: {
        __msgpack_chunked_array__: 1,
        shape: { 0: 4 },
        chunks: Object.fromEntries(parts.map((part, i) => [`${i}`, part])),
      },
    });
  const tuple = (fields: FlaxTree, values: FlaxTree) => writeFlax({ x: { name: 'T', fields, values } });
  const whole = new Uint8Array(readFileSync(new URL('../golden/bare.msgpack', import.meta.url)));

  it.each<[string, Uint8Array, RegExp]>([
    ['a cut file', whole.subarray(0, 9000), /cut short or damaged/],
    ['bytes left over', bytes([...whole], 0), /1 bytes left over/],
    ['a byte that means nothing', map1(bytes(0xc1)), /byte 0xc1/],
    [
      'a map of 2^32 - 1 entries',
      bytes(0xdf, 255, 255, 255, 255, 0xa1, 'x', 0xc0),
      /announces 8589934590 bytes where 3/,
    ],
    ['a list of 2^32 - 1 entries', map1(bytes(0xdd, 255, 255, 255, 255, 0xc0)), /announces 4294967295 bytes/],
    ['a text of 4 GB', map1(bytes(0xdb, 255, 255, 255, 255, 'x')), /text of 4294967295 bytes/],
    ['data of 4 GB', map1(bytes(0xc6, 255, 255, 255, 255, 'x')), /announces 4294967295 bytes/],
    ['an extension of 4 GB', map1(bytes(0xc9, 255, 255, 255, 255, 1)), /announces 4294967295 bytes/],
    ['an extension without its type', map1(bytes(0xc7, 0)), /announces 1 bytes where 0/],
    ['maps in maps', nested(bytes(0x81, 0xa1, 'x'), 40), /more than 16 deep/],
    ['lists in lists, a million', nested(bytes(0x91), 1_000_000), /more than 16 deep/],
    [
      'more values than a tree of weights has',
      bytes(0x81, 0xa1, 'x', 0xdd, 0, 0, 0x4e, 0x20, Array(20_000).fill(0)),
      /more than 20000 values/,
    ],
    ['many small maps', map1(bytes(0xdd, 0, 0, 0x40, 0, Array(16_384).fill(0x80), 0)), /left over/],
    ['a key twice', bytes(0x82, 0xa1, 'x', 1, 0xa1, 'x', 2), /key "x" twice/],
    ['a key twice, as text and as bytes', bytes(0x82, 0xa1, 'x', 1, 0xc4, 1, 'x', 2), /key "x" twice/],
    ['a key twice, of different widths', bytes(0x82, 0xa1, 'x', 1, 0xd9, 1, 'x', 2), /key "x" twice/],
    ['two paths that are one', bytes(0x82, 0xa3, 'a.b', 1, 0xa1, 'a', 0x81, 0xa1, 'b', 2), /two leaves "a.b"/],
    ['__proto__ as text', bytes(0x81, 0xa9, '__proto__', 0x81, 0xa1, 'x', 1), /__proto__/],
    ['__proto__ as bytes', bytes(0x81, 0xc4, 9, '__proto__', 0x81, 0xa1, 'x', 1), /__proto__/],
    ['a key that is a number', bytes(0x81, 1, 1), /key that is not text/],
    ['a key that is an extension', bytes(0x81, 0xd4, 1, 0, 1), /key that is not text/],
    ['a key that is not UTF-8', bytes(0x81, 0xa1, 0xff, 1), /not UTF-8/],
    ['a key of 200 bytes', bytes(0x81, 0xd9, 200, 'x'.repeat(200), 1), /200 bytes where 128/],
    ['an unknown extension', map1(extension(4, bytes(0xc0))), /extension of type 4/],
    ['a time stamp', map1(extension(-1, bytes(0, 0, 0, 0))), /extension of type (-1|255)/],
    [
      'an extension in an extension',
      ext1(0x93, [...extension(1, bytes(0x90))], 0xa1, 'x', 0xc4, 0),
      /description is damaged/,
    ],
    ['an array of two entries', ext1(0x92, 0x91, 1, 0xa5, 'uint8'), /not described by 3/],
    ['an array of a shape that is a number', ext1(0x93, 1, 0xa5, 'uint8', 0xc4, 1, 0), /description is damaged/],
    ['an array with an axis that is a text', ext1(0x93, 0x91, 0xa1, '1', 0xa5, 'uint8', 0xc4, 1, 0), /damaged/],
    ['an array of a negative axis', ext1(0x93, 0x92, 0xff, 0xff, 0xa5, 'uint8', 0xc4, 1, 0), /shape \[-1,-1\]/],
    ['an array of 33 axes', ext1(0x93, 0xdc, 0, 33, Array(33).fill(1), 0xa5, 'uint8', 0xc4, 1, 0), /33 axes/],
    ['an array of a type without name', ext1(0x93, 0x91, 1, 0xc0, 0xc4, 1, 0), /name of its type/],
    ['an array with text as data', ext1(0x93, 0x91, 1, 0xa5, 'uint8', 0xa1, 'x'), /damaged/],
    [
      'an array with more data than its shape',
      ext1(0x93, 0x91, 1, 0xa7, 'float32', 0xc4, 5, 0, 0, 0, 0, 0),
      /5 bytes where its shape \[1\]/,
    ],
    [
      'an array of a gigantic shape',
      ext1(0x93, 0x92, 0xcf, 0, 1, [0, 0, 0, 0, 0, 0], 0xcf, 0, 1, [0, 0, 0, 0, 0, 0], 0xa7, 'float32', 0xc4, 0),
      /ask for/,
    ],
    [
      'an array that is longer than its extension',
      map1(bytes(0xc7, 9, 1, 0x93, 0x91, 2, 0xa5, 'uint8', 0xc4, 2, 0, 0)),
      /longer or shorter/,
    ],
    [
      'an array that is shorter than its extension',
      ext1(0x93, 0x91, 1, 0xa5, 'uint8', 0xc4, 1, 0, 0),
      /longer or shorter/,
    ],
    ['a complex number of texts', map1(extension(2, bytes(0x92, 0xa1, 'x', 1))), /complex number that is none/],
    ['pieces of different types', chunked(array([2], 'int16', 4), array([1], 'int32', 4)), /do not fit together/],
    ['pieces that are no arrays', chunked('x'), /do not fit together/],
    ['pieces that are too few', chunked(array([1], 'int16', 2)), /2 bytes where its shape \[4\]/],
    ['no pieces', chunked(), /no pieces/],
    ['pieces without a shape', writeFlax({ x: { __msgpack_chunked_array__: 1 } }), /incomplete/],
    [
      'pieces that are numbered from 1',
      writeFlax({ x: { __msgpack_chunked_array__: 1, shape: { 1: 4 }, chunks: {} } }),
      /without the entry "0"/,
    ],
    [
      'pieces whose shape is text',
      writeFlax({ x: { __msgpack_chunked_array__: 1, shape: { 0: 'a' }, chunks: { 0: array([4], 'int8', 4) } } }),
      /shape \[a\]/,
    ],
    ['a named tuple of fewer values', tuple({ 0: 'a', 1: 'b' }, { 0: 1 }), /do not match/],
    ['a named tuple of equal names', tuple({ 0: 'a', 1: 'a' }, { 0: 1, 1: 2 }), /do not match/],
    ['a named tuple of nameless fields', tuple({ 0: 1 }, { 0: 1 }), /do not match/],
    ['a named tuple of no lists', tuple('a', 'b'), /not a list/],
  ])('%s', (_, file, message) => {
    expect(() => readFlax(file)).toThrow(
      expect.objectContaining({ name: 'VeloError', code: 'WEIGHTS_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('wherever it is cut', () => {
    for (let length = 0; length < whole.length; length += length < 400 ? 1 : 97) {
      expect(() => readFlax(whole.subarray(0, length))).toThrow(expect.objectContaining({ code: 'WEIGHTS_INVALID' }));
    }
  });

  it('and touches no prototype', () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const polluted = bytes(0x81, 0xab, 'constructor', 0x81, 0xa9, 'prototype', 0x81, 0xa1, 'x', 1);
    readFlax(bytes([...polluted]));
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});
