/** Golden cases as files: manifests and tensors, checked before anything is made of them (SPEC section 14). */
import { type Shape, sizeOf, type Theta, VeloError } from '@velojs/core';
import { readSafetensors, type SafetensorsTensor, thetaFromCheckpoint } from '@velojs/weights';
import { uniform } from './random.ts';

/** Where golden files come from: a folder, a server, a bundle. */
export type ReadFile = (name: string) => Promise<Uint8Array>;

/** The cases that come with this package. */
export const PACKED_CASES: readonly string[] = [
  '01-basic',
  '02-shapes',
  '03-edges',
  '04-prefab-accumulate',
  '05-prefab-weight-decay',
  '06-full-size',
  '07-negative-losses',
];

/** Reads a file that comes with this package: in Node from disk, elsewhere by `fetch`. */
export const readPackedFile: ReadFile = async (name) => {
  const url = new URL(`../golden/${name}`, import.meta.url);
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

/** One training run: what it starts from, what it is fed, and what must come out. */
export interface GoldenCase {
  readonly name: string;
  readonly theta: Theta;
  readonly shapes: readonly Shape[];
  /** `step` is called this often. */
  readonly steps: number;
  readonly totalSteps: number;
  readonly weightDecay: number;
  readonly maxTrainingSteps: number;
  /** Calls of `step`, from 0, that make an update. */
  readonly updatesAt: readonly number[];
  /** Inputs and expectations by name. @throws VeloError `DATA_INVALID` where the file has no such tensor */
  tensor(name: string): SafetensorsTensor;
  has(name: string): boolean;
}

interface Manifest {
  case: string;
  file: string;
  sha256: string;
  bytes: number;
  num_steps: number;
  steps: number;
  prefab: { weight_decay: number; max_training_steps: number } | null;
  theta: { source: 'stored' } | { source: 'prng'; tensors: PrngTensor[] };
  tensors: { shape: number[] }[];
  updates_at: number[];
}

interface PrngTensor {
  path: string[];
  shape: number[];
  seed: number;
  scale: number;
  first: number[];
  sum: number;
}

/** Results of parts of the mathematics, without a training run. */
export interface GoldenUnits {
  readonly mulberry32: Readonly<Record<string, readonly number[]>>;
  readonly factored_axes: readonly { shape: number[]; d1_d0: [number, number] | null }[];
  readonly log_mag: readonly (readonly [x: number, L: number])[];
  readonly fraction_embedding: readonly (readonly [fraction: number, features: number[]])[];
  readonly loss_buffer: readonly {
    num_steps: number;
    decays: number[];
    losses: number[];
    features: number[][];
    final_means: number[];
    final_running_min: number[];
  }[];
}

/**
 * Loads a case and checks it against its manifest.
 *
 * @param name without ending, such as `01-basic`.
 * @throws VeloError `DATA_INVALID` where a file is missing, unreadable, or not the one that the manifest describes.
 */
export async function loadGoldenCase(name: string, read: ReadFile = readPackedFile): Promise<GoldenCase> {
  const manifest = parse<Manifest>(`${name}.json`, await open(`${name}.json`, read));
  if (typeof manifest.file !== 'string') throw damaged(`${name}.json`, 'it names no file');
  const { file } = manifest;
  const bytes = await open(file, read);
  if (bytes.length !== manifest.bytes) throw damaged(file, `it has ${bytes.length} bytes, not ${manifest.bytes}`);
  const digest = await sha256(bytes);
  if (digest !== manifest.sha256) throw damaged(file, `its SHA-256 is ${digest}, not ${manifest.sha256}`);
  const { tensors } = guarded(file, () => readSafetensors(bytes));
  const tensor = (key: string) => {
    const found = tensors.get(key);
    if (!found) throw damaged(file, `it has no tensor "${key}"`);
    return found;
  };
  return guarded(`${name}.json`, () => ({
    name: manifest.case,
    theta: manifest.theta.source === 'prng' ? prngTheta(manifest.theta.tensors) : storedTheta(tensors),
    shapes: manifest.tensors.map(({ shape }) => shape),
    steps: manifest.steps,
    totalSteps: manifest.num_steps,
    weightDecay: manifest.prefab?.weight_decay ?? 0,
    // Without the wrapper gradients are never accumulated.
    maxTrainingSteps: manifest.prefab?.max_training_steps ?? manifest.num_steps,
    updatesAt: [...manifest.updates_at],
    tensor,
    has: (key: string) => tensors.has(key),
  }));
}

/** @throws VeloError `DATA_INVALID` */
export async function loadGoldenUnits(read: ReadFile = readPackedFile): Promise<GoldenUnits> {
  const units = parse<GoldenUnits>('units.json', await open('units.json', read));
  for (const key of ['mulberry32', 'factored_axes', 'log_mag', 'fraction_embedding', 'loss_buffer'] as const) {
    if (!units[key]) throw damaged('units.json', `it lacks "${key}"`);
  }
  return units;
}

async function open(name: string, read: ReadFile): Promise<Uint8Array> {
  try {
    return await read(name);
  } catch (cause) {
    throw new VeloError('DATA_INVALID', `${name} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

const parse = <Contents>(name: string, bytes: Uint8Array): Contents => {
  const contents = guarded(name, () => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Contents);
  if (typeof contents !== 'object' || contents === null) throw damaged(name, 'it holds no object');
  return contents;
};

/** Whatever fails while a file is taken apart is the file's fault. */
function guarded<Result>(name: string, body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    throw damaged(name, (cause as Error).message, cause);
  }
}

const damaged = (name: string, why: string, cause?: unknown) =>
  new VeloError('DATA_INVALID', `${name} cannot be used: ${why}. Restore it, or make it anew.`, { cause });

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const STORED = 'theta.';

function storedTheta(tensors: ReadonlyMap<string, SafetensorsTensor>): Theta {
  const leaves = [...tensors].filter(([name]) => name.startsWith(STORED));
  return thetaFromCheckpoint(Object.fromEntries(leaves.map(([name, tensor]) => [name.slice(STORED.length), tensor])));
}

/** Every leaf from a seed; its first values and its sum show that the generator is the right one. */
function prngTheta(leaves: readonly PrngTensor[]): Theta {
  return thetaFromCheckpoint(
    Object.fromEntries(
      leaves.map(({ path, shape, seed, scale, first, sum }) => {
        const data = uniform(seed, sizeOf(shape), scale);
        const total = data.reduce((partial, value) => partial + value, 0);
        const same =
          first.every((value, i) => value === data[i]) && Math.abs(total - sum) <= 1e-9 * data.length * scale;
        if (!same)
          throw new Error(`the generator does not give the leaf ${path.join('.')} that the manifest describes`);
        return [path.join('.'), { shape, data }];
      }),
    ),
  );
}
