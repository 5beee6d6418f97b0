/** A run on disk: state that resumes exactly, a log that agrees with it, thetas. Files are replaced, never half written. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Theta, VeloError } from '@velojs/core';
import { decodeTheta, encodeTheta } from '@velojs/weights';
import type { MetaConfig } from './config.ts';
import type { SearchState } from './search.ts';

export interface Checkpoint {
  readonly search: SearchState;
  /** The best validation so far, and the update it was made at; null before the first. */
  readonly best: { readonly score: number; readonly step: number } | null;
  /** The last update that was validated; -1 before the first validation. */
  readonly validated: number;
  /** Of training, in all runs together. */
  readonly seconds: number;
}

const VERSION = 1;
const ARRAYS = ['z', 'average', 'first', 'second'] as const;

export class RunFolder {
  readonly path: string;
  readonly #identity: string;

  /**
   * @param identity what its numbers depend on (`identityOf`).
   * @throws VeloError `WRITE_FAILED` where the folder cannot be made.
   */
  constructor(path: string, identity: string) {
    this.path = path;
    this.#identity = identity;
    writing(path, () => mkdirSync(path, { recursive: true }));
  }

  /**
   * The last checkpoint; null where there is none. The log is cut back to it.
   *
   * @throws VeloError `STATE_INVALID` where it is damaged or of another configuration.
   */
  load(): Checkpoint | null {
    const file = join(this.path, 'checkpoint.json');
    if (!existsSync(file)) return null;
    const checkpoint = parse(readFileSync(file, 'utf8'), file, this.#identity);
    const log = this.#file('log.jsonl');
    if (existsSync(log)) {
      const kept = readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => isCovered(line, checkpoint));
      this.#replace('log.jsonl', kept.map((line) => `${line}\n`).join(''));
    }
    return checkpoint;
  }

  /** @throws VeloError `WRITE_FAILED`; the checkpoint before it is still there. */
  save({ search, best, validated, seconds }: Checkpoint): void {
    const arrays = Object.fromEntries(ARRAYS.map((name) => [name, toBase64(search[name])]));
    const document = {
      ...{ format: 'velojs-meta-checkpoint', version: VERSION, identity: this.#identity },
      ...{ step: search.step, gradientNorm: search.gradientNorm, best, validated, seconds },
      ...arrays,
      past: search.past.map(toBase64),
    };
    this.#replace('checkpoint.json', JSON.stringify(document));
  }

  /** Begins `log.jsonl`: what is there is of a run that left nothing to go on from. */
  emptyLog(): void {
    const file = this.#file('log.jsonl');
    writing(file, () => writeFileSync(file, ''));
  }

  /** Adds a line to `log.jsonl`. */
  log(entry: { readonly step: number } & Readonly<Record<string, unknown>>): void {
    const file = this.#file('log.jsonl');
    writing(file, () => {
      const handle = openSync(file, 'a');
      try {
        writeSync(handle, `${JSON.stringify(entry)}\n`);
      } finally {
        closeSync(handle);
      }
    });
  }

  saveTheta(name: string, theta: Theta, description: string): void {
    this.#replace(name, encodeTheta(theta, { name: name.replace(/\.theta$/, ''), description }));
  }

  loadTheta(name: string): Theta {
    return decodeTheta(readFileSync(this.#file(name))).theta;
  }

  saveConfig(config: MetaConfig): void {
    this.#replace('config.json', `${JSON.stringify(config, null, 2)}\n`);
  }

  #file(name: string): string {
    return join(this.path, name);
  }

  #replace(name: string, contents: string | Uint8Array): void {
    const file = this.#file(name);
    writing(file, () => {
      const handle = openSync(`${file}.new`, 'w');
      try {
        const bytes = typeof contents === 'string' ? Buffer.from(contents) : contents;
        for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(`${file}.new`, file);
    });
  }
}

/** Whether the checkpoint was made after what a line of the log tells; false for half a line. */
function isCovered(line: string, { search, validated }: Checkpoint): boolean {
  try {
    const { step, validation } = JSON.parse(line) as { step: number; validation?: number };
    return step <= (validation === undefined ? search.step : validated);
  } catch {
    return false;
  }
}

function parse(text: string, file: string, expected: string): Checkpoint {
  let document: Record<string, unknown> | null;
  try {
    document = JSON.parse(text) as typeof document;
  } catch (cause) {
    throw invalid(`${file} is damaged: ${(cause as Error).message}`, cause);
  }
  if (document?.format !== 'velojs-meta-checkpoint' || document.version !== VERSION) {
    throw invalid(`${file} is no checkpoint of this version of velojs`);
  }
  if (document.identity !== expected) {
    throw invalid(`${file} belongs to another configuration, start or module: give that one, or another folder`);
  }
  try {
    const arrays = Object.fromEntries(ARRAYS.map((name) => [name, fromBase64(document[name])]));
    const { step, gradientNorm, past } = document as { step: number; gradientNorm: number; past: unknown[] };
    const search = { step, gradientNorm, ...arrays, past: past.map(fromBase64) } as unknown as SearchState;
    const { best, validated, seconds } = document as unknown as Checkpoint;
    return { search, best, validated, seconds };
  } catch (cause) {
    throw invalid(`${file} is damaged`, cause);
  }
}

const toBase64 = ({ buffer, byteOffset, byteLength }: Float64Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

function fromBase64(text: unknown): Float64Array {
  const bytes = Uint8Array.from(Buffer.from(text as string, 'base64'));
  return new Float64Array(bytes.buffer);
}

/** Says what cannot be written, whatever the reason: no room, no permission. */
function writing(file: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new VeloError('WRITE_FAILED', `${file} cannot be written: ${(cause as Error).message}.`, { cause });
  }
}

const invalid = (what: string, cause?: unknown) =>
  new VeloError('STATE_INVALID', `${what}.`, cause === undefined ? {} : { cause });
