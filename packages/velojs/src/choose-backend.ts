/** The backend for who names none, or only its name. */
import { cpu } from '@velojs/backend-cpu';
import { wasm } from '@velojs/backend-wasm';
import type { WebgpuTensor } from '@velojs/backend-webgpu';
import { type Backend, type Tensor, VeloError } from '@velojs/core';
import { openWebgpu } from './open-webgpu.ts';

/** A tensor of the backends that `createVelo` chooses from. */
export interface ReadableTensor extends Tensor {
  /** The values of now, row-major. */
  readonly data: Float32Array;
}
/** `wasm` is the fastest that runs on processors, `cpu` plain JavaScript. */
export type BackendName = 'wasm' | 'cpu';

/** @throws VeloError `BACKEND_UNAVAILABLE` where `name` cannot run here, `INVALID_ARGUMENT` */
export async function chooseBackend(
  name: BackendName | 'webgpu' | undefined,
): Promise<Backend<ReadableTensor> | Backend<WebgpuTensor>> {
  if (name === 'cpu') return cpu() as unknown as Backend<ReadableTensor>;
  if (name === 'webgpu') return openWebgpu();
  if (name !== undefined && name !== 'wasm') {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `There is no backend "${name}": name wasm, cpu or webgpu, or give a backend.`,
    );
  }
  try {
    return (await wasm()) as unknown as Backend<ReadableTensor>;
  } catch (error) {
    if (name === undefined && error instanceof VeloError && error.code === 'BACKEND_UNAVAILABLE') {
      return chooseBackend('cpu');
    }
    throw error;
  }
}
