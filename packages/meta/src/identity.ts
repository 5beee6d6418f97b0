/** What the numbers of a run depend on, besides the code: its configuration, the theta it starts from, the modules of its tasks. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { VeloError } from '@velojs/core';
import { encodeTheta } from '@velojs/weights';
import type { MetaConfig } from './config.ts';
import type { Replica } from './replica.ts';

export const checksumOf = (contents: string | Uint8Array): string =>
  createHash('sha256').update(contents).digest('hex');

/** Of the configuration, without where its modules and its start lie: that is another place on every machine. */
export function configChecksum({ start, tasks, ...rest }: MetaConfig): string {
  const sizes = typeof start === 'string' ? null : start;
  return checksumOf(JSON.stringify({ ...rest, start: sizes, tasks: { ...tasks, modules: tasks.modules.length } }));
}

/** Of the numbers of the theta that is started from. */
export const startChecksum = ({ space }: Replica): string =>
  checksumOf(encodeTheta(space.thetaAt(new Float64Array(space.size))));

/**
 * Of each module's file, though not of what it imports; null for packages.
 *
 * @throws VeloError `INVALID_ARGUMENT` for one that cannot be read.
 */
export function moduleChecksums({ tasks }: MetaConfig): (string | null)[] {
  return tasks.modules.map((module) => {
    const path = module.startsWith('file:') ? fileURLToPath(module) : module.startsWith('/') ? module : null;
    if (path === null) return null;
    try {
      return checksumOf(readFileSync(path));
    } catch (cause) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `Task families of the run are in ${path}, which cannot be read here (${(cause as Error).message}): use a copy of the configuration with the modules beside it.`,
        { cause },
      );
    }
  });
}

/** One checksum of all of it. */
export const identityOf = (replica: Replica): string =>
  checksumOf(JSON.stringify([configChecksum(replica.config), startChecksum(replica), moduleChecksums(replica.config)]));
