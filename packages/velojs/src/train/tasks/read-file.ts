/** Files of the command line, unzipped where they are gzipped. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { VeloError } from '@velojs/core';
import { damagedGzip, isGzipped } from '../data/idx.ts';
import type { NamedBytes } from './own-data.ts';

/** @throws VeloError `DATA_INVALID` */
export function readFile(file: string): NamedBytes {
  const name = basename(file);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new VeloError('DATA_INVALID', `${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
  if (!isGzipped(bytes)) return { name, bytes };
  try {
    return { name, bytes: gunzipSync(bytes) };
  } catch (cause) {
    throw damagedGzip(name, cause);
  }
}
