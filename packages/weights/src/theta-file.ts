/** Theta as a file of our own: one safetensors file with where the weights come from in its metadata. */
import { adoptTheta, type Theta, thetaShapes, VeloError } from '@velojs/core';
import { FLOAT16_MAX, fromFloat16, toFloat16 } from './float16.ts';
import { invalidFile } from './invalid-file.ts';
import { type LeafTree, sizesOf, treeProblem } from './leaf-tree.ts';
import { formatSafetensors, parseSafetensors } from './safetensors.ts';
import { bytesOf, float32Copy, numbersOf, type StoredArray } from './stored-array.ts';

const FORMAT = 'velojs-theta';
const VERSION = 1;
/** Half precision has 11 significant bits: what it loses of numbers within its range is at most this part of them. */
const FLOAT16_LOSS = 2 ** -11;

/** Where a theta comes from: free text under any key, by convention those named here. */
export interface ThetaMetadata {
  readonly [key: string]: string | undefined;
  readonly name?: string;
  readonly authors?: string;
  /** SPDX identifier. */
  readonly license?: string;
  /** Address or citation. */
  readonly source?: string;
  /** How it was made. */
  readonly description?: string;
}

/**
 * Writes theta as a safetensors file: every leaf as float32 under its name in `Theta`, sizes, format version and
 * `metadata` in `__metadata__`. The same theta and metadata give the same bytes.
 *
 * @throws VeloError `INVALID_ARGUMENT` if `metadata` uses one of the format's own keys (`format`, `formatVersion`,
 * `hiddenSize`, `bankSize`) or a value that is not a string.
 * @example
 * ```ts
 * await writeFile('theta.safetensors', encodeTheta(theta, { name: 'mine', license: 'CC0-1.0' }));
 * ```
 */
export function encodeTheta(theta: Theta, metadata: ThetaMetadata = {}): Uint8Array<ArrayBuffer> {
  return encodeLeaves(theta, metadata, 'F32', (_, data) => data);
}

/**
 * As `encodeTheta`, in half the bytes: every number rounded to the nearest one of half precision.
 *
 * @throws VeloError `WEIGHTS_INVALID` if a leaf would lose more than 2^-11 of itself (as a root mean square), because its
 * numbers are beyond 65504 or mostly below 6e-5; `INVALID_ARGUMENT` as `encodeTheta`.
 */
export function encodeFloat16Theta(theta: Theta, metadata: ThetaMetadata = {}): Uint8Array<ArrayBuffer> {
  return encodeLeaves(theta, metadata, 'F16', (leaf, data) => {
    const bits = toFloat16(data);
    const rounded = fromFloat16(bits);
    let squares = 0;
    let errors = 0;
    for (let i = 0; i < data.length; i++) {
      squares += data[i]! ** 2;
      errors += (rounded[i]! - data[i]!) ** 2;
    }
    if (!(Math.sqrt(errors) <= FLOAT16_LOSS * Math.sqrt(squares))) {
      throw new VeloError(
        'WEIGHTS_INVALID',
        `Theta has numbers in "${leaf}" that half precision cannot hold (6e-5 to ${FLOAT16_MAX}): write it in float32.`,
      );
    }
    return bits;
  });
}

function encodeLeaves(
  theta: Theta,
  metadata: ThetaMetadata,
  type: 'F32' | 'F16',
  convert: (leaf: string, data: Float32Array) => Float32Array | Uint16Array,
): Uint8Array<ArrayBuffer> {
  const { hiddenSize, bankSize } = theta;
  const shapes: Record<string, readonly number[]> = thetaShapes(hiddenSize, bankSize);
  const all = new Map<string, string>(Object.entries(headerOf(hiddenSize, bankSize)));
  for (const [key, value] of Object.entries(metadata)) {
    if (value === undefined) continue;
    if (isOwnKey(key)) {
      throw new VeloError('INVALID_ARGUMENT', `The metadata key "${key}" belongs to the file format: choose another.`);
    }
    all.set(key, value);
  }
  const arrays = new Map<string, StoredArray>();
  for (const [leaf, data] of Object.entries({ ...theta.leaves, ...theta.dead })) {
    arrays.set(leaf, { shape: shapes[leaf]!, type, bytes: bytesOf(convert(leaf, data)) });
  }
  return formatSafetensors(arrays, all);
}

/**
 * Reads what `encodeTheta` wrote, in float32 or half precision; `metadata` is what was given to it.
 *
 * @throws VeloError `WEIGHTS_INVALID` if the file is damaged, not a theta of ours, of an unknown version, or its leaves
 * do not make a theta.
 * @example
 * ```ts
 * const { theta, metadata } = decodeTheta(await readFile('theta.safetensors'));
 * ```
 */
export function decodeTheta(bytes: Uint8Array): { theta: Theta; metadata: ThetaMetadata } {
  const file = parseSafetensors(bytes);
  const problem = thetaFileProblem(file);
  if (problem !== null) throw invalidFile(problem);
  return thetaFromFile(file);
}

/** What `parseSafetensors` gives. */
export interface ThetaFile {
  readonly arrays: ReadonlyMap<string, StoredArray>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Whether the file says that it is a theta of ours. */
export const isThetaFile = ({ metadata }: ThetaFile): boolean => metadata.get('format') === FORMAT;

export const isFloat16 = ({ arrays }: ThetaFile): boolean => arrays.size > 0 && [...arrays.values()].every(isHalf);

/** H and K are read off `initialHidden` and `bankBias0`. */
export const thetaTree = (type: string): LeafTree => ({
  type,
  shapes: thetaShapes,
  hiddenAxis: ['initialHidden', 1],
  bankAxis: ['bankBias0', 0],
  optional: ['deadWeight', 'deadBias'],
});

/** Why the file cannot be read as a theta of ours, as the end of a sentence about it; null if it can. */
export function thetaFileProblem(file: ThetaFile): string | null {
  if (!isThetaFile(file)) {
    const format = JSON.stringify(file.metadata.get('format') ?? null);
    return `is not a theta of velojs: its metadata give the format as ${format}`;
  }
  const version = file.metadata.get('formatVersion');
  if (version !== `${VERSION}`) {
    return `has format version ${version}, and this velojs reads version ${VERSION}: update velojs, or convert the file`;
  }
  const tree = thetaTree(isFloat16(file) ? 'F16' : 'F32');
  const problem = treeProblem(file.arrays, tree);
  if (problem !== null) return problem;
  const { hiddenSize, bankSize } = sizesOf(file.arrays, tree);
  for (const [key, value] of Object.entries(headerOf(hiddenSize!, bankSize!))) {
    const said = file.metadata.get(key);
    if (said !== value) return `says ${key} = ${said} where its tensors say ${value}`;
  }
  return null;
}

/** The theta of a file without problem. */
export function thetaFromFile({ arrays, metadata }: ThetaFile): { theta: Theta; metadata: ThetaMetadata } {
  const tensors = [...arrays].map(([leaf, array]) => {
    const data = isHalf(array) ? fromFloat16(numbersOf(Uint16Array, array.bytes)) : float32Copy(array.bytes);
    return [leaf, { shape: array.shape, data }] as const;
  });
  return { theta: adoptTheta(Object.fromEntries(tensors)), metadata: foreignMetadata(metadata) };
}

/** Metadata without the keys that belong to our format. */
export const foreignMetadata = (metadata: ReadonlyMap<string, string>): ThetaMetadata =>
  Object.fromEntries([...metadata].filter(([key]) => !isOwnKey(key)));

const isHalf = ({ type }: StoredArray) => type === 'F16';

const headerOf = (hiddenSize: number, bankSize: number) => ({
  format: FORMAT,
  formatVersion: `${VERSION}`,
  hiddenSize: `${hiddenSize}`,
  bankSize: `${bankSize}`,
});
const isOwnKey = (key: string) => Object.hasOwn(headerOf(0, 0), key);
