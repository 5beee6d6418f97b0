/**
 * One address to bytes: resumed after a cut where the server can, and nothing believed that it says about lengths
 * without looking. The hash of the whole is checked by the caller, and here where pieces were put together.
 *
 * Changes between pieces are found by comparing ETag or Last-Modified of the answers. `If-Range` would save a request
 * then, but browsers ask servers for permission before they send it, and plain `Range` is always allowed.
 */
import type { WeightsCache } from './cache.ts';

/** Far above any VeLO (the released one has 9 MB); a server must not fill the memory. */
const MAX_BYTES = 256 * 2 ** 20;
/** What an attempt must bring for it to be worth going on at once at the same place. */
const PROGRESS_BYTES = 64 * 1024;
/** How often of a file's length an unfinished download is stored. */
const SAVES = 8;

/** Why an address gave no file. */
export class DownloadFailure extends Error {
  constructor(
    message: string,
    /** Asking again is of no use. */
    readonly permanent: boolean,
    /** Seconds that the server asks to wait. */
    readonly retryAfter: number = 0,
  ) {
    super(message);
  }
}

export interface DownloadOptions {
  readonly url: string;
  /** Length of the file where it is known. */
  readonly expectedBytes: number | undefined;
  /** Whether the whole is right; null where nobody can tell. */
  readonly isRight: ((bytes: Uint8Array<ArrayBuffer>) => Promise<boolean>) | null;
  /** Where an unfinished download waits for the next process. */
  readonly store: { readonly cache: WeightsCache; readonly key: string } | null;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (loaded: number, total: number | null) => void;
  /** Milliseconds without a byte after which a connection counts as cut. */
  readonly stall: number;
}

export interface Download {
  /**
   * Makes attempts for as long as they get somewhere. Called again after a failure, it goes on where that one ended.
   *
   * @throws DownloadFailure, or the signal's reason.
   */
  run(): Promise<Uint8Array<ArrayBuffer>>;
}

export function createDownload(options: DownloadOptions): Download {
  const { url, isRight, store, signal } = options;
  const held = new Held();
  let stored = store === null;
  let hasRestarted = false;

  const save = async () => {
    if (store && held.length > 0 && (held.validator !== null || isRight)) {
      // Nothing is lost but time if it cannot be stored.
      await store.cache.put(store.key, frame(url, held)).catch(() => {});
    }
  };

  const load = async () => {
    stored = true;
    const bytes = await store?.cache.get(store.key).catch(() => null);
    if (bytes) unframe(url, bytes, held);
  };

  return {
    async run() {
      if (!stored) await load();
      for (;;) {
        const most = held.length;
        const hadPieces = held.length > 0;
        let failure: DownloadFailure | null;
        try {
          failure = held.length === options.expectedBytes ? null : await attempt(options, held, save);
        } catch (error) {
          await save();
          throw error;
        }
        if (failure === null) {
          const bytes = held.take();
          await store?.cache.delete(store.key).catch(() => {});
          if (!hadPieces || hasRestarted || !isRight || (await isRight(bytes))) return bytes;
          // Pieces of different files, or a damaged one.
          hasRestarted = true;
          continue;
        }
        if (held.validator === null && !isRight) held.reset();
        await save();
        signal?.throwIfAborted();
        if (failure.permanent || held.length < most + PROGRESS_BYTES) throw failure;
      }
    },
  };
}

/** One request. Null when the file is complete; throws what the caller's functions throw, and the signal's reason. */
async function attempt(
  options: DownloadOptions,
  held: Held,
  save: () => Promise<void>,
): Promise<DownloadFailure | null> {
  const { url, expectedBytes, isRight, signal, onProgress, stall } = options;
  signal?.throwIfAborted();
  const connection = new AbortController();
  const onAbort = () => connection.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => connection.abort(new Error(`nothing arrived for ${stall / 1000} s`)), stall);
  };
  const cut = (error: unknown) => {
    signal?.throwIfAborted();
    const at = held.length > 0 ? ` after ${held.length} bytes` : '';
    return new DownloadFailure(`${reasonOf(connection.signal.aborted ? connection.signal.reason : error)}${at}`, false);
  };

  try {
    watch();
    const request = {
      // Lengths and ranges are those of the file itself; browsers decide that alone, and see to it with ranges.
      headers: { 'Accept-Encoding': 'identity', ...(held.length > 0 ? { Range: `bytes=${held.length}-` } : {}) },
      cache: 'no-store',
      credentials: 'omit',
      signal: connection.signal,
    } as const;
    let response: Response;
    try {
      response = await fetch(url, request);
    } catch (error) {
      return cut(error);
    }

    const { status, headers } = response;
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('Content-Range') ?? '');
    const validator = validatorOf(headers);
    if (held.length > 0) {
      const goesOn =
        status === 206 &&
        (range ? Number(range[1]) === held.length : isRight !== null) &&
        (validator === null || held.validator === null ? isRight !== null : validator === held.validator);
      if (!goesOn && (status === 206 || status === 416)) {
        held.reset();
        connection.abort();
        return await attempt(options, held, save);
      }
    }
    if (status !== 200 && !(status === 206 && held.length > 0)) return refusal(response);
    if (status === 200) held.reset();
    // Ranges of an encoded file are not ranges of the file.
    held.validator = headers.has('Content-Encoding') ? null : validator;

    const announced = totalOf(headers, held.length, range?.[2]);
    // Pages are not told that another origin compressed its answer, and then the length is not that of the file.
    const total = response.type === 'cors' && status === 200 ? null : announced;
    if (total !== null && expectedBytes !== undefined && total !== expectedBytes) {
      return new DownloadFailure(`it announces ${total} bytes instead of ${expectedBytes}`, true);
    }
    const limit = expectedBytes ?? total ?? MAX_BYTES;
    if (limit > MAX_BYTES) {
      return new DownloadFailure(`it announces ${limit} bytes, more than the ${MAX_BYTES} that are accepted`, true);
    }

    const report = () => {
      const most = expectedBytes ?? announced;
      onProgress(held.length, most !== null && held.length <= most ? most : null);
    };
    report();
    const reader = response.body?.getReader();
    let saved = held.length;
    while (reader) {
      let part: Awaited<ReturnType<typeof reader.read>>;
      try {
        part = await reader.read();
      } catch (error) {
        return cut(error);
      }
      if (part.done) break;
      watch();
      if (held.length + part.value.length > limit) {
        held.reset();
        return new DownloadFailure(`it sends more than ${limit} bytes`, true);
      }
      held.append(part.value, limit);
      report();
      if (held.length - saved > limit / SAVES) {
        saved = held.length;
        await save();
      }
    }
    const whole = expectedBytes ?? total;
    return whole !== null && held.length < whole
      ? new DownloadFailure(`it ended after ${held.length} of ${whole} bytes`, false)
      : null;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    // Closes what was not read to its end.
    connection.abort();
  }
}

/** Bytes that have arrived, and what their server calls this version of the file. */
class Held {
  validator: string | null = null;
  length = 0;
  #buffer = new Uint8Array(0);

  append(part: Uint8Array, limit: number): void {
    const needed = this.length + part.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.min(limit, Math.max(2 * needed, 2 ** 20)));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.length);
    this.length = needed;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.length);
  }

  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.length === this.#buffer.length ? this.#buffer : this.bytes.slice();
    this.reset();
    return bytes;
  }

  reset(): void {
    this.validator = null;
    this.length = 0;
    this.#buffer = new Uint8Array(0);
  }
}

/** A line of JSON, then the bytes: in no format of weights, so that it cannot be taken for the file. */
function frame(url: string, held: Held): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`${JSON.stringify({ url, validator: held.validator })}\n`);
  const framed = new Uint8Array(head.length + held.length);
  framed.set(head);
  framed.set(held.bytes, head.length);
  return framed;
}

/** What is not ours or not of this address is left alone. */
function unframe(url: string, framed: Uint8Array<ArrayBuffer>, held: Held): void {
  const end = framed.indexOf(10);
  try {
    const head = JSON.parse(new TextDecoder().decode(framed.subarray(0, end)));
    if (head.url !== url) return;
    held.append(framed.subarray(end + 1), MAX_BYTES);
    held.validator = typeof head.validator === 'string' ? head.validator : null;
  } catch {
    held.reset();
  }
}

/** Weak ETags promise the same meaning, not the same bytes. */
function validatorOf(headers: Headers): string | null {
  const tag = headers.get('ETag');
  return tag && !tag.startsWith('W/') ? tag : headers.get('Last-Modified');
}

/** The length of the whole file as the server announces it; null if it does not. */
function totalOf(headers: Headers, before: number, ofRange: string | undefined): number | null {
  if (ofRange !== undefined && ofRange !== '*') return Number(ofRange);
  const length = headers.get('Content-Length');
  return length === null || headers.has('Content-Encoding') ? null : before + Number(length);
}

function refusal({ status, statusText, headers }: Response): DownloadFailure {
  const isPassing = status >= 500 || status === 408 || status === 425 || status === 429;
  return new DownloadFailure(
    `it answers ${status}${statusText && ` ${statusText}`}`,
    !isPassing,
    Number(headers.get('Retry-After')) || 0,
  );
}

/** Node hides the reason in the cause; browsers do not tell it at all. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const { message: inner, code } = (cause ?? {}) as { message?: string; code?: string };
  const isHidden = error instanceof TypeError && cause === undefined;
  return inner || code || (isHidden ? `${message} (no connection, or its server allows no other origins)` : message);
}
