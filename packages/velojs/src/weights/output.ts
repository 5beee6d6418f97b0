/** Files that a command writes: never over an existing one unasked, and whole or not at all. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { usage } from './download.ts';

/** Before the work, not after it. */
export function checkFree(path: string, force: boolean): void {
  if (!force && existsSync(path)) throw usage(`${path} exists already: give another name, or --force to replace it.`);
}

export function writeOutput(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw usage(`${path} cannot be written: ${(cause as Error).message}.`, cause);
  }
}
