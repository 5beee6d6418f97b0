/** Weights from the network or the cache: places in turn, each file checked before it is used and kept. */
import { type Theta, VeloError } from '@velojs/core';
import type { WeightsCache } from './cache.ts';
import { createDownload, type Download, DownloadFailure } from './download.ts';
import { readTheta, type ThetaFormat } from './formats.ts';
import { listWeights, type WeightsEntry } from './registry.ts';
import type { ThetaMetadata } from './theta-file.ts';
import { canHash, digest, type Expected, hasHash, NO_HASHES, type Verification, verify } from './verify.ts';

export interface LoadOptions {
  /** Called as bytes arrive from the network; not for what comes from the cache. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Ends the loading; the promise rejects with the signal's reason. What has arrived is kept for the next time. */
  readonly signal?: AbortSignal;
  /** SHA-256 that the file must have, 64 hexadecimal digits, in place of what the registry knows. */
  readonly sha256?: string;
  /**
   * Accept, and keep, a file that cannot be checked: its hash is not the registry's, or none is known. It must be a
   * readable theta all the same, and a place whose file is right is preferred. Default false.
   */
  readonly allowUnverified?: boolean;
  /** Take it from the cache or fail. Default false. */
  readonly offline?: boolean;
  /**
   * Where files are kept. In Node a folder, by default that of the environment variable `VELOJS_CACHE` or the platform's
   * folder for caches (`~/.cache/velojs` on Linux); in browsers a name in the Cache API, by default `velojs`.
   */
  readonly cacheDir?: string;
  /** Told when the weights are there but could not be kept; default `console.warn`. */
  readonly onWarning?: (message: string) => void;
}

export interface DownloadProgress {
  readonly url: string;
  /** Bytes of this file that are there, those of an earlier attempt included. */
  readonly loaded: number;
  /** Bytes of the whole file; null where nobody knows. */
  readonly total: number | null;
}

export interface FetchedFile {
  /** The last part of its address or path; empty for contents. */
  readonly name: string;
  /** Its address or path; null for contents. */
  readonly origin: string | null;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The hash by which it was found to be the expected file; null if it was not checked. */
  readonly verified: Verification | null;
  /** Where it is kept; null if it is not. */
  readonly cached: string | null;
}

export interface FetchedWeights {
  readonly theta: Theta;
  readonly format: ThetaFormat;
  readonly metadata: ThetaMetadata;
  /** The entry of the registry; null if the source was none. */
  readonly entry: WeightsEntry | null;
  readonly files: readonly FetchedFile[];
}

/** A file at an address. */
export interface RemoteFile extends Expected {
  readonly url: string;
}

/** Places that have the same weights; the files of one place make one theta together. */
export interface RemoteWeights {
  readonly entry: WeightsEntry | null;
  readonly places: readonly (readonly RemoteFile[])[];
}

/** How long to wait for servers. */
export interface Patience {
  /** Milliseconds before every further round through the places. */
  readonly pauses: readonly number[];
  /** Milliseconds without a byte after which a connection counts as cut. */
  readonly stall: number;
}

/** However long a server asks to wait. */
const LONGEST_PAUSE = 30_000;

interface Context {
  readonly weights: RemoteWeights;
  readonly options: LoadOptions;
  readonly cache: WeightsCache | null;
  readonly patience: Patience;
}

/** What became of the files of one place. */
interface Judgement {
  /** Null if they may not be used. */
  readonly fetched: FetchedWeights | null;
  /** What speaks against them; empty if all hashes are right. */
  readonly complaints: readonly string[];
}

/** @throws VeloError `WEIGHTS_UNVERIFIED`, `DOWNLOAD_FAILED`, `OFFLINE`, `WEIGHTS_INVALID` */
export async function fetchRemote(
  weights: RemoteWeights,
  options: LoadOptions,
  cache: WeightsCache | null,
  patience: Patience,
): Promise<FetchedWeights> {
  const context: Context = { weights, options, cache, patience };
  return (await fromCache(context)) ?? (await fromNetwork(context));
}

/** Cached files are checked like fresh ones; those that are not right count as absent, and are replaced. */
async function fromCache(context: Context): Promise<FetchedWeights | null> {
  const { weights, options, cache } = context;
  if (!cache) return null;
  let unverified: FetchedWeights | null = null;
  for (const place of weights.places) {
    if (!place.every((file) => isKept(context, file))) continue;
    const contents: Uint8Array<ArrayBuffer>[] = [];
    for (const file of place) {
      const key = await keyOf(file);
      const bytes = await cache.get(key).catch((error: Error) => {
        warn(options, `${cache.place(key)} cannot be read: ${error.message}`);
        return null;
      });
      if (bytes) contents.push(bytes);
    }
    if (contents.length < place.length) continue;
    const judgement = await judge(context, place, contents).catch(() => null);
    if (!judgement?.fetched) continue;
    if (judgement.complaints.length === 0) return judgement.fetched;
    unverified ??= judgement.fetched;
  }
  return unverified;
}

async function fromNetwork(context: Context): Promise<FetchedWeights> {
  const { weights, options, patience } = context;
  const name = weights.entry ? `"${weights.entry.name}"` : weights.places[0]!.map(({ url }) => url).join(' and ');
  if (options.offline) {
    throw new VeloError(
      'OFFLINE',
      `${name} is not in the cache, and \`offline\` rules the network out. ${await helpFor(context)}`,
    );
  }
  const reasons = new Map<readonly RemoteFile[], readonly string[]>();
  const open = new Set(weights.places);
  const close = (place: readonly RemoteFile[], complaints: readonly string[]) => {
    reasons.set(place, complaints);
    open.delete(place);
  };
  // What nobody can check is not worth its download, unless it is wanted all the same.
  for (const place of weights.places) {
    let why = '';
    if (weights.entry && !place.every(hasHash))
      why = 'no hash is known to check it with (allowUnverified, --allow-unverified)';
    else if (place.some(hasHash) && !canHash()) why = NO_HASHES;
    if (!options.allowUnverified && why !== '')
      close(
        place,
        place.map(({ url }) => `${url}: not tried, as ${why}`),
      );
  }

  const fetchFile = fileFetcher(context);
  let unverified: { fetched: FetchedWeights; place: readonly RemoteFile[] } | null = null;
  let isMismatched = open.size === 0;
  for (let round = 0; open.size > 0; round++) {
    let wait = 0;
    for (const place of [...open]) {
      const contents: Uint8Array<ArrayBuffer>[] = [];
      try {
        for (const file of place) contents.push(await fetchFile(file));
      } catch (error) {
        if (!(error instanceof DownloadFailure)) throw error;
        reasons.set(place, [`${place[contents.length]!.url}: ${error.message}`]);
        if (error.permanent) open.delete(place);
        wait = Math.max(wait, 1000 * error.retryAfter);
        continue;
      }
      const { fetched, complaints } = await judge(context, place, contents);
      if (fetched && complaints.length === 0) return keep(context, place, fetched);
      if (fetched) unverified ??= { fetched, place };
      isMismatched = true;
      close(place, complaints);
    }
    const pause = patience.pauses[round];
    if (pause === undefined) break;
    if (open.size > 0) await delay(Math.min(Math.max(pause, wait), LONGEST_PAUSE), options.signal);
  }
  if (unverified) return keep(context, unverified.place, unverified.fetched);

  const list = weights.places.flatMap((place) => reasons.get(place) ?? []).map((reason) => `\n  ${reason}`);
  if (!isMismatched) {
    throw new VeloError(
      'DOWNLOAD_FAILED',
      `${name} could not be downloaded:${list.join('')}\n${await helpFor(context)}`,
    );
  }
  const advice = options.sha256
    ? 'Compare the SHA-256 that you gave with that of whoever published the file.'
    : 'If you trust what is there, give its SHA-256 (sha256, --sha256), or accept it unchecked (allowUnverified, --allow-unverified).';
  throw new VeloError(
    'WEIGHTS_UNVERIFIED',
    `${name} could not be verified, so nothing was kept:${list.join('')}\n${advice}`,
  );
}

/** @throws VeloError `WEIGHTS_INVALID` if these files are right, or nothing is known about them, and they are no theta. */
async function judge(
  context: Context,
  place: readonly RemoteFile[],
  contents: readonly Uint8Array<ArrayBuffer>[],
): Promise<Judgement> {
  const { entry } = context.weights;
  const complaints: string[] = [];
  const files: FetchedFile[] = [];
  for (const [i, file] of place.entries()) {
    const bytes = contents[i]!;
    const { verified, complaint } = await verify(bytes, file);
    // Of a bare address nothing is known, and its user asked for just that.
    if (complaint !== null && (entry || hasHash(file))) complaints.push(`${file.url}: ${complaint}`);
    const cached = isKept(context, file) ? context.cache!.place(await keyOf(file)) : null;
    files.push({ name: nameOf(file.url), origin: file.url, bytes, verified, cached });
  }
  if (complaints.length > 0 && !context.options.allowUnverified) return { fetched: null, complaints };
  try {
    return { fetched: { ...(await readTheta(contents)), entry, files }, complaints };
  } catch (error) {
    if (complaints.length === 0) throw error;
    return { fetched: null, complaints: [...complaints, (error as Error).message] };
  }
}

/** Downloads, each at most once to its end, going on where an earlier round was cut. */
function fileFetcher(context: Context): (file: RemoteFile) => Promise<Uint8Array<ArrayBuffer>> {
  const { options, cache, patience } = context;
  const downloads = new Map<RemoteFile, Download>();
  const whole = new Map<RemoteFile, Uint8Array<ArrayBuffer>>();
  return async (file) => {
    const known = whole.get(file);
    if (known) return known;
    const download =
      downloads.get(file) ??
      createDownload({
        url: file.url,
        expectedBytes: file.bytes,
        isRight: hasHash(file) ? async (bytes) => (await verify(bytes, file)).verified !== null : null,
        store: isKept(context, file) ? { cache: cache!, key: `${await keyOf(file)}.partial` } : null,
        signal: options.signal,
        onProgress: (loaded, total) => options.onProgress?.({ url: file.url, loaded, total }),
        stall: patience.stall,
      });
    downloads.set(file, download);
    const bytes = await download.run();
    whole.set(file, bytes);
    return bytes;
  };
}

async function keep(
  { options, cache }: Context,
  place: readonly RemoteFile[],
  fetched: FetchedWeights,
): Promise<FetchedWeights> {
  const files: FetchedFile[] = [];
  for (const [i, file] of fetched.files.entries()) {
    try {
      if (file.cached !== null) await cache!.put(await keyOf(place[i]!), file.bytes);
      files.push(file);
    } catch (error) {
      warn(options, `the weights are loaded, but cannot be kept in ${file.cached}: ${(error as Error).message}`);
      files.push({ ...file, cached: null });
    }
  }
  return { ...fetched, files };
}

const isKept = ({ cache, options }: Context, file: RemoteFile): boolean =>
  cache !== null && (hasHash(file) || options.allowUnverified === true);

/** The file's name and what it must contain; where that is unknown, its address. */
async function keyOf({ url, sha256, gitBlob }: RemoteFile): Promise<string> {
  const identity = sha256 ?? gitBlob ?? (await digest('SHA-256', new TextEncoder().encode(url)));
  const name = nameOf(url)
    .replace(/[^\w.-]/g, '_')
    .slice(0, 80);
  return `${name || 'file'}-${identity.slice(0, 16).toLowerCase()}`;
}

/** The last part of an address or path. */
export const nameOf = (address: string): string => /([^/\\]*)[/\\]*(?:[?#].*)?$/.exec(address)?.[1] ?? '';

/** What to do where there is no network. */
async function helpFor({ weights: { entry, places }, cache }: Context): Promise<string> {
  const [first] = places[0]!;
  // The command knows the names of the registry alone.
  const known = listWeights().find(({ name }) => name === entry?.name)?.name;
  const file = `${known ?? 'weights'}.theta`;
  const size = first?.bytes === undefined ? '' : ` (${first.bytes} bytes)`;
  const place =
    cache && first && hasHash(first) ? ` Or put the file of ${first.url} at ${cache.place(await keyOf(first))}.` : '';
  return (
    `On a machine with a network run \`npx velojs fetch ${known ?? first?.url} --output ${file}\`, ` +
    `bring ${file}${size} here and load it by its path: loadTheta('./${file}').${place}`
  );
}

const warn = ({ onWarning = console.warn }: LoadOptions, message: string) => onWarning(`velojs: ${message}`);

function delay(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done, fail) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      if (signal?.aborted) fail(signal.reason);
      else done();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}
