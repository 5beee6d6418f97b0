/** The theta that VeLO trains with: its own choice, a file of the user's, or released weights. */
import { type Theta, VeloError } from '@velojs/core';
import { loadTheta, readTheta } from '@velojs/weights';
import type { ThetaSource } from './protocol.ts';

/** The released theta has 9 MB as a file. */
const LARGEST = 256 * 2 ** 20;

/**
 * @param say told how a download goes.
 * @param signal ends a download.
 * @returns no theta where `createVelo` is to choose.
 * @throws VeloError `WEIGHTS_INVALID`, or what `loadTheta` throws.
 */
export async function openTheta(
  source: ThetaSource,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<{ theta: Theta | undefined; name: string }> {
  if (source.kind === 'default') return { theta: undefined, name: 'default theta' };
  if (source.kind === 'known') {
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
    const theta = await loadTheta(source.name, {
      signal,
      onProgress: ({ loaded, total }) =>
        say(`Downloading ${source.name}: ${megabytes(loaded)}${total === null ? '' : ` of ${megabytes(total)}`} MB`),
    });
    return { theta, name: source.name };
  }
  const name = source.files.map((file) => file.name).join(' and ');
  say(`Reading ${name}`);
  const large = source.files.find(({ size }) => size > LARGEST);
  if (large)
    throw new VeloError('WEIGHTS_INVALID', `${large.name}: too large for a theta, ${Math.round(large.size / 1e6)} MB.`);
  const files = await Promise.all(source.files.map(async (file) => new Uint8Array(await file.arrayBuffer())));
  try {
    return { theta: (await readTheta(files.length === 1 ? files[0]! : files)).theta, name };
  } catch (cause) {
    if (cause instanceof VeloError) throw new VeloError(cause.code, `${name}: ${cause.message}`, { cause });
    throw cause;
  }
}
