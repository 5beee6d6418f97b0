/** WebGPU by its name: loaded only by who asks for it. */
import type { WebgpuBackend } from '@velojs/backend-webgpu';
import { VeloError } from '@velojs/core';

/**
 * On the browser's WebGPU; in Node on that of the package `webgpu`, where it is installed.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE`
 */
export async function openWebgpu(): Promise<WebgpuBackend> {
  const { webgpu } = await import('@velojs/backend-webgpu');
  const isNode = typeof process === 'object' && process.versions?.node !== undefined;
  if (!isNode || globalThis.navigator?.gpu) return webgpu();
  // Not by name: it is nothing for bundlers to look for.
  const name = 'webgpu';
  let dawn: typeof import('webgpu');
  try {
    dawn = await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
  } catch (cause) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      'Node has no WebGPU of its own, and the package that brings it is not installed here: npm install webgpu@0.6.2',
      { cause },
    );
  }
  native ??= dawn.create([]);
  return webgpu({ gpu: native });
}

/** Its devices do not survive it, so it is kept; one is enough. */
let native: GPU | undefined;
