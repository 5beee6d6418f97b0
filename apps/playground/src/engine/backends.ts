/** Which backends this browser has, and why it has not the others. */
import { type Backend, type Tensor, VeloError } from '@velojs/core';
import type { BackendId, BackendState } from './protocol.ts';

export const BACKENDS: readonly BackendId[] = ['wasm', 'wasm-threads', 'webgpu', 'cpu'];

/** More threads than this gain little on networks that a page trains. */
const MOST_THREADS = 8;

export interface OpenBackend {
  readonly backend: Backend<Tensor>;
  readonly state: BackendState;
  close(): void;
}

/** @throws VeloError `BACKEND_UNAVAILABLE`, with what to do about it. */
export async function openBackend(id: BackendId): Promise<OpenBackend> {
  const opened = (backend: unknown, note: string, close: () => void): OpenBackend => ({
    backend: backend as Backend<Tensor>,
    state: { id, available: true, note },
    close,
  });
  if (id === 'cpu') {
    const { cpu } = await import('@velojs/backend-cpu');
    return opened(cpu(), 'plain JavaScript', () => {});
  }
  if (id === 'webgpu') {
    const { webgpu } = await import('@velojs/backend-webgpu');
    const backend = await webgpu();
    await backend.warmUp();
    return opened(backend, await adapterName(), () => backend.close());
  }
  const threads = id === 'wasm' ? 1 : threadCount();
  const { wasm } = await import('@velojs/backend-wasm');
  const backend = await wasm({ threads });
  const note = `${backend.simd === 'relaxed' ? 'relaxed SIMD' : 'SIMD'}${threads > 1 ? `, ${backend.threads} threads` : ''}`;
  return opened(backend, note, () => backend.close());
}

/** Tries every backend, in the order in which a page would offer them. */
export async function findBackends(): Promise<BackendState[]> {
  return Promise.all(
    BACKENDS.map(async (id) => {
      try {
        return await probe(id);
      } catch (error) {
        return { id, available: false, note: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

/** Costs less than opening it: no threads are started, no GPU device is made. */
async function probe(id: BackendId): Promise<BackendState> {
  if (id === 'wasm-threads') {
    const { state, close } = await openBackend('wasm');
    close();
    return { id, available: true, note: `${state.note}, ${threadCount()} threads` };
  }
  if (id === 'webgpu') return { id, available: true, note: await adapterName() };
  const { state, close } = await openBackend(id);
  close();
  return state;
}

function threadCount(): number {
  const unavailable = (message: string) => new VeloError('BACKEND_UNAVAILABLE', message);
  if (typeof SharedArrayBuffer === 'undefined' || globalThis.crossOriginIsolated === false) {
    throw unavailable(
      'Threads share memory, which browsers allow only to pages that are served with the headers ' +
        'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    );
  }
  const processors = navigator.hardwareConcurrency;
  if (processors < 2) throw unavailable('This machine has one processor.');
  return Math.min(MOST_THREADS, processors);
}

async function adapterName(): Promise<string> {
  const info = (await requestAdapter()).info;
  return info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'a GPU without a name';
}

/** @throws VeloError `BACKEND_UNAVAILABLE` */
export async function requestAdapter(): Promise<GPUAdapter> {
  const adapter = await globalThis.navigator?.gpu?.requestAdapter();
  if (adapter) return adapter;
  throw new VeloError(
    'BACKEND_UNAVAILABLE',
    globalThis.navigator?.gpu
      ? 'This browser has WebGPU, but gives no GPU to this page: it may be blocked, or its driver too old.'
      : 'This browser has no WebGPU, or the page does not come from https or localhost.',
  );
}
