/**
 * Reader and writer of the safetensors container: an 8-byte little-endian header length, a JSON header, raw
 * little-endian data. Files are untrusted: every size is checked against the bytes present before anything is allocated.
 *
 * Only the number types velojs computes with, F32 and F64. Every platform with a JavaScript engine is little-endian.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
import { sizeOf, VeloError } from '@velojs/core';
import { invalidFile } from './invalid-file.ts';
import { bytesOf, type StoredArray } from './stored-array.ts';

/** A tensor of a safetensors file; `data` is row-major and its class gives the number type. */
export interface SafetensorsTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** Maps, not records: the names in a file are arbitrary, `__proto__` included. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

const METADATA = '__metadata__';
const LENGTH_BYTES = 8;
/** Room for 100,000 tensors; ours have a few dozen. */
const MAX_HEADER_BYTES = 10_000_000;
const MAX_HEADER_VALUES = 1_000_000;
/** `{ name: { shape: [` is as deep as it goes. */
const MAX_HEADER_DEPTH = 3;
const NUMBERS = { F32: Float32Array, F64: Float64Array } as const;
/** Bytes per number of the types that the format knows. */
const TYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
};

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a whole safetensors file. Data is copied, so `bytes` may have any alignment and may be reused.
 *
 * Strict: data without gaps or overlaps, no bytes left over, no key twice, F32 and F64 only.
 *
 * @throws VeloError `WEIGHTS_INVALID` saying what is wrong with the file.
 * @example
 * ```ts
 * const { tensors, metadata } = readSafetensors(await readFile('theta.safetensors'));
 * tensors.get('keepWeight'); // { shape: [30, 16], data: Float32Array(480) }
 * ```
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { arrays, metadata } = parseSafetensors(bytes);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, { type, shape, bytes }] of arrays) {
    if (!Object.hasOwn(NUMBERS, type)) {
      throw invalid(`has "${name}" of type ${show(type)}: only F32 and F64 can be read`);
    }
    tensors.set(name, { shape, data: new NUMBERS[type as keyof typeof NUMBERS](new Uint8Array(bytes).buffer) });
  }
  return { tensors, metadata };
}

/**
 * As `readSafetensors`, but numbers are neither copied nor converted, and may be of any type.
 *
 * @throws VeloError `WEIGHTS_INVALID` saying what is wrong with the file.
 */
export function parseSafetensors(bytes: Uint8Array): {
  arrays: Map<string, StoredArray>;
  metadata: Map<string, string>;
} {
  if (!(bytes instanceof Uint8Array)) throw invalid('is not a Uint8Array: read it as bytes');
  if (bytes.length < LENGTH_BYTES)
    throw invalid(`has ${bytes.length} bytes: it is cut short, or not a safetensors file`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > bytes.length - LENGTH_BYTES) {
    throw invalid(
      `announces a header of ${headerBytes} bytes in a file of ${bytes.length}: it is cut short, or not a safetensors file`,
    );
  }
  const data = bytes.subarray(LENGTH_BYTES + headerBytes);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + headerBytes));

  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== METADATA) entries.push(entryOf(name, value));
    else {
      if (!isObject(value)) throw invalid(`has a ${METADATA} that is not an object`);
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== 'string') throw invalid(`has metadata "${key}" that is not a string`);
        metadata.set(key, text);
      }
    }
  }

  let expected = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected) {
      throw invalid(`has "${name}" at byte ${begin} of its data where the tensor before ends at ${expected}`);
    }
    expected = end;
  }
  if (expected !== data.length) throw invalid(`has ${data.length} bytes of data where its header asks for ${expected}`);

  const arrays = new Map<string, StoredArray>();
  for (const { name, type, shape, begin, end } of entries) {
    arrays.set(name, { shape, type, bytes: data.subarray(begin, end) });
  }
  return { arrays, metadata };
}

/**
 * Writes a safetensors file. The same contents give the same bytes in whatever order they come: names are sorted,
 * tensors of wider numbers lie before the others so that all are aligned, and the header is padded to a multiple of 8 bytes.
 *
 * @throws VeloError `SHAPE_MISMATCH` if a tensor's data does not fill its shape, `INVALID_ARGUMENT` for a tensor named
 * `__metadata__`, data that are neither Float32Array nor Float64Array, or metadata that are not strings.
 * @example
 * ```ts
 * writeSafetensors({ tensors: new Map([['x', { shape: [2], data: Float32Array.of(1, 2) }]]), metadata: new Map() });
 * ```
 */
export function writeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  const arrays = new Map<string, StoredArray>();
  for (const [name, { shape, data }] of tensors) {
    if (!(data instanceof Float32Array || data instanceof Float64Array)) {
      throw new VeloError('INVALID_ARGUMENT', `The data of "${name}" must be a Float32Array or a Float64Array.`);
    }
    if (sizeOf(shape) !== data.length) {
      throw new VeloError(
        'SHAPE_MISMATCH',
        `"${name}" has ${data.length} values where shape [${shape}] asks for ${sizeOf(shape)}.`,
      );
    }
    arrays.set(name, { shape, type: data instanceof Float64Array ? 'F64' : 'F32', bytes: bytesOf(data) });
  }
  return formatSafetensors(arrays, metadata);
}

/** As `writeSafetensors`, for numbers of any type of `TYPE_BYTES`. */
export function formatSafetensors(
  arrays: ReadonlyMap<string, StoredArray>,
  metadata: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  for (const [key, text] of metadata) {
    if (typeof text !== 'string') throw new VeloError('INVALID_ARGUMENT', `Metadata "${key}" must be a string.`);
  }
  if (arrays.has(METADATA)) throw new VeloError('INVALID_ARGUMENT', `A tensor cannot be named ${METADATA}.`);
  const byName = <V>(map: ReadonlyMap<string, V>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const ordered = byName(arrays).sort(([, a], [, b]) => TYPE_BYTES[b.type]! - TYPE_BYTES[a.type]!);

  let end = 0;
  const header: [string, unknown][] = metadata.size ? [[METADATA, Object.fromEntries(byName(metadata))]] : [];
  for (const [name, { type, shape, bytes }] of ordered) {
    const begin = end;
    end += bytes.length;
    header.push([name, { dtype: type, shape, data_offsets: [begin, end] }]);
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + end).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(text, LENGTH_BYTES);
  let offset = LENGTH_BYTES + headerBytes;
  for (const [, { bytes }] of ordered) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    boundHeader(text);
    header = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof VeloError) throw cause;
    throw invalid('has a header that is not JSON: it is damaged, or not a safetensors file', cause);
  }
  if (!isObject(header)) throw invalid('has a header that is not a JSON object');
  const twice = duplicateKey(text);
  if (twice !== undefined) throw invalid(`has the key "${twice}" twice`);
  return header;
}

/** Depth and number of values of what may be JSON, so that parsing takes no more memory than a header deserves. */
function boundHeader(text: string): void {
  let depth = 0;
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
    } else if (character === '{' || character === '[') {
      if (++depth > MAX_HEADER_DEPTH) throw invalid('has a header that is nested too deep');
    } else if (character === '}' || character === ']') depth--;
    else if (character === ',' && ++values > MAX_HEADER_VALUES) throw invalid('has a header of too many values');
  }
}

/** The first key that an object of this (valid) JSON text has twice: JSON.parse silently keeps the last. */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  const colon = /\s*:/y;
  for (let i = 0; i < json.length; i++) {
    if (json[i] === '{') open.push(new Set());
    else if (json[i] === '}') open.pop();
    else if (json[i] === '"') {
      const begin = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
      colon.lastIndex = i + 1;
      if (!colon.test(json)) continue;
      const key = JSON.parse(json.slice(begin, i + 1)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function entryOf(name: string, value: unknown): Entry {
  if (!isObject(value)) throw invalid(`describes "${name}" by something that is not an object`);
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  const extra = Object.keys(rest)[0];
  if (extra !== undefined) throw invalid(`describes "${name}" with an unknown key "${extra}"`);
  if (typeof dtype !== 'string') throw invalid(`has "${name}" of type ${show(dtype)}`);
  if (!isSizes(shape)) throw invalid(`has "${name}" of shape ${show(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw invalid(`has "${name}" at offsets ${show(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  // A product beyond 2^53 is inexact, or no number, but no difference of offsets could match it.
  const size = Object.hasOwn(TYPE_BYTES, dtype) ? sizeOf(shape) * TYPE_BYTES[dtype]! : null;
  if (size !== null && size !== end - begin)
    throw invalid(`gives "${name}" ${end - begin} bytes where its shape [${shape}] asks for ${size}`);
  return { name, type: dtype, shape, begin, end };
}

const show = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 80);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

const invalid = (what: string, cause?: unknown) => invalidFile(what, 'The safetensors file', cause);
