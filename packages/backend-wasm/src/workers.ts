/** Workers of Node and of browsers behind one face. */
import { VeloError } from '@velojs/core';
import { WORKER_SOURCE } from './worker-source.ts';

export interface Worker {
  send(message: unknown): void;
  onMessage(handler: (message: unknown) => void): void;
  /** Called once, with a reason, when the worker ended without `terminate`. */
  onLost(handler: (reason: string) => void): void;
  terminate(): void;
}

export interface Start {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the control block. */
  readonly control: number;
  readonly thread: number;
}

const isNode = (): boolean =>
  typeof (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node === 'string';

/** Resolves when the worker is ready for commands. @throws VeloError `BACKEND_UNAVAILABLE` where it cannot start */
export async function startWorker(start: Start): Promise<Worker> {
  const worker = isNode() ? await nodeWorker() : browserWorker();
  try {
    await new Promise<void>((resolve, reject) => {
      worker.onMessage(() => resolve());
      worker.onLost((reason) => reject(new Error(reason)));
      worker.send(start);
    });
  } catch (cause) {
    worker.terminate();
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      `A worker thread cannot start here (${(cause as Error).message}): leave \`threads\` out. On a page, a content security policy must allow workers from blob: addresses.`,
      { cause },
    );
  }
  return worker;
}

async function nodeWorker(): Promise<Worker> {
  // The name in a variable, so that bundlers for browsers leave it alone.
  const name = 'node:worker_threads';
  const { Worker } = (await import(
    /* @vite-ignore */ /* webpackIgnore: true */ name
  )) as typeof import('node:worker_threads');
  // Without this program's flags: they may be about its own source.
  const worker = new Worker(WORKER_SOURCE, { eval: true, execArgv: [] });
  return face({
    send: (message) => worker.postMessage(message),
    terminate: () => void worker.terminate(),
    listen({ onMessage, onLost }) {
      worker.on('message', (message) => {
        // It is ready; a program that has nothing else to do ends.
        worker.unref();
        onMessage(message);
      });
      worker.on('error', (error) => onLost(error.message));
      worker.on('exit', (code) => onLost(`it ended with code ${code}`));
    },
  });
}

function browserWorker(): Worker {
  const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: 'text/javascript' }));
  const worker = new globalThis.Worker(url);
  return face({
    send: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
    listen({ onMessage, onLost }) {
      worker.addEventListener('message', ({ data }) => {
        URL.revokeObjectURL(url);
        onMessage(data);
      });
      worker.addEventListener('error', (event) => onLost(event.message || 'it could not be loaded'));
    },
  });
}

interface Endpoint {
  send(message: unknown): void;
  terminate(): void;
  listen(handlers: { onMessage(message: unknown): void; onLost(reason: string): void }): void;
}

/** Handlers that come later replace those before; a loss is told to whoever comes after it, too. */
function face({ send, terminate, listen }: Endpoint): Worker {
  let onMessage: (message: unknown) => void = () => {};
  let onLost: (reason: string) => void = () => {};
  let lost: string | null = null;
  let ended = false;
  listen({
    onMessage: (message) => onMessage(message),
    onLost: (reason) => {
      if (ended || lost !== null) return;
      lost = reason;
      onLost(reason);
    },
  });
  return {
    send,
    onMessage: (handler) => {
      onMessage = handler;
    },
    onLost: (handler) => {
      onLost = handler;
      if (lost !== null) handler(lost);
    },
    terminate() {
      ended = true;
      terminate();
    },
  };
}
