/** What loading weights needs of Node, in a module of its own: bundles for browsers leave it out. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import envPaths from 'env-paths';
import type { WeightsCache } from './cache.ts';

/** The platform's folder for caches, such as `~/.cache/velojs`; the environment variable `VELOJS_CACHE` names another. */
export const defaultFolder = (): string => process.env.VELOJS_CACHE || envPaths('velojs', { suffix: '' }).cache;

export function folderCache(name: string = defaultFolder()): WeightsCache {
  const folder = resolve(name);
  const place = (key: string) => join(folder, key);
  return {
    place,
    async get(key) {
      try {
        return await readPath(place(key));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    async put(key, bytes) {
      await mkdir(folder, { recursive: true });
      const temporary = `${place(key)}.${randomUUID()}.tmp`;
      try {
        const file = await open(temporary, 'wx');
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, place(key));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    delete: (key) => rm(place(key), { force: true }),
  };
}

/** A path, or a `file:` address. */
export async function readPath(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path.startsWith('file:') ? fileURLToPath(path) : path);
  // readFile gives an ArrayBuffer of the file's own, but its type does not say so.
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
