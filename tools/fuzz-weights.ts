/**
 * Damages weight files of every format at random and reads them: each must end in a theta that is sound, or in a
 * `VeloError` with the code WEIGHTS_INVALID.
 *
 *     npm run fuzz -- [--mutations 1000000] [--seed 1] [--from 0]
 *
 * The mutations are shared out among the formats. One is determined by its seed and number, so that `--from` and
 * `--mutations 1` repeat it. The longest time for one file and the growth of memory are printed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sizeOf, thetaShapes, VeloError } from '@velojs/core';
import { inspectWeights, readTheta, type ThetaFormat, writeTheta } from '@velojs/weights';
import { root } from './workspace.ts';

/** One file, or several that belong together. */
export interface Specimen {
  readonly name: string;
  readonly files: readonly Uint8Array[];
}
export interface FuzzResult {
  readonly specimen: string;
  readonly mutations: number;
  /** How many were still read as a theta, were still recognised, were refused. */
  readonly read: number;
  readonly recognised: number;
  readonly refused: number;
  readonly longestMilliseconds: number;
}

const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(join(root, 'packages/weights/golden', name)));
/** A real file that is not in the repository. */
export const CELO: string = join(root, '../shared/weights/celo/theta.state');

/** A file of every format, all of the same small theta; and Celo's where it is. */
export async function specimens(): Promise<Specimen[]> {
  const { theta, metadata } = await readTheta(golden('parameter_checkpoint.msgpack'));
  const formats: ThetaFormat[] = ['velojs', 'velojs-float16', 'flax-params', 'flax-theta', 'pylo'];
  const ours = formats.map(async (name) => ({ name, files: await writeTheta(theta, name, metadata) }));
  const others = ['bare_chunked', 'bare_old_namedtuple'].map((name) => ({ name, files: [golden(`${name}.msgpack`)] }));
  const celo = existsSync(CELO) ? [{ name: 'celo', files: [new Uint8Array(readFileSync(CELO))] }] : [];
  return [...(await Promise.all(ours)), ...others, ...celo];
}

/** Runs the mutations `from` to `from + count - 1` of a specimen. Throws at the first that ends wrongly. */
export async function fuzz(specimen: Specimen, count: number, seed: number, from = 0): Promise<FuzzResult> {
  const tally = { read: 0, recognised: 0, refused: 0 };
  const { stackTraceLimit } = Error;
  // Most files are refused, and stacks take longer than reading.
  Error.stackTraceLimit = 0;
  let longestMilliseconds = 0;
  for (let i = from; i < from + count; i++) {
    const random = randomNumbers(seed, i);
    const damaged = random.integer(specimen.files.length);
    const files = specimen.files.map((file, j) => (j === damaged ? mutate(file, random) : file));
    const begin = performance.now();
    try {
      tally[await outcomeOf(files, i % 8 > 0)]++;
    } catch (cause) {
      throw new Error(`${specimen.name}, seed ${seed}, mutation ${i}: ${(cause as Error).message.slice(0, 300)}`, {
        cause,
      });
    }
    longestMilliseconds = Math.max(longestMilliseconds, performance.now() - begin);
  }
  Error.stackTraceLimit = stackTraceLimit;
  return { specimen: specimen.name, mutations: count, ...tally, longestMilliseconds };
}

/**
 * What reading comes to; throws where it is not one of the ways that are right. What `inspectWeights` refuses is not
 * read as well where it has to be quick: most files end there.
 */
export async function outcomeOf(
  files: readonly Uint8Array[],
  isQuick = false,
): Promise<'read' | 'recognised' | 'refused'> {
  const inspection = await inspectWeights(files).catch(expectInvalid);
  if (!inspection && isQuick) return 'refused';
  const result = await readTheta(files).catch(expectInvalid);
  if (inspection?.isVelo && inspection.message !== null) throw new Error('VeLO, and yet a message');
  if (!result) return inspection ? 'recognised' : 'refused';
  if (!inspection?.isVelo || inspection.format !== result.format) throw new Error('read, but not recognised');
  const { hiddenSize, bankSize, leaves, dead } = result.theta;
  const bytes = files.reduce((sum, file) => sum + file.length, 0);
  let size = 0;
  const values: Record<string, Float32Array> = { ...leaves, ...dead };
  for (const [leaf, shape] of Object.entries(thetaShapes(hiddenSize, bankSize))) {
    const data = values[leaf];
    if (!data && dead === null && leaf.startsWith('dead')) continue;
    if (data?.length !== sizeOf(shape) || !data.every(Number.isFinite)) throw new Error(`"${leaf}" is not sound`);
    size += data.length;
  }
  if (2 * size > bytes) throw new Error(`${size} numbers came out of ${bytes} bytes`);
  return 'read';
}

function expectInvalid(error: unknown): undefined {
  if (error instanceof VeloError && error.code === 'WEIGHTS_INVALID' && error.message.length < 2000) return undefined;
  throw error;
}

interface Random {
  /** 0 to `limit - 1`. */
  integer(limit: number): number;
  pick<T>(list: ArrayLike<T>): T;
}

/** A stream of its own for every seed and number (mulberry32). */
function randomNumbers(seed: number, number: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b);
  const integer = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return { integer, pick: (list) => list[integer(list.length)]! };
}

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

function mutate(file: Uint8Array, random: Random): Uint8Array {
  const isSafetensors = file[8] === 0x7b;
  let bytes = file;
  for (let rest = random.pick([1, 1, 1, 2, 3]); rest > 0; rest--) {
    const mutation = random.pick([...ANYWHERE, ...(isSafetensors ? IN_HEADERS : IN_MSGPACK)]);
    bytes = mutation(bytes, random);
  }
  return bytes;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const replaced = (bytes: Uint8Array, begin: number, end: number, by: Uint8Array): Uint8Array => {
  const result = new Uint8Array(begin + by.length + Math.max(0, bytes.length - end));
  result.set(bytes.subarray(0, begin));
  result.set(by, begin);
  result.set(bytes.subarray(end), begin + by.length);
  return result;
};
const noise = (length: number, random: Random) => Uint8Array.from({ length }, () => random.integer(256));

/** Positions that are mostly structure: half of them lie within the first hundred bytes, or in names and headers. */
function position(bytes: Uint8Array, random: Random): number {
  const at = random.integer(Math.max(1, random.pick([24, 100, 2000, bytes.length])));
  return Math.min(at, bytes.length);
}

/** Numbers at which sizes go wrong. */
const SIZES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'w', 'b', 'hidden', 'params', ''];

const ANYWHERE: readonly Mutation[] = [
  function flipBits(bytes, random) {
    const copy = bytes.slice();
    for (let i = random.pick([1, 2, 8]); i > 0; i--) {
      const at = position(bytes, random);
      if (at < copy.length) copy[at]! ^= 1 << random.integer(8);
    }
    return copy;
  },
  function setByte(bytes, random) {
    const at = position(bytes, random);
    return replaced(bytes, at, at + 1, noise(1, random));
  },
  function insert(bytes, random) {
    const at = position(bytes, random);
    return replaced(bytes, at, at, noise(1 + random.integer(16), random));
  },
  function remove(bytes, random) {
    const at = position(bytes, random);
    return replaced(bytes, at, at + 1 + random.integer(64), new Uint8Array());
  },
  function truncate(bytes, random) {
    return bytes.slice(0, position(bytes, random));
  },
  function splice(bytes, random) {
    const [from, to] = [position(bytes, random), position(bytes, random)];
    const part = bytes.slice(from, from + random.pick([4, 64, 1000]));
    return replaced(bytes, to, to + random.pick([0, part.length]), part);
  },
  function littleEndianSize(bytes, random) {
    return withSize(bytes, random.pick([0, 4, position(bytes, random)]), 4, random.pick(SIZES), true);
  },
  function notFinite(bytes, random) {
    const at = position(bytes, random);
    return replaced(bytes, at, at + 4, random.pick([Uint8Array.of(0, 0, 0x80, 0x7f), Uint8Array.of(0, 0, 0xc0, 0xff)]));
  },
];

function withSize(bytes: Uint8Array, at: number, width: number, size: number, littleEndian: boolean): Uint8Array {
  const copy = bytes.slice();
  if (at + width > copy.length) return copy;
  const view = new DataView(copy.buffer);
  if (width === 1) view.setUint8(at, size & 0xff);
  else if (width === 2) view.setUint16(at, size & 0xffff, littleEndian);
  else view.setUint32(at, size, littleEndian);
  return copy;
}

/** Where the next byte that satisfies the condition is, from a random place on. */
function find(bytes: Uint8Array, random: Random, holds: (byte: number, at: number) => boolean): number | undefined {
  const begin = position(bytes, random);
  for (let i = 0; i < Math.min(bytes.length, 5000); i++) {
    const at = (begin + i) % bytes.length;
    if (holds(bytes[at]!, at)) return at;
  }
  return undefined;
}

const isKeyByte = (byte: number | undefined) => byte !== undefined && byte >= 0x2f && byte <= 0x7e;
/** A text of up to 31 bytes whose first bytes look like a name. */
const isText = (bytes: Uint8Array) => (byte: number, at: number) =>
  byte > 0xa0 && byte < 0xc0 && isKeyByte(bytes[at + 1]) && at + 1 + (byte & 0x1f) <= bytes.length;

const IN_MSGPACK: readonly Mutation[] = [
  function announcedSize(bytes, random) {
    const at = find(bytes, random, (byte) => byte >= 0xc4 && byte <= 0xdf && ![0xca, 0xcb].includes(byte));
    if (at === undefined) return bytes;
    return withSize(bytes, at + 1, random.pick([1, 2, 4]), random.pick(SIZES), false);
  },
  function hugeCount(bytes, random) {
    const at = find(bytes, random, (byte) => byte >= 0x80 && byte < 0xa0);
    if (at === undefined) return bytes;
    const count = new Uint8Array(5);
    count[0] = random.pick([0xdd, 0xdf]);
    new DataView(count.buffer).setUint32(1, random.pick(SIZES));
    return replaced(bytes, at, at + 1, count);
  },
  function otherCount(bytes, random) {
    const at = find(bytes, random, (byte) => byte >= 0x80 && byte < 0xa0);
    return at === undefined ? bytes : replaced(bytes, at, at + 1, Uint8Array.of(0x80 + random.integer(32)));
  },
  function otherKind(bytes, random) {
    const at = find(bytes, random, (byte) => byte >= 0x80);
    return at === undefined ? bytes : replaced(bytes, at, at + 1, Uint8Array.of(0xc0 + random.integer(32)));
  },
  function nesting(bytes, random) {
    const level = random.pick(['\x91', '\x81\xa1a', '\xc7\xff\x01', '\x81\xa1b']);
    const levels = Uint8Array.from(Buffer.from(level.repeat(random.pick([2, 15, 16, 17, 100, 10_000])), 'latin1'));
    const at = find(bytes, random, (byte) => byte >= 0x80 && byte < 0x90) ?? 0;
    return replaced(bytes, at, at, levels);
  },
  function manyValues(bytes, random) {
    const count = random.pick([10, 100, 1000, 19_000, 200_000]);
    const values = new Uint8Array(5 + count).fill(random.pick([0x80, 0x90, 0xc0, 0x01]));
    values[0] = 0xdd;
    new DataView(values.buffer).setUint32(1, count);
    const at = find(bytes, random, (byte) => byte === 0xc7 || byte === 0xc8);
    return at === undefined ? bytes : replaced(bytes, at, at, values);
  },
  function otherName(bytes, random) {
    const at = find(bytes, random, isText(bytes));
    if (at === undefined) return bytes;
    const name = ascii(random.pick(NAMES));
    // As text, or as bytes: a reader may take either for a key.
    const head = random.pick([[0xa0 + name.length], [0xc4, name.length], [0xd9, name.length]]);
    return replaced(bytes, at, at + 1 + (bytes[at]! & 0x1f), Uint8Array.of(...head, ...name));
  },
  function nameOfAnother(bytes, random) {
    const [at, from] = [find(bytes, random, isText(bytes)), find(bytes, random, isText(bytes))];
    if (at === undefined || from === undefined) return bytes;
    return replaced(bytes, at, at + 1 + (bytes[at]! & 0x1f), bytes.slice(from, from + 1 + (bytes[from]! & 0x1f)));
  },
];

/** Changes the header's text and, so that the change is looked at, announces its new length. */
const inHeader =
  (edit: (header: string, random: Random) => string): Mutation =>
  (bytes, random) => {
    if (bytes.length < 8) return bytes;
    const length = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), bytes.length - 8);
    const header = ascii(edit(new TextDecoder().decode(bytes.subarray(8, 8 + length)), random));
    return withSize(replaced(bytes, 8, 8 + length, header), 0, 4, header.length, true);
  };

/** The next match of a global pattern from a random place on. */
function findMatch(text: string, pattern: RegExp, random: Random): RegExpExecArray | null {
  pattern.lastIndex = random.integer(text.length + 1);
  const match = pattern.exec(text);
  pattern.lastIndex = 0;
  return match ?? pattern.exec(text);
}

const replaceOne = (text: string, pattern: RegExp, random: Random, by: string): string => {
  const match = findMatch(text, pattern, random);
  return match ? text.slice(0, match.index) + by + text.slice(match.index + match[0].length) : text;
};

const NUMBER_TEXTS = [...SIZES, -1, 0.5, 1e308, 2 ** 53, 2 ** 32 - 4].map(String).concat('null', '[]', '"4"', '1e999');
const TYPE_NAMES = ['F64', 'F16', 'BF16', 'I8', 'BOOL', 'F4', '', 'toString', '__proto__'];

const IN_HEADERS: readonly Mutation[] = [
  inHeader((header, random) => replaceOne(header, /-?\d+/g, random, random.pick(NUMBER_TEXTS))),
  inHeader((header, random) => replaceOne(header, /"[^"]*"/g, random, JSON.stringify(random.pick(NAMES)))),
  inHeader((header, random) => {
    const [name] = findMatch(header, /"[^"]*"/g, random) ?? ['"x"'];
    return replaceOne(header, /"[^"]*"/g, random, name);
  }),
  inHeader((header, random) => replaceOne(header, /"F(32|16)"/g, random, JSON.stringify(random.pick(TYPE_NAMES)))),
  inHeader((header, random) =>
    replaceOne(header, /[[\]{},:]/g, random, random.pick(['[', ']', '{', '}', ',', ':', ''])),
  ),
  inHeader((header, random) =>
    replaceOne(header, /\d+/g, random, random.pick(['[', '{"a":']).repeat(random.pick([1, 5, 3000]))),
  ),
  inHeader((header, random) =>
    replaceOne(header, /\{/g, random, `{"${random.pick(NAMES)}":${random.pick(['{}', '"x"', '1'])},`),
  ),
  inHeader((header, random) => {
    const [entry] = findMatch(header, /"[^"]*":\{[^}]*\}/g, random) ?? ['"x":{}'];
    return replaceOne(header, /,(?=")/g, random, `,${entry},`);
  }),
];

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({
    options: {
      mutations: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
    },
  });
  const [mutations, seed, from] = [Number(values.mutations), Number(values.seed), Number(values.from)];
  if (![mutations, seed, from].every((value) => Number.isSafeInteger(value) && value >= 0)) {
    throw new Error('--mutations, --seed and --from are whole numbers');
  }
  const all = await specimens();
  await fuzz(all[0]!, 100, 0);
  const before = process.resourceUsage().maxRSS;
  for (const specimen of all) {
    const {
      specimen: name,
      longestMilliseconds,
      ...counts
    } = await fuzz(specimen, Math.ceil(mutations / all.length), seed, from);
    console.log(`${name.padEnd(20)} ${JSON.stringify(counts)}, longest ${longestMilliseconds.toFixed(1)} ms`);
  }
  const growth = (process.resourceUsage().maxRSS - before) / 1024;
  console.log(`Every one ended as it should. Peak memory grew by ${growth.toFixed(0)} MiB.`);
}
