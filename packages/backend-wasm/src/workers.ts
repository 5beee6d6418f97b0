/** Workers of Node and of browsers behind one face. */
import { VeloError } from '@velojs/core';

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

/** Resolves when the worker is ready for commands. @throws VeloError `BACKEND_UNAVAILABLE` where it cannot start */
export async function startWorker(start: Start): Promise<Worker> {
  const { openWorker } = await import('#worker');
  const worker = face(openWorker());
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

/** What `worker-of-node.ts` and `worker-of-browsers.ts` make. */
export interface Endpoint {
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
