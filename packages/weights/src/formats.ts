/** Theta in every published format: which one a file has is told by its content, not by its name. */
import { adoptTheta, type Theta, VeloError } from '@velojs/core';
import { checkpointFromTheta, checkpointShapes, tensorsFromCheckpoint } from './checkpoint-tree.ts';
import type { FlaxLeaf } from './flax-file.ts';
import { aboutFile } from './invalid-file.ts';
import { type LeafTree, sizesOf, treeProblem } from './leaf-tree.ts';
import { PYLO_LSTM, PYLO_MLP, pyloFromTheta, thetaFromPylo } from './pylo-files.ts';
import { parseSafetensors } from './safetensors.ts';
import { bytesOf, float32Copy, isStoredArray, numbersOf, type StoredArray } from './stored-array.ts';
import {
  encodeFloat16Theta,
  encodeTheta,
  foreignMetadata,
  isFloat16,
  isThetaFile,
  type ThetaFile,
  type ThetaMetadata,
  thetaFileProblem,
  thetaFromFile,
  thetaTree,
} from './theta-file.ts';

/**
 * - `velojs`: one safetensors file of our own, float32
 * - `velojs-float16`: the same in half precision
 * - `flax-params`: Google's `params`, flax msgpack with `gen_id` and `step` beside the weights
 * - `flax-theta`: the tree of weights alone, flax msgpack
 * - `pylo`: PyLO's two safetensors files, LSTM and MLP
 */
export type ThetaFormat = 'velojs' | 'velojs-float16' | 'flax-params' | 'flax-theta' | 'pylo';

/** What a weight file is. */
export interface WeightsInspection {
  readonly format: ThetaFormat | 'celo' | 'pylo-lstm' | 'pylo-mlp' | 'flax-unknown' | 'safetensors-unknown';
  /** The arrays in the order of the file, under its own names: of tensors, or paths joined by dots. */
  readonly leaves: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    /** As the file calls it: `F32`, `float32`. */
    readonly type: string;
    readonly bytes: number;
  }[];
  /** Everything in the file that is text or a single number, `gen_id` and `step` included. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether names, shapes and types are VeLO's, so that `readTheta` reads it unless a number is not finite. */
  readonly isVelo: boolean;
  /** LSTM width H, and number K of networks in the bank, where the file tells them. */
  readonly hiddenSize: number | null;
  readonly bankSize: number | null;
  /** Why it cannot be used and what to do; null if it can. */
  readonly message: string | null;
}

/** What a file was recognised as, with what reading it needs. */
interface Recognised {
  readonly format: WeightsInspection['format'];
  readonly arrays: ReadonlyMap<string, StoredArray>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly sizes: { readonly hiddenSize: number | null; readonly bankSize: number | null };
  /** A sentence; null if theta can be read. */
  readonly message: string | null;
  readonly read?: () => Theta;
}

/** Integer types of NumPy that `step` may have, and how to read and write one. */
const STEP_TYPES = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
} as const;
/** A `step` that is a plain integer of MessagePack. */
const PLAIN = 'int';
/** What Google's training loop writes before it has an identity; the released file has it. */
const DEFAULT_GEN_ID = 'fake_initial_gen_id';
const PARAMS = 'params.';

const FLAX_TREE: LeafTree = {
  type: 'float32',
  shapes: checkpointShapes,
  hiddenAxis: ['lstm_init_state.hidden', 1],
  bankAxis: ['ff_mod_stack.~.b0', 0],
  optional: ['rnn_params.linear.w', 'rnn_params.linear.b'],
};
/** Celo's LSTM has 18 inputs where VeLO's has 30. */
const CELO_INPUTS = 18;
const NO_SIZES = { hiddenSize: null, bankSize: null };

/** How files begin that people take for weights; what is none of these is not named. */
const OTHERS: readonly (readonly [begin: readonly number[], what: string])[] = [
  [[0x3c], 'a web page: the address leads to a page about the file, not to the file'],
  [[0x1f, 0x8b], 'compressed by gzip: decompress it first'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive, such as PyTorch and NumPy write: give the published file instead'],
  [[0x80, 0x02], 'a Python pickle: give the published file instead'],
  [[0x80, 0x03], 'a Python pickle: give the published file instead'],
  [[0x80, 0x04], 'a Python pickle: give the published file instead'],
  [[0x80, 0x05], 'a Python pickle: give the published file instead'],
  [[...new TextEncoder().encode('version https://git-lfs')], 'a pointer of Git LFS: run `git lfs pull`'],
];

/**
 * Tells what a file is, without building theta. Well-formed files of other kinds do not throw: `message` says what they
 * are.
 *
 * @param files a file, or PyLO's two in any order.
 * @throws VeloError `WEIGHTS_INVALID` if a file is damaged, or neither safetensors nor flax msgpack.
 * @example
 * ```ts
 * const { format, hiddenSize } = await inspectWeights(await readFile('params')); // 'flax-params', 512
 * ```
 */
export async function inspectWeights(files: Uint8Array | readonly Uint8Array[]): Promise<WeightsInspection> {
  const { format, arrays, metadata, sizes, message } = await recognise(files);
  return {
    format,
    leaves: [...arrays].map(([name, { shape, type, bytes }]) => ({ name, shape, type, bytes: bytes.length })),
    metadata: Object.fromEntries(metadata),
    isVelo: message === null,
    ...sizes,
    message,
  };
}

/**
 * Reads theta from a file of any published format (SPEC section 13). Numbers are copied; the files may be reused.
 *
 * `metadata` is what the file says beside the weights: what was given to `encodeTheta`; of `flax-params`, `gen_id`, `step`
 * and the type of `step` as `step_type`, by which `writeTheta` restores the very bytes.
 *
 * @param files a file, or PyLO's two in any order.
 * @throws VeloError `WEIGHTS_INVALID` if a file is damaged, of another kind, or its leaves do not make a theta.
 * @example
 * ```ts
 * const { theta } = await readTheta(await readFile('params'));
 * const { theta: same } = await readTheta([await readFile('lstm.safetensors'), await readFile('mlp.safetensors')]);
 * ```
 */
export async function readTheta(
  files: Uint8Array | readonly Uint8Array[],
): Promise<{ theta: Theta; format: ThetaFormat; metadata: ThetaMetadata }> {
  const { format, metadata, message, read } = await recognise(files);
  if (message !== null || !read) throw new VeloError('WEIGHTS_INVALID', message ?? 'This file has no theta.');
  return { theta: read(), format: format as ThetaFormat, metadata: foreignMetadata(metadata) };
}

/**
 * Writes theta as the files of a format: one, or for `pylo` two, LSTM first.
 *
 * The flax formats are byte for byte as flax writes them, `pylo` has the published sizes at the released H and K. A theta
 * without the dead layer gets one of zeros there, since the original tools expect it. `velojs-float16` rounds.
 *
 * @param metadata kept whole by the formats of ours; `flax-params` keeps `gen_id`, `step` (default 0) and `step_type` (a
 * NumPy integer type, or `int`; default `int32`); `flax-theta` and `pylo` have no place for it.
 * @throws VeloError `WEIGHTS_INVALID` if `velojs-float16` would lose more than half precision's 2^-11 of a leaf;
 * `INVALID_ARGUMENT` for an unknown format, or metadata that the format cannot hold.
 * @example
 * ```ts
 * const [bytes] = await writeTheta(theta, 'flax-params', { gen_id: 'mine', step: '1000' });
 * ```
 */
export async function writeTheta(
  theta: Theta,
  format: ThetaFormat,
  metadata: ThetaMetadata = {},
): Promise<Uint8Array<ArrayBuffer>[]> {
  switch (format) {
    case 'velojs':
      return [encodeTheta(theta, metadata)];
    case 'velojs-float16':
      return [encodeFloat16Theta(theta, metadata)];
    case 'pylo':
      return pyloFromTheta(theta);
    case 'flax-params':
    case 'flax-theta': {
      const { flaxTree, writeFlax } = await loadFlax();
      const tree = flaxTree(checkpointFromTheta(theta));
      if (format === 'flax-theta') return [writeFlax(tree)];
      const { gen_id = DEFAULT_GEN_ID, step = '0', step_type = 'int32' } = metadata;
      return [writeFlax({ params: tree, gen_id, step: stepToWrite(step, step_type) })];
    }
    default:
      throw new VeloError('INVALID_ARGUMENT', `"${format}" is not a format of theta.`);
  }
}

let flax: typeof import('./flax-file.ts') | undefined;
/** Loaded by who needs it: it brings a MessagePack library. */
async function loadFlax(): Promise<typeof import('./flax-file.ts')> {
  flax ??= await import('./flax-file.ts');
  return flax;
}

async function recognise(files: Uint8Array | readonly Uint8Array[]): Promise<Recognised> {
  const list = Array.isArray(files) ? (files as readonly Uint8Array[]) : [files as Uint8Array];
  if (list.length === 0 || !list.every((file) => file instanceof Uint8Array)) {
    throw new VeloError(
      'WEIGHTS_INVALID',
      'Weights are read from a Uint8Array, or from a list of them: read the file as bytes.',
    );
  }
  const each = await Promise.all(list.map(recogniseFile));
  if (each.length === 1) return each[0]!;
  const lstm = each.find(({ format }) => format === 'pylo-lstm');
  const mlp = each.find(({ format }) => format === 'pylo-mlp');
  if (each.length === 2 && lstm && mlp) return pyloPair(lstm, mlp);
  const formats = each.map(({ format }) => format).join(' and ');
  throw new VeloError('WEIGHTS_INVALID', `Only PyLO's two files are read together, and these are ${formats}.`);
}

async function recogniseFile(bytes: Uint8Array): Promise<Recognised> {
  // The length of a safetensors header never reaches 2^32, and a map of MessagePack has no zeros there.
  const isSafetensors = bytes.length > 8 && bytes[8] === 0x7b && bytes.subarray(4, 8).every((byte) => byte === 0);
  if (isSafetensors) return recogniseSafetensors(parseSafetensors(bytes));
  const other = OTHERS.find(([begin]) => begin.every((byte, i) => bytes[i] === byte));
  const first = bytes[0] ?? 0;
  const isMap = (first >= 0x80 && first < 0x90) || first === 0xde || first === 0xdf;
  if (other || !isMap) {
    const what = other
      ? `The file is ${other[1]}.`
      : `The file (${bytes.length} bytes) is cut short or of another kind.`;
    throw new VeloError('WEIGHTS_INVALID', `${what} Weights are read from safetensors and flax msgpack files.`);
  }
  const { readFlax } = await loadFlax();
  return recogniseFlax(readFlax(bytes));
}

function recogniseSafetensors(file: ThetaFile): Recognised {
  const { arrays, metadata } = file;
  if (isThetaFile(file)) {
    return recognised({
      format: isFloat16(file) ? 'velojs-float16' : 'velojs',
      ...file,
      sizes: sizesOf(arrays, thetaTree('F32')),
      problem: thetaFileProblem(file),
      read: () => thetaFromFile(file).theta,
    });
  }
  const part = (format: 'pylo-lstm' | 'pylo-mlp', tree: LeafTree, other: string): Recognised => {
    const problem = treeProblem(arrays, tree);
    const message =
      problem === null ? `This is one of PyLO's two files: give its ${other} file as well.` : aboutFile(problem);
    return { format, ...file, sizes: sizesOf(arrays, tree), message };
  };
  if (arrays.has('lstm.linear.weight')) return part('pylo-lstm', PYLO_LSTM, 'MLP');
  if (arrays.has('input_weights_')) return part('pylo-mlp', PYLO_MLP, 'LSTM');
  const message =
    metadata.get('format') === 'velojs-state'
      ? 'This is the state of a training, not weights: read it by decodeState.'
      : `This is a safetensors file of something else than VeLO, with ${listed(arrays)}. Give a VeLO weight file.`;
  return { format: 'safetensors-unknown', ...file, sizes: NO_SIZES, message };
}

function pyloPair(lstm: Recognised, mlp: Recognised): Recognised {
  const arrays = new Map([...lstm.arrays, ...mlp.arrays]);
  const sizes = { hiddenSize: lstm.sizes.hiddenSize, bankSize: lstm.sizes.bankSize };
  const differing =
    lstm.sizes.bankSize === mlp.sizes.bankSize
      ? null
      : `has a bank of ${mlp.sizes.bankSize} where its LSTM file asks for one of ${lstm.sizes.bankSize}: the two files do not belong together`;
  return recognised({
    format: 'pylo',
    arrays,
    metadata: new Map([...lstm.metadata, ...mlp.metadata]),
    sizes,
    problem: treeProblem(lstm.arrays, PYLO_LSTM) ?? treeProblem(mlp.arrays, PYLO_MLP) ?? differing,
    read: () => thetaFromPylo(arrays),
  });
}

function recogniseFlax(leaves: ReadonlyMap<string, FlaxLeaf>): Recognised {
  const isWrapped = [...leaves.keys()].some((path) => path.startsWith(PARAMS));
  const arrays = new Map<string, StoredArray>();
  const tree = new Map<string, StoredArray>();
  const metadata = new Map<string, string>();
  let problem: string | null = null;
  for (const [path, leaf] of leaves) {
    const isTree = !isWrapped || path.startsWith(PARAMS);
    const name = isWrapped && isTree ? path.slice(PARAMS.length) : path;
    const step = path === 'step' && !isTree ? stepOf(leaf) : null;
    if (step) {
      metadata.set('step', step.value).set('step_type', step.type);
    } else if (isStoredArray(leaf)) {
      arrays.set(path, leaf);
      if (isTree) tree.set(name, leaf);
      else problem ??= `has an unknown leaf "${path}"`;
    } else {
      metadata.set(path, leaf instanceof Uint8Array ? `${leaf.length} bytes` : `${leaf}`);
      if (isTree || path !== 'gen_id' || typeof leaf !== 'string')
        problem ??= `has "${path}" that is not as in a checkpoint`;
    }
  }
  const sizes = sizesOf(tree, FLAX_TREE);
  if (tree.get('rnn_params.linear_1.w')?.shape[0] === CELO_INPUTS) {
    const message =
      `This is Celo (an LSTM of width ${sizes.hiddenSize} over ${CELO_INPUTS} inputs), a relative of VeLO with other ` +
      'mathematics, which velojs does not run. Give a VeLO weight file.';
    return { format: 'celo', arrays, metadata, sizes, message };
  }
  if (!tree.has('lstm_init_state.hidden') || !tree.has('rnn_params.rnn/linear.w')) {
    const message = `This is a flax file of something else than VeLO, with ${listed(arrays)}. Give a VeLO weight file.`;
    return { format: 'flax-unknown', arrays, metadata, sizes: NO_SIZES, message };
  }
  return recognised({
    format: isWrapped ? 'flax-params' : 'flax-theta',
    arrays,
    metadata,
    sizes,
    problem: problem ?? treeProblem(tree, FLAX_TREE),
    read: () => {
      const tensors = [...tree].map(([path, { shape, bytes }]) => [path, { shape, data: float32Copy(bytes) }] as const);
      return adoptTheta(tensorsFromCheckpoint(Object.fromEntries(tensors)));
    },
  });
}

const recognised = ({ problem, ...rest }: Omit<Recognised, 'message'> & { problem: string | null }): Recognised => ({
  ...rest,
  message: problem === null ? null : aboutFile(problem),
});

/** The first few names, for a message. */
function listed(arrays: ReadonlyMap<string, StoredArray>): string {
  if (arrays.size === 0) return 'no arrays';
  const names = [...arrays.keys()].slice(0, 3).map((name) => `"${name.slice(0, 60)}"`);
  return `${arrays.size} ${arrays.size === 1 ? 'array' : 'arrays'}: ${names.join(', ')}${arrays.size > 3 ? ', ...' : ''}`;
}

function stepOf(leaf: FlaxLeaf): { value: string; type: string } | null {
  if (typeof leaf === 'bigint' || (typeof leaf === 'number' && Number.isInteger(leaf))) {
    return { value: `${leaf}`, type: PLAIN };
  }
  if (!isStoredArray(leaf) || leaf.shape.length > 0 || !Object.hasOwn(STEP_TYPES, leaf.type)) return null;
  const Numbers = STEP_TYPES[leaf.type as keyof typeof STEP_TYPES];
  return { value: `${numbersOf<ArrayLike<number | bigint>>(Numbers, leaf.bytes)[0]}`, type: leaf.type };
}

function stepToWrite(step: string, type: string): number | bigint | StoredArray {
  const isPlain = type === PLAIN;
  if (/^-?\d{1,20}$/.test(step) && (isPlain || Object.hasOwn(STEP_TYPES, type))) {
    const value = BigInt(step);
    if (isPlain) {
      if (BigInt.asUintN(32, value) === value || BigInt.asIntN(32, value) === value) return Number(value);
      if (BigInt.asUintN(64, value) === value || BigInt.asIntN(64, value) === value) return value;
    } else {
      const Numbers = STEP_TYPES[type as keyof typeof STEP_TYPES];
      const data =
        Numbers === BigInt64Array || Numbers === BigUint64Array
          ? Numbers.of(value)
          : Numbers.of(Number(value) as never);
      if (BigInt(data[0]!) === value) return { shape: [], type, bytes: bytesOf(data) };
    }
  }
  throw new VeloError(
    'INVALID_ARGUMENT',
    `The metadata step = "${step}", step_type = "${type}" must be a whole number and a type that holds it: int, ${Object.keys(STEP_TYPES).join(', ')}.`,
  );
}
