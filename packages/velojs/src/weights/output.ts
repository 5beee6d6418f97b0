/** Files that a command writes: never over an existing one unasked, and whole or not at all. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { usage } from './download.ts';

/** Before the work, not after it. */
export function checkFree(path: string, force: boolean): void {
  if (!force && existsSync(path)) throw usage(`${path} exists already: give another name, or --force to replace it.`);
}

export function writeOutput(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    // A new file, not one that a link leads to.
    writeFileSync(temporary, bytes, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw usage(`${path} cannot be written: ${(cause as Error).message}.`, cause);
  }
}
