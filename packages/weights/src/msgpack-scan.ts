/**
 * Looks through MessagePack of unknown origin before a library decodes it: the library bounds neither depth nor the
 * number of values, keeps the last of two equal keys, and lets keys that are bytes reach a prototype.
 *
 * Only what flax writes passes: text (or bytes) as keys, and the extensions 1 (array), 2 (complex) and 3 (scalar).
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 * @see SPEC section 13.1
 */
import type { VeloError } from '@velojs/core';
import { invalidFile } from './invalid-file.ts';

/**
 * A theta has a depth of 5 and fewer than 300 values; trees of whole models go a little further. Every leaf has its
 * path, so that depth, values and keys together bound memory: to 40 MB.
 */
const MAX_DEPTH = 16;
const MAX_VALUES = 20_000;
const MAX_KEY_BYTES = 128;
const MAX_TEXT_BYTES = 10_000;
const MAX_RANK = 32;

export const ARRAY_EXTENSION = 1;
export const COMPLEX_EXTENSION = 2;
export const SCALAR_EXTENSION = 3;

type Kind = 'map' | 'array' | 'text' | 'bytes' | 'extension' | 'integer' | 'other';

/** The first byte of a value, and what follows from it. */
interface Head {
  readonly kind: Kind;
  /** Entries of a map or array, bytes of everything else. */
  readonly size: number;
}

/**
 * @throws VeloError `WEIGHTS_INVALID` unless `bytes` is exactly one value, complete, without a key twice, and within
 * the bounds above. Nothing is allocated by what the bytes announce.
 */
export function scanMsgpack(bytes: Uint8Array): void {
  const scan = new Scan(bytes);
  scan.value(0);
  scan.end();
}

class Scan {
  private position = 0;
  private values = 0;
  private readonly view: DataView;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  value(depth: number): void {
    if (depth > MAX_DEPTH) throw invalidFlax(`is nested more than ${MAX_DEPTH} deep`);
    const { kind, size } = this.head();
    if (kind === 'map') this.map(size, depth);
    else if (kind === 'array') for (let i = 0; i < size; i++) this.value(depth + 1);
    else if (kind === 'extension') this.extension(size);
    else if (kind === 'text') this.text(size, MAX_TEXT_BYTES);
    else this.skip(size);
  }

  end(): void {
    const rest = this.bytes.length - this.position;
    if (rest > 0) throw invalidFlax(`has ${rest} bytes left over after its end: it is damaged`);
  }

  private map(size: number, depth: number): void {
    const keys = new Set<string>();
    for (let i = 0; i < size; i++) {
      const head = this.head();
      if (head.kind !== 'text' && head.kind !== 'bytes') throw invalidFlax('has a key that is not text');
      const key = this.text(head.size, MAX_KEY_BYTES);
      if (key === '__proto__') throw invalidFlax('has the key "__proto__": it is not a weight file');
      if (keys.has(key)) throw invalidFlax(`has the key "${key}" twice`);
      keys.add(key);
      this.value(depth + 1);
    }
  }

  /** Extensions hold MessagePack of their own: `[shape, type, data]`, or `[real, imaginary]`. */
  private extension(size: number): void {
    const type = this.view.getInt8(this.skip(1));
    const end = this.position + size;
    this.available(size);
    if (type === ARRAY_EXTENSION || type === SCALAR_EXTENSION) {
      this.array(3);
      const rank = this.expect('array');
      if (rank > MAX_RANK) throw invalidFlax(`has an array of ${rank} axes`);
      for (let i = 0; i < rank; i++) this.skip(this.expect('integer'));
      const { kind, size: textSize } = this.head();
      if (kind !== 'text' && kind !== 'bytes') throw invalidFlax('has an array without the name of its type');
      this.text(textSize, MAX_KEY_BYTES);
      this.skip(this.expect('bytes'));
    } else if (type === COMPLEX_EXTENSION) {
      this.array(2);
      for (let i = 0; i < 2; i++) {
        const head = this.head();
        if (head.kind !== 'integer' && head.kind !== 'other') throw invalidFlax('has a complex number that is none');
        this.skip(head.size);
      }
    } else {
      throw invalidFlax(`has an extension of type ${type}, which flax does not write`);
    }
    if (this.position !== end) throw invalidFlax('has an array whose content is longer or shorter than announced');
  }

  private array(length: number): void {
    if (this.expect('array') !== length) throw invalidFlax(`has an array that is not described by ${length} entries`);
  }

  private expect(expected: Kind): number {
    const { kind, size } = this.head();
    if (kind !== expected) throw invalidFlax('has an array whose description is damaged');
    return size;
  }

  private text(size: number, limit: number): string {
    if (size > limit) throw invalidFlax(`has a text of ${size} bytes where ${limit} are allowed`);
    const begin = this.skip(size);
    try {
      return this.decoder.decode(this.bytes.subarray(begin, begin + size));
    } catch (cause) {
      throw invalidFlax('has a text that is not UTF-8', cause);
    }
  }

  private head(): Head {
    if (++this.values > MAX_VALUES) throw invalidFlax(`has more than ${MAX_VALUES} values`);
    const byte = this.bytes[this.skip(1)]!;
    if (byte < 0x80 || byte >= 0xe0) return { kind: 'integer', size: 0 };
    if (byte < 0x90) return this.entries('map', byte & 0x0f);
    if (byte < 0xa0) return this.entries('array', byte & 0x0f);
    if (byte < 0xc0) return { kind: 'text', size: byte & 0x1f };
    switch (byte) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return { kind: 'other', size: 0 };
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return { kind: 'bytes', size: this.size(1 << (byte - 0xc4)) };
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return { kind: 'extension', size: this.size(1 << (byte - 0xc7)) };
      case 0xca: // float32
        return { kind: 'other', size: 4 };
      case 0xcb: // float64
        return { kind: 'other', size: 8 };
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return { kind: 'integer', size: 1 << (byte - 0xcc) };
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return { kind: 'integer', size: 1 << (byte - 0xd0) };
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return { kind: 'extension', size: 1 << (byte - 0xd4) };
      case 0xd9:
      case 0xda:
      case 0xdb:
        return { kind: 'text', size: this.size(1 << (byte - 0xd9)) };
      case 0xdc:
      case 0xdd:
        return this.entries('array', this.size(2 << (byte - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.entries('map', this.size(2 << (byte - 0xde)));
      default:
        throw invalidFlax(`has a byte 0x${byte.toString(16)} where a value should begin: it is damaged`);
    }
  }

  /** The library allocates by these counts; an entry takes at least a byte, one of a map two. */
  private entries(kind: 'map' | 'array', size: number): Head {
    this.available(kind === 'map' ? 2 * size : size);
    if (size > MAX_VALUES) throw invalidFlax(`has more than ${MAX_VALUES} values`);
    return { kind, size };
  }

  /** A big-endian number of 1, 2 or 4 bytes. */
  private size(width: number): number {
    const at = this.skip(width);
    if (width === 1) return this.view.getUint8(at);
    return width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
  }

  /** Where the bytes that are passed over began. */
  private skip(size: number): number {
    this.available(size);
    this.position += size;
    return this.position - size;
  }

  private available(size: number): void {
    const rest = this.bytes.length - this.position;
    if (size > rest) throw invalidFlax(`announces ${size} bytes where ${rest} are left: it is cut short or damaged`);
  }
}

export const invalidFlax = (what: string, cause?: unknown): VeloError => invalidFile(what, 'The flax file', cause);
