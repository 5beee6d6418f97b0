/** Finished runs on disk: a folder of JSONL files, one per optimizer, to which every run is appended when it is done. */
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VeloError, type VeloErrorCode } from '@velojs/core';
import type { RunResult } from './training-run.ts';

/** Enough for curves. */
const DIGITS = 5;

export class RunCache {
  /** Lines that could not be read, as a process leaves them that ends while it writes: their runs are done again. */
  dropped = 0;
  readonly #folder: string;
  readonly #files = new Map<string, Map<string, RunResult>>();
  /** Files whose last line is not ended. */
  readonly #open = new Set<string>();

  /** @throws VeloError `WRITE_FAILED` where the folder cannot be made. */
  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(folder, { recursive: true });
    } catch (cause) {
      throw failure('WRITE_FAILED', folder, 'cannot be made', cause);
    }
  }

  /** @throws VeloError `DATA_INVALID` where the file is there and cannot be read. */
  get(file: string, key: string): RunResult | undefined {
    return this.#runs(file).get(key);
  }

  /** @throws VeloError `WRITE_FAILED`; what was there before still is. */
  add(file: string, key: string, result: RunResult): void {
    const rounded = { ...result, curve: result.curve.map(round), trainingCurve: result.trainingCurve.map(round) };
    const runs = this.#runs(file);
    const path = this.#path(file);
    const line = `${this.#open.has(file) ? '\n' : ''}${JSON.stringify({ run: JSON.parse(key), ...rounded })}\n`;
    try {
      // One write: other processes may append to the same file.
      appendFileSync(path, line);
    } catch (cause) {
      this.#open.add(file);
      throw failure('WRITE_FAILED', path, 'cannot be written to', cause);
    }
    this.#open.delete(file);
    runs.set(key, rounded);
  }

  #path(file: string): string {
    return join(this.#folder, `${file}.jsonl`);
  }

  #runs(file: string): Map<string, RunResult> {
    let runs = this.#files.get(file);
    if (runs) return runs;
    runs = new Map();
    const text = this.#read(file);
    const lines = text.split('\n');
    if (lines.pop() !== '') {
      this.#open.add(file);
      this.dropped++;
    }
    for (const line of lines) {
      const entry = parse(line);
      if (entry) runs.set(...entry);
      else if (line !== '') this.dropped++;
    }
    this.#files.set(file, runs);
    return runs;
  }

  #read(file: string): string {
    const path = this.#path(file);
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw failure('DATA_INVALID', path, 'cannot be read', cause);
    }
  }
}

const round = (loss: number): number => Number(loss.toPrecision(DIGITS));

const failure = (code: VeloErrorCode, path: string, what: string, cause: unknown): VeloError =>
  new VeloError(code, `${path} ${what}: ${(cause as Error).message}`, { cause });

/** Undefined where the line is damaged. */
function parse(line: string): [string, RunResult] | undefined {
  try {
    const { run, ...result } = JSON.parse(line) as { run: unknown } & RunResult;
    const { initialLoss, trainingLoss, validationLoss, curve, trainingCurve } = result;
    const isWhole =
      Array.isArray(run) &&
      [initialLoss, trainingLoss ?? 0, validationLoss ?? 0].every(Number.isFinite) &&
      [curve, trainingCurve].every((losses) => Array.isArray(losses) && losses.every(Number.isFinite));
    return isWhole ? [JSON.stringify(run), result] : undefined;
  } catch {
    return undefined;
  }
}
