/**
 * Files of flax: trees of arrays in MessagePack (SPEC section 13.1). Only `formats.ts` imports this, and
 * dynamically: the library is not loaded by who reads no such file.
 */
import { decode, ExtensionCodec, encode } from '@msgpack/msgpack';
import { sizeOf, VeloError } from '@velojs/core';
import { ARRAY_EXTENSION, COMPLEX_EXTENSION, invalidFlax, SCALAR_EXTENSION, scanMsgpack } from './msgpack-scan.ts';
import { bytesOf, isStoredArray, type StoredArray } from './stored-array.ts';

export type FlaxLeaf = StoredArray | string | number | bigint | boolean | null | Uint8Array;
/** What can be written. Keys come out in the order they have here. */
export type FlaxTree = StoredArray | string | number | bigint | { readonly [key: string]: FlaxTree };

/** Bytes per number; a type that is not here can be listed, but its size is not checked. */
const TYPE_BYTES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
  complex64: 8,
  complex128: 16,
};

const CHUNKED = '__msgpack_chunked_array__';

/** Distinguishes arrays from maps in what the library decodes. */
class FlaxArray implements StoredArray {
  constructor(
    readonly shape: readonly number[],
    readonly type: string,
    readonly bytes: Uint8Array,
  ) {}
}

/** As `scanMsgpack` decodes keys: what it saw is what comes out, a byte order mark included. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const textOf = (text: unknown) => (typeof text === 'string' ? text : decoder.decode(text as Uint8Array));

const extensionCodec = new ExtensionCodec();
for (const type of [ARRAY_EXTENSION, SCALAR_EXTENSION]) {
  extensionCodec.register({
    type,
    encode: (value: unknown) =>
      type === ARRAY_EXTENSION && value instanceof FlaxArray ? encode([value.shape, value.type, value.bytes]) : null,
    decode: (payload) => {
      const [shape, name, bytes] = decode(payload) as [number[], unknown, Uint8Array];
      return checkedArray(shape, textOf(name), bytes);
    },
  });
}
extensionCodec.register({
  type: COMPLEX_EXTENSION,
  encode: () => null,
  decode: (payload) => new FlaxArray([], 'complex', payload),
});

/**
 * The leaves of a flax file by their path, joined by dots. Arrays lie in `bytes`; nothing is copied but arrays that
 * flax cut in pieces.
 *
 * @throws VeloError `WEIGHTS_INVALID` if it is damaged or beyond the bounds of `scanMsgpack`.
 */
export function readFlax(bytes: Uint8Array): Map<string, FlaxLeaf> {
  scanMsgpack(bytes);
  const leaves = new Map<string, FlaxLeaf>();
  const visit = (node: unknown, path: string): void => {
    const value = isMap(node) ? (namedTuple(node) ?? chunkedArray(node) ?? node) : node;
    if (isMap(value) || Array.isArray(value)) {
      for (const [key, child] of Object.entries(value)) visit(child, path === '' ? key : `${path}.${key}`);
    } else {
      if (leaves.has(path)) throw invalidFlax(`has two leaves "${path}"`);
      leaves.set(path, value as FlaxLeaf);
    }
  };
  try {
    visit(decode(bytes, { extensionCodec, useBigInt64: true, mapKeyConverter: textOf }), '');
  } catch (cause) {
    if (cause instanceof VeloError) throw cause;
    throw invalidFlax('cannot be decoded: it is damaged', cause);
  }
  return leaves;
}

/** Byte for byte what `flax.serialization.msgpack_serialize` writes, for arrays of up to 2^30 bytes. */
export function writeFlax(tree: FlaxTree): Uint8Array<ArrayBuffer> {
  const prepared = (node: FlaxTree): unknown => {
    if (typeof node !== 'object') return node;
    if (isStoredArray(node)) return new FlaxArray(node.shape, node.type, node.bytes);
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, prepared(child)]));
  };
  return encode(prepared(tree), { extensionCodec, useBigInt64: true });
}

/**
 * The tree of leaves that are named by their path, joined by dots. Keys are sorted, as JAX leaves them, except that named
 * tuples keep the order of their fields.
 */
export function flaxTree(
  leaves: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>,
): FlaxTree {
  interface Branch {
    [key: string]: Branch | StoredArray;
  }
  const tree: Branch = {};
  // Below every character of a key, so that paths are sorted as their keys are.
  const sortKey = (path: string) => path.replaceAll('.', '\0').replace('hidden', 'before cell');
  for (const path of Object.keys(leaves).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))) {
    const keys = path.split('.');
    const { shape, data } = leaves[path]!;
    let branch = tree;
    for (const key of keys.slice(0, -1)) {
      branch[key] ??= {};
      branch = branch[key] as Branch;
    }
    branch[keys.at(-1)!] = { shape, type: 'float32', bytes: bytesOf(data) };
  }
  return tree;
}

const isMap = (node: unknown): node is Readonly<Record<string, unknown>> =>
  typeof node === 'object' &&
  node !== null &&
  !Array.isArray(node) &&
  !(node instanceof FlaxArray) &&
  !(node instanceof Uint8Array);

function checkedArray(shape: readonly number[], type: string, bytes: Uint8Array): FlaxArray {
  if (!shape.every((axis) => Number.isSafeInteger(axis) && axis >= 0)) {
    throw invalidFlax(`has an array of shape [${shape}]`);
  }
  const width = Object.hasOwn(TYPE_BYTES, type) ? TYPE_BYTES[type]! : undefined;
  if (width !== undefined && sizeOf(shape) * width !== bytes.length) {
    throw invalidFlax(
      `gives an array ${bytes.length} bytes where its shape [${shape}] and type ${type} ask for ${sizeOf(shape) * width}`,
    );
  }
  return new FlaxArray(shape, type, bytes);
}

/** What has the keys "0" to "n - 1", as flax writes lists. */
function listOf(node: unknown, what: string): unknown[] {
  if (!isMap(node)) throw invalidFlax(`has ${what} that are not a list`);
  return Object.keys(node).map((_, i) => {
    if (!Object.hasOwn(node, `${i}`)) throw invalidFlax(`has ${what} without the entry "${i}"`);
    return node[i];
  });
}

const hasKeys = (node: Readonly<Record<string, unknown>>, keys: readonly string[]) =>
  Object.keys(node).length === keys.length && keys.every((key) => Object.hasOwn(node, key));

/** Arrays above 2^30 bytes are written in flat pieces. */
function chunkedArray(node: Readonly<Record<string, unknown>>): FlaxArray | undefined {
  if (!Object.hasOwn(node, CHUNKED)) return undefined;
  if (!hasKeys(node, [CHUNKED, 'shape', 'chunks'])) throw invalidFlax('has an array in pieces that is incomplete');
  const shape = listOf(node.shape, 'axes') as number[];
  const chunks = listOf(node.chunks, 'pieces of an array');
  const first = chunks[0];
  let size = 0;
  for (const chunk of chunks) {
    if (!(chunk instanceof FlaxArray) || chunk.type !== (first as FlaxArray).type) {
      throw invalidFlax('has an array in pieces that do not fit together');
    }
    size += chunk.bytes.length;
  }
  if (!(first instanceof FlaxArray)) throw invalidFlax('has an array of no pieces');
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks as FlaxArray[]) {
    bytes.set(chunk.bytes, offset);
    offset += chunk.bytes.length;
  }
  return checkedArray(shape, first.type, bytes);
}

/** Before 2022, flax wrote named tuples as lists beside the names of their fields. */
function namedTuple(node: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  if (!hasKeys(node, ['name', 'fields', 'values']) || typeof node.name !== 'string') return undefined;
  const fields = listOf(node.fields, 'the fields of a named tuple');
  const values = listOf(node.values, 'the values of a named tuple');
  const isDistinct = new Set(fields).size === fields.length;
  if (fields.length !== values.length || !isDistinct || !fields.every((field) => typeof field === 'string')) {
    throw invalidFlax('has a named tuple whose fields and values do not match');
  }
  return Object.fromEntries(fields.map((field, i) => [field as string, values[i]]));
}
