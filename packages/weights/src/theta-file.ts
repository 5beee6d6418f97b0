/** Theta as a file of our own: one safetensors file, float32, with where the weights come from in its metadata. */
import { createTheta, type Theta, thetaShapes, VeloError } from '@velojs/core';
import { readSafetensors, type SafetensorsTensor, writeSafetensors } from './safetensors.ts';

const FORMAT = 'velojs-theta';
const VERSION = 1;

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
  const { hiddenSize, bankSize } = theta;
  const shapes: Record<string, readonly number[]> = thetaShapes(hiddenSize, bankSize);
  const own = headerOf(hiddenSize, bankSize);
  const all = new Map(Object.entries(own));
  for (const [key, value] of Object.entries(metadata)) {
    if (value === undefined) continue;
    if (Object.hasOwn(own, key)) {
      throw new VeloError('INVALID_ARGUMENT', `The metadata key "${key}" belongs to the file format: choose another.`);
    }
    all.set(key, value);
  }
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [leaf, data] of Object.entries({ ...theta.leaves, ...theta.dead })) {
    tensors.set(leaf, { shape: shapes[leaf]!, data });
  }
  return writeSafetensors({ tensors, metadata: all });
}

/**
 * Reads what `encodeTheta` wrote; `metadata` is what was given to it.
 *
 * @throws VeloError `WEIGHTS_INVALID` if the file is damaged, not a theta of ours, of an unknown version, or its leaves
 * do not make a theta.
 * @example
 * ```ts
 * const { theta, metadata } = decodeTheta(await readFile('theta.safetensors'));
 * ```
 */
export function decodeTheta(bytes: Uint8Array): { theta: Theta; metadata: ThetaMetadata } {
  const file = readSafetensors(bytes);
  const format = file.metadata.get('format');
  if (format !== FORMAT) {
    throw invalid(`is not a theta of velojs: its metadata give the format as ${JSON.stringify(format ?? null)}`);
  }
  const version = file.metadata.get('formatVersion');
  if (version !== `${VERSION}`) {
    throw invalid(
      `has format version ${version}, and this velojs reads version ${VERSION}: update velojs, or convert the file`,
    );
  }
  const theta = createTheta(Object.fromEntries(file.tensors));
  const own = headerOf(theta.hiddenSize, theta.bankSize);
  for (const [key, value] of Object.entries(own)) {
    if (file.metadata.get(key) !== value) {
      throw invalid(`says ${key} = ${file.metadata.get(key)} where its tensors say ${value}`);
    }
  }
  const metadata = Object.fromEntries([...file.metadata].filter(([key]) => !Object.hasOwn(own, key)));
  return { theta, metadata };
}

const headerOf = (hiddenSize: number, bankSize: number) => ({
  format: FORMAT,
  formatVersion: `${VERSION}`,
  hiddenSize: `${hiddenSize}`,
  bankSize: `${bankSize}`,
});

const invalid = (what: string) => new VeloError('WEIGHTS_INVALID', `The file ${what}.`);
