/** Weights by name, address, path or contents: fetched once, checked, kept. */
import { type Theta, VeloError } from '@velojs/core';
import { browserCache, type WeightsCache } from './cache.ts';
import {
  type FetchedFile,
  type FetchedWeights,
  fetchRemote,
  type LoadOptions,
  nameOf,
  type Patience,
  type RemoteFile,
} from './fetch-remote.ts';
import { readTheta } from './formats.ts';
import { listWeights, type WeightsEntry, type WeightsFile } from './registry.ts';
import { veloMiniFile } from './velo-mini.ts';
import { verify } from './verify.ts';

/**
 * - a name of `listWeights`, such as `'velo'`, or an entry of the same form
 * - an address: a `URL`, or a string with a scheme; in browsers every other string too, relative to the page
 * - in Node, a path: every string that is neither
 * - contents: a `File` or another `Blob`, an `ArrayBuffer`, bytes
 *
 * PyLO's two files are given as a list.
 */
export type ThetaSource = FileSource | WeightsEntry;

type FileSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** A hiccup is over after seconds; who waits longer wants to know why. */
const PATIENCE: Patience = { pauses: [500, 1500, 4000], stall: 30_000 };

/**
 * Loads a theta from a registered name, an address, a path or contents, in any format that `readTheta` reads.
 *
 * What comes from the network is checked by its hash, which the registry or `sha256` gives, and then kept: the next call
 * takes it from the cache, checks it again and asks no server. The addresses of an entry are tried in their order, in
 * rounds with growing pauses; a cut download goes on where it ended, in a later process too. A file from an address
 * without `sha256` is loaded and not kept.
 *
 * @throws VeloError `WEIGHTS_UNVERIFIED` for another hash than expected, or none known at any reachable address;
 * `DOWNLOAD_FAILED` with the reason of every address; `OFFLINE`; `WEIGHTS_INVALID` for what is no theta;
 * `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const theta = await loadTheta('velo', { onProgress: ({ loaded, total }) => console.log(loaded, total) });
 * const velo = await createVelo({ theta, parameters, totalSteps: 10_000 });
 * ```
 */
export async function loadTheta(
  source: ThetaSource | readonly ThetaSource[],
  options: LoadOptions = {},
): Promise<Theta> {
  return (await fetchWeights(source, options)).theta;
}

/**
 * As `loadTheta`, and tells what came from where: the files with their bytes, how they were checked and where they are kept.
 *
 * @throws VeloError as `loadTheta`
 * @example
 * ```ts
 * const { theta, format, files } = await fetchWeights('velo');
 * console.log(format, files[0]?.cached); // flax-params /home/me/.cache/velojs/params-a1011ded0e4059aa
 * ```
 */
export function fetchWeights(
  source: ThetaSource | readonly ThetaSource[],
  options: LoadOptions = {},
): Promise<FetchedWeights> {
  return fetchSource(source, options, PATIENCE);
}

/** As `fetchWeights`, with other waiting times. */
export async function fetchSource(
  source: ThetaSource | readonly ThetaSource[],
  options: LoadOptions,
  patience: Patience,
): Promise<FetchedWeights> {
  checkOptions(options);
  options.signal?.throwIfAborted();
  const sources = (Array.isArray(source) ? source : [source]) as readonly ThetaSource[];
  if (sources.length === 0) throw invalid('There is no source: give a name, an address, a path or contents.');
  const { sha256, cacheDir } = options;
  const entry = sources.length === 1 ? entryOf(sources[0]!) : null;
  if (entry && entry.downloads.length === 0) {
    const file = await localFile(veloMiniFile(), sha256);
    return { ...(await readTheta(file.bytes)), entry, files: [{ ...file, name: `${entry.name}.theta` }] };
  }
  if (entry) {
    let places: readonly (readonly RemoteFile[])[] = entry.downloads.map(({ files }) => files);
    if (sha256) places = places.filter(({ length }) => length === 1).map(([file]) => [{ url: file!.url, sha256 }]);
    if (places.length === 0) throw invalid(`A sha256 belongs to one file, and "${entry.name}" consists of several.`);
    return fetchRemote({ entry, places }, options, await openCache(cacheDir), patience);
  }
  if (sha256 && sources.length > 1) throw invalid('A sha256 belongs to one file, and these are several.');
  const addresses = (sources as readonly FileSource[]).map(addressOf);
  if (addresses.every((url) => url !== null)) {
    const place = addresses.map((url) => ({ url, ...(sha256 ? { sha256 } : {}) }));
    return fetchRemote({ entry: null, places: [place] }, options, await openCache(cacheDir), patience);
  }
  if (addresses.some((url) => url !== null)) {
    throw invalid('Addresses cannot be mixed with paths or contents in one list: load all of one kind.');
  }
  const files: FetchedFile[] = [];
  for (const source of sources as readonly FileSource[]) {
    files.push(await localFile(source, sha256));
    options.signal?.throwIfAborted();
  }
  return { ...(await readTheta(files.map(({ bytes }) => bytes))), entry: null, files };
}

function entryOf(source: ThetaSource): WeightsEntry | null {
  if (typeof source === 'string') return listWeights().find(({ name }) => name === source) ?? null;
  if (listWeights().includes(source as WeightsEntry)) return source as WeightsEntry;
  if (!(typeof source === 'object' && source !== null && 'downloads' in source)) return null;
  const { name, downloads } = source;
  const isRight =
    typeof name === 'string' &&
    Array.isArray(downloads) &&
    downloads.length > 0 &&
    downloads.every((place) => Array.isArray(place?.files) && place.files.length > 0 && place.files.every(isFile));
  if (!isRight) {
    throw invalid(
      'An entry of weights needs a name and downloads with files that have absolute addresses, and hashes in hexadecimal digits (sha256: 64, gitBlob: 40) where it has any.',
    );
  }
  return source;
}

const SHA256 = /^[\da-f]{64}$/i;
const GIT_BLOB = /^[\da-f]{40}$/i;

/** Hashes become part of names in the cache: nothing else may be in them. */
const isFile = (file: Partial<WeightsFile> | null): boolean =>
  URL.canParse(file?.url ?? '') &&
  (file?.bytes === undefined || Number.isSafeInteger(file.bytes)) &&
  (file?.sha256 === undefined || SHA256.test(file.sha256)) &&
  (file?.gitBlob === undefined || GIT_BLOB.test(file.gitBlob));

const isNode = (): boolean => typeof globalThis.process?.versions?.node === 'string';

/** Null for a path or contents. */
function addressOf(source: FileSource): string | null {
  if (source instanceof URL) return source.protocol === 'file:' ? null : source.href;
  if (typeof source !== 'string') return null;
  // A drive letter is no scheme.
  if (/^[a-z][a-z\d+.-]+:/i.test(source)) return /^file:/i.test(source) ? null : source;
  if (isNode()) return null;
  const { location } = globalThis as { location?: { href: string } };
  if (!URL.canParse(source, location?.href)) throw invalid(`"${source}" is ${NEITHER()} nor an address.`);
  return new URL(source, location?.href).href;
}

async function localFile(source: FileSource, sha256: string | undefined): Promise<FetchedFile> {
  const file = { name: '', origin: null, verified: null, cached: null, ...(await contentsOf(source)) };
  if (sha256 === undefined) return file;
  const { verified, complaint } = await verify(file.bytes, { sha256 });
  if (complaint !== null) throw new VeloError('WEIGHTS_UNVERIFIED', `${file.origin ?? 'The file'}: ${complaint}.`);
  return { ...file, verified };
}

async function contentsOf(source: FileSource): Promise<Pick<FetchedFile, 'bytes'> & Partial<FetchedFile>> {
  if (source instanceof Uint8Array) {
    const { buffer, byteOffset, length } = source;
    // Shared memory cannot be hashed.
    return {
      bytes: buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(source),
    };
  }
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source) };
  if (source instanceof Blob) {
    const { name = '' } = source as { name?: string };
    return { name, origin: name || null, bytes: new Uint8Array(await source.arrayBuffer()) };
  }
  if (!(typeof source === 'string' || source instanceof URL)) {
    throw invalid('Weights are loaded from a name, an address, a path, a Blob, an ArrayBuffer or bytes.');
  }
  const path = `${source}`;
  if (!isNode()) throw invalid(`${path} cannot be read here: in browsers give a File, or an address.`);
  const { readPath } = await import('#file-system');
  try {
    return { name: nameOf(path), origin: path, bytes: await readPath(path) };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? `"${path}" is ${NEITHER()} nor a file.` : `${path} cannot be read: ${message}.`;
    throw new VeloError('INVALID_ARGUMENT', why, { cause });
  }
}

const NEITHER = () =>
  `neither the name of known weights (${listWeights()
    .map(({ name }) => name)
    .join(', ')})`;

async function openCache(cacheDir: string | undefined): Promise<WeightsCache | null> {
  if (!isNode()) return browserCache(cacheDir);
  const { folderCache } = await import('#file-system');
  return folderCache(cacheDir);
}

function checkOptions({ sha256, allowUnverified, cacheDir }: LoadOptions): void {
  if (sha256 !== undefined && !SHA256.test(sha256)) {
    throw invalid(`The sha256 must be 64 hexadecimal digits, not ${JSON.stringify(sha256)}.`);
  }
  if (sha256 !== undefined && allowUnverified) {
    throw invalid('With a sha256 the file is verified: leave allowUnverified out.');
  }
  if (cacheDir !== undefined && (typeof cacheDir !== 'string' || cacheDir === '')) {
    throw invalid('The cacheDir must be a folder, or in browsers the name of a cache.');
  }
}

const invalid = (message: string) => new VeloError('INVALID_ARGUMENT', message);
