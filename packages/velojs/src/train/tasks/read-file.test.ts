import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFile } from './read-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const content = Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]);
const write = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

describe('readFile', () => {
  it('gives the bytes and the name', () => {
    const { name, bytes } = readFile(write('plain', content));
    expect([name, ...bytes]).toEqual(['plain', ...content]);
  });

  it('unzips what is gzipped, whatever its name', () => {
    expect([...readFile(write('zipped', gzipSync(content))).bytes]).toEqual([...content]);
  });

  it.each([
    ['damaged gzip', () => write('short.gz', gzipSync(content).subarray(0, 20)), 'short.gz: the gzip data is damaged'],
    ['a file that is not there', () => join(folder, 'nowhere'), 'nowhere cannot be read'],
  ])('refuses %s', (_, file, message) => {
    const path = file();
    expect(() => readFile(path)).toThrowError(
      expect.objectContaining({ code: 'DATA_INVALID', message: expect.stringContaining(message) }),
    );
  });
});
