import { VeloError } from '@velojs/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseSafetensors,
  readSafetensors,
  type Safetensors,
  type SafetensorsTensor,
  writeSafetensors,
} from './safetensors.ts';

const file = (tensors: Record<string, SafetensorsTensor>, metadata: Record<string, string> = {}): Safetensors => ({
  tensors: new Map(Object.entries(tensors)),
  metadata: new Map(Object.entries(metadata)),
});

/** A file of this header text and so many bytes of data. */
function bytesOf(header: string | Uint8Array, dataBytes: number, announced?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, announced ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (shape: number[], begin: number, end: number, dtype = 'F32') =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe('a written file', () => {
  it('is read back bit for bit: both types, scalars, empty tensors, any name', () => {
    const tensors = {
      scalar: { shape: [], data: Float64Array.of(-0) },
      matrix: { shape: [2, 3], data: Float32Array.of(1, -0, 1e-45, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY) },
      doubles: { shape: [2], data: Float64Array.of(0.1, Number.MAX_VALUE) },
      empty: { shape: [0, 4], data: new Float32Array(0) },
      'ü "quoted" \\ {"a":1}': { shape: [1], data: Float32Array.of(7) },
      constructor: { shape: [1], data: Float32Array.of(8) },
    };
    const written = file(tensors, { note: 'text {} "', constructor: 'x' });
    (written.tensors as Map<string, SafetensorsTensor>).set('__proto__', { shape: [1], data: Float32Array.of(9) });
    const read = readSafetensors(writeSafetensors(written));
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...written.tensors].sort()));
    expect(read.metadata).toEqual(written.metadata);
    expect(Object.is(read.tensors.get('scalar')!.data[0], -0)).toBe(true);
  });

  it('is the same whatever the order of its contents', () => {
    const a = { shape: [1], data: Float32Array.of(1) };
    const b = { shape: [1], data: Float64Array.of(2) };
    expect(writeSafetensors(file({ b, a }, { y: '1', x: '2' }))).toEqual(
      writeSafetensors(file({ a, b }, { x: '2', y: '1' })),
    );
  });

  it('has every tensor at a multiple of its element size', () => {
    const bytes = writeSafetensors(
      file({ a: { shape: [1], data: Float32Array.of(1) }, b: { shape: [1], data: Float64Array.of(2) } }),
    );
    const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
    expect(headerBytes % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
    expect(header).toEqual({
      b: { dtype: 'F64', shape: [1], data_offsets: [0, 8] },
      a: { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
    });
  });

  it('is read from memory of any alignment, and copied', () => {
    const bytes = writeSafetensors(file({ x: { shape: [2], data: Float32Array.of(1, 2) } }));
    for (const shift of [1, 2, 3, 4]) {
      const shifted = new Uint8Array(bytes.length + shift + 5).subarray(shift, shift + bytes.length);
      shifted.set(bytes);
      const { data } = readSafetensors(shifted).tensors.get('x')!;
      shifted.fill(0xff);
      expect(data).toEqual(Float32Array.of(1, 2));
      expect(data.buffer.byteLength).toBe(8);
    }
  });

  it('reads a typed array that is itself a view of a part of its buffer', () => {
    const data = Float32Array.of(0, 1, 2, 3).subarray(1, 3);
    expect(readSafetensors(writeSafetensors(file({ x: { shape: [2], data } }))).tensors.get('x')!.data).toEqual(
      Float32Array.of(1, 2),
    );
  });
});

it.each<[string, Safetensors, string]>([
  ['data that do not fill the shape', file({ x: { shape: [3], data: new Float32Array(2) } }), 'SHAPE_MISMATCH'],
  ['a tensor named __metadata__', file({ __metadata__: { shape: [], data: new Float32Array(1) } }), 'INVALID_ARGUMENT'],
  ['other data', file({ x: { shape: [1], data: [1] as never } }), 'INVALID_ARGUMENT'],
  ['metadata that are not text', file({}, { x: 1 as never }), 'INVALID_ARGUMENT'],
])('%s cannot be written', (_, contents, code) => {
  expect(() => writeSafetensors(contents)).toThrow(expect.objectContaining({ name: 'VeloError', code }));
});

describe('a malformed file is refused with WEIGHTS_INVALID', () => {
  const two = (a: string, b: string) => `{"a":${a},"b":${b}}`;
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /cut short/],
    ['less than a header length', new Uint8Array(7), /cut short/],
    ['a header longer than the file', bytesOf('{}', 0, 3n), /header of 3 bytes/],
    ['a header of 2^64 - 1 bytes', bytesOf('{}', 0, 2n ** 64n - 1n), /header of 1844/],
    ['a header that is not UTF-8', bytesOf(Uint8Array.of(0x7b, 0xff, 0x7d), 0), /not JSON/],
    ['a header that is not JSON', bytesOf('{"a":', 0), /not JSON/],
    ['an empty header', bytesOf('', 0), /not JSON/],
    ['a header that is an array', bytesOf('[]', 0), /not a JSON object/],
    ['a header that is null', bytesOf('null', 0), /not a JSON object/],
    ['a cut file', bytesOf(`{"a":${entry([2], 0, 8)}}`, 7), /7 bytes of data where its header asks for 8/],
    ['bytes left over', bytesOf(`{"a":${entry([2], 0, 8)}}`, 9), /9 bytes of data where its header asks for 8/],
    ['bytes without a tensor', bytesOf('{}', 1), /1 bytes of data where its header asks for 0/],
    ['a gap', bytesOf(two(entry([1], 0, 4), entry([1], 8, 12)), 12), /"b" at byte 8/],
    ['a gap at the start', bytesOf(`{"a":${entry([1], 4, 8)}}`, 8), /"a" at byte 4/],
    ['an overlap', bytesOf(two(entry([2], 0, 8), entry([2], 4, 12)), 12), /"b" at byte 4/],
    ['two tensors in one place', bytesOf(two(entry([1], 0, 4), entry([1], 0, 4)), 4), /"b" at byte 0/],
    ['offsets that run backwards', bytesOf(`{"a":${entry([1], 4, 0)}}`, 4), /offsets \[4,0\]/],
    ['a negative offset', bytesOf(`{"a":${entry([1], -4, 0)}}`, 4), /offsets \[-4,0\]/],
    ['a fractional offset', bytesOf(`{"a":${entry([1], 0, 4.5)}}`, 4), /offsets \[0,4.5\]/],
    ['three offsets', bytesOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', 4), /offsets/],
    ['no offsets', bytesOf('{"a":{"dtype":"F32","shape":[1]}}', 4), /offsets nothing/],
    ['a shape that is too large', bytesOf(`{"a":${entry([3], 0, 8)}}`, 8), /8 bytes where its shape \[3\] asks for 12/],
    ['a shape beyond all memory', bytesOf(`{"a":${entry([2 ** 50, 2 ** 50], 0, 8)}}`, 8), /asks for/],
    ['a product that overflows to 0', bytesOf(`{"a":${entry([2 ** 32, 2 ** 32], 0, 0)}}`, 0), /asks for/],
    [
      'a product that is no number',
      bytesOf(`{"a":${entry([...Array(25).fill(2 ** 50), 0], 0, 7)}}`, 7),
      /asks for NaN/,
    ],
    ['a negative axis', bytesOf(`{"a":${entry([-1, -2], 0, 8)}}`, 8), /shape \[-1,-2\]/],
    ['a fractional axis', bytesOf(`{"a":${entry([0.5, 4], 0, 8)}}`, 8), /shape \[0.5,4\]/],
    ['a shape that is not a list', bytesOf('{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}', 8), /shape 2/],
    ['half precision', bytesOf(`{"a":${entry([2], 0, 4, 'F16')}}`, 4), /"F16"/],
    ['a type that is a property of objects', bytesOf(`{"a":${entry([2], 0, 4, 'toString')}}`, 4), /"toString"/],
    ['no type', bytesOf('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), /type/],
    ['an unknown key', bytesOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4), /unknown key "x"/],
    ['a tensor that is not an object', bytesOf('{"a":1}', 0), /"a"/],
    ['metadata that are not an object', bytesOf('{"__metadata__":"x"}', 0), /__metadata__/],
    ['metadata that are not text', bytesOf('{"__metadata__":{"x":1}}', 0), /metadata "x"/],
    ['a tensor twice', bytesOf(`{"a":${entry([1], 0, 4)},"a":${entry([1], 0, 4)}}`, 4), /"a" twice/],
    ['a tensor twice, spelled differently', bytesOf(`{"a":${entry([1], 0, 4)},"\\u0061" :1}`, 4), /"a" twice/],
    ['a header that is nested too deep', bytesOf(`{"a":${'['.repeat(1_000_000)}`, 0), /nested too deep/],
    ['a shape of shapes', bytesOf('{"a":{"shape":[[]]}}', 0), /nested too deep/],
    ['a header of a million values', bytesOf(`{"a":[${'0,'.repeat(1_000_001)}0]}`, 0), /too many values/],
    ['a header that ends in a text', bytesOf('{"a', 0), /not JSON/],
    ['a header that ends in an escape', bytesOf('{"\\\\', 0), /not JSON/],
    [
      'a type twice',
      bytesOf('{"a":{"dtype":"F16","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /"dtype" twice/,
    ],
    ['metadata twice', bytesOf('{"__metadata__":{"x":"1","x":"2"}}', 0), /"x" twice/],
    ['__proto__ twice', bytesOf('{"__metadata__":{"__proto__":"1","__proto__":"2"}}', 0), /"__proto__" twice/],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(
      expect.objectContaining({ name: 'VeloError', code: 'WEIGHTS_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('something that is not bytes', () => {
    expect(() => readSafetensors('{}' as never)).toThrow(expect.objectContaining({ code: 'WEIGHTS_INVALID' }));
    expect(() => readSafetensors(new ArrayBuffer(8) as never)).toThrow(
      expect.objectContaining({ code: 'WEIGHTS_INVALID' }),
    );
  });

  it('keys named like properties of objects pollute nothing', () => {
    const bytes = bytesOf(`{"__metadata__":{"__proto__":"x"},"__proto__":${entry([1], 0, 4)}}`, 4);
    const { tensors, metadata } = readSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect([...metadata]).toEqual([['__proto__', 'x']]);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  it('a long header costs neither the stack nor minutes', () => {
    const key = 'x\\"'.repeat(1_000_000);
    expect(readSafetensors(bytesOf(`{"${key}":${entry([1], 0, 4)}}`, 4)).tensors.size).toBe(1);
  });

  it('whatever is done to a good file: no other error, no false success', () => {
    const good = writeSafetensors(
      file({ x: { shape: [2], data: Float32Array.of(1, 2) }, y: { shape: [], data: Float64Array.of(3) } }, { k: 'v' }),
    );
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(good.length), (changes, length) => {
        const bytes = good.slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        try {
          const { tensors } = readSafetensors(bytes);
          // A file that is still accepted describes exactly its own bytes.
          const total = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
          expect(total).toBe(length - 8 - new DataView(bytes.buffer).getUint32(0, true));
        } catch (error) {
          expect(error).toBeInstanceOf(VeloError);
          expect(error).toHaveProperty('code', 'WEIGHTS_INVALID');
        }
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });
});

describe('parseSafetensors', () => {
  it('tells what a file has, of any type, in place', () => {
    const bytes = bytesOf(`{"a":${entry([2], 0, 4, 'BF16')},"b":${entry([3], 4, 6, 'F4')}}`, 6);
    const { arrays } = parseSafetensors(bytes);
    expect(
      [...arrays].map(
        ([
          name,
          {
            shape,
            type,
            bytes: { length },
          },
        ]) => [name, shape, type, length],
      ),
    ).toEqual([
      ['a', [2], 'BF16', 4],
      ['b', [3], 'F4', 2],
    ]);
    expect(arrays.get('a')!.bytes.buffer).toBe(bytes.buffer);
  });

  it('checks the sizes of the types that it knows', () => {
    expect(() => parseSafetensors(bytesOf(`{"a":${entry([2], 0, 5, 'BF16')}}`, 5))).toThrow(
      expect.objectContaining({ code: 'WEIGHTS_INVALID', message: expect.stringMatching(/asks for 4/) }),
    );
  });

  it('says it briefly where a name is long', () => {
    const name = 'x'.repeat(1_000_000);
    expect(() => parseSafetensors(bytesOf(`{"${name}":1}`, 0))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{500,600}$/) }),
    );
  });
});
