/** jax-js brings models and gradients. Only training commands need it, so it is loaded when one runs. */
import { VeloError } from '@velojs/core';

export type Jax = typeof import('@jax-js/jax');

/**
 * Loads jax-js and starts its WebAssembly device.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where it is not installed.
 */
export async function loadJax(): Promise<Jax> {
  const jax = await import('@jax-js/jax').catch((cause: unknown) => {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      'velojs train takes models and gradients from jax-js, which is not installed here: npm install @jax-js/jax@0.1.25',
      { cause },
    );
  });
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  return jax;
}
