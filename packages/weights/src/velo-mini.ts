/** The theta that is part of this package: small, and meta-trained by velojs itself. */
import type { Theta } from '@velojs/core';
import { decodeTheta } from './theta-file.ts';
import file from './velo-mini-file.ts';

/**
 * The default theta: H = 16, K = 4, meta-trained from the starter theta on small networks. It needs no download and no
 * waiting; `loadTheta('velo-mini')` gives the same. What it was trained and evaluated on: `docs/velo-mini.md`.
 *
 * @example
 * ```ts
 * const velo = createVelo({ backend: cpu(), theta: veloMini(), parameters, totalSteps: 1_000 });
 * ```
 */
export function veloMini(): Theta {
  return decodeTheta(veloMiniFile()).theta;
}

/** As a file of ours. */
export const veloMiniFile = (): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(file), (character) => character.charCodeAt(0));
