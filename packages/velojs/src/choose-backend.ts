/** The backend for who names none. */
import { cpu } from '@velojs/backend-cpu';
import { wasm } from '@velojs/backend-wasm';
import { type Backend, type Tensor, VeloError } from '@velojs/core';

/** A tensor of the backends that `createVelo` chooses from. */
export interface ReadableTensor extends Tensor {
  /** The values of now, row-major. */
  readonly data: Float32Array;
}
/** `wasm` is the fastest that runs on processors, `cpu` plain JavaScript. */
export type BackendName = 'wasm' | 'cpu';

/** @throws VeloError `BACKEND_UNAVAILABLE` where `name` cannot run here, `INVALID_ARGUMENT` */
export async function chooseBackend(name: BackendName | undefined): Promise<Backend<ReadableTensor>> {
  if (name === 'cpu') return cpu() as unknown as Backend<ReadableTensor>;
  if (name !== undefined && name !== 'wasm') {
    throw new VeloError('INVALID_ARGUMENT', `There is no backend "${name}": name wasm or cpu, or give a backend.`);
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
