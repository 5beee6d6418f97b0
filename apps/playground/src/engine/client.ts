/** The page's end of the worker: commands as functions, messages as events, and what to do when the worker dies. */
import type {
  BackendState,
  BenchOptions,
  BenchResults,
  Command,
  DataSummary,
  Fault,
  FullCurves,
  Message,
  SessionConfig,
  SessionMessage,
  StateFile,
} from './protocol.ts';

export type EngineEvent =
  /** What there is to train on; once after every start of the worker. */
  | { readonly type: 'ready'; readonly backends: readonly BackendState[] }
  | SessionMessage
  /** The worker has died, or does not answer: `restart()` starts another one. Requests that it may still answer wait. */
  | { readonly type: 'lost'; readonly message: string }
  /** The worker that did not answer does so again: nothing was lost. */
  | { readonly type: 'answers' };

/** Requests reject with this: a fault of the worker with its code. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(readonly fault: Fault) {
    super(fault.message);
  }
}

export interface Engine {
  /** Ends the session there may be, and starts this one: `starting`, `started`, `progress`, ... follow, or `fault`. */
  start(config: SessionConfig): void;
  pause(): void;
  resume(): void;
  step(count?: number): void;
  stop(): void;
  watch(tensor: number | null): void;
  examine(files: readonly File[]): Promise<DataSummary>;
  exportState(): Promise<StateFile>;
  exportCurves(): Promise<FullCurves>;
  bench(options: BenchOptions, onProgress: (text: string, share: number) => void): Promise<BenchResults>;
  stopBench(): void;
  /** Throws the worker away and starts a new one; `ready` follows. */
  restart(): void;
}

const PING_EVERY = 1000;
/** A step of a large network, or a large file, takes seconds. */
const SILENCE = 10_000;

/**
 * Starts the worker.
 *
 * @param listener told everything that happens.
 * @example
 * ```ts
 * const engine = createEngine((event) => {
 *   if (event.type === 'progress') show(event.runs);
 * });
 * engine.start({ task: { kind: 'made', name: 'spirals' }, steps: 300, seed: 0, backend: 'wasm', theta: { kind: 'default' }, opponents: [] });
 * ```
 */
export function createEngine(listener: (event: EngineEvent) => void): Engine {
  interface Request {
    resolve(value: unknown): void;
    reject(error: Error): void;
    progress?(text: string, share: number): void;
  }
  const requests = new Map<number, Request>();
  let worker: Worker;
  let sessions = 0;
  let ids = 0;
  let heard = performance.now();
  let lost = false;

  /** Of the commands that this worker was sent; null where the page is not isolated. */
  let sent: Int32Array<SharedArrayBuffer> | null = null;

  const send = (command: Command) => {
    if (sent) Atomics.add(sent, 0, 1);
    worker.postMessage(command);
  };
  const request = <Value>(make: (id: number) => Command, progress?: Request['progress']): Promise<Value> =>
    new Promise<unknown>((resolve, reject) => {
      const id = ++ids;
      requests.set(id, { resolve, reject, ...(progress && { progress }) });
      send(make(id));
    }) as Promise<Value>;
  const refuseAll = (message: string) => {
    for (const { reject } of requests.values()) reject(new EngineError({ code: 'WORKER_LOST', message }));
    requests.clear();
  };
  const lose = (message: string) => {
    if (lost) return;
    lost = true;
    listener({ type: 'lost', message });
  };

  const receive = (message: Message) => {
    heard = performance.now();
    if (lost) {
      lost = false;
      listener({ type: 'answers' });
    }
    if ('session' in message) {
      const { session, ...event } = message;
      if (session === sessions) listener(event);
    } else if (message.type === 'ready') {
      listener(message);
    } else if (message.type === 'benchProgress') {
      requests.get(message.id)?.progress?.(message.text, message.share);
    } else if (message.type !== 'pong') {
      const waiting = requests.get(message.id);
      requests.delete(message.id);
      if (message.type === 'reply') waiting?.resolve(message.value);
      else waiting?.reject(new EngineError(message.fault));
    }
  };
  const launch = () => {
    heard = performance.now();
    lost = false;
    const launched = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'training' });
    worker = launched;
    sent = crossOriginIsolated ? new Int32Array(new SharedArrayBuffer(4)) : null;
    if (sent) send({ type: 'counter', sent });
    launched.addEventListener('message', ({ data }: MessageEvent<Message>) => {
      if (launched === worker) receive(data);
    });
    launched.addEventListener('error', (event) => {
      event.preventDefault();
      if (launched !== worker) return;
      const message = `Training has stopped: ${event.message || 'its worker could not be loaded'}.`;
      refuseAll(message);
      lose(message);
    });
  };
  launch();

  // Timers of a page in the background are slow, and so is whatever answers them.
  document.addEventListener('visibilitychange', () => {
    heard = performance.now();
  });
  setInterval(() => {
    if (document.hidden) heard = performance.now();
    send({ type: 'ping' });
    if (performance.now() - heard > SILENCE) {
      lose(`The worker that trains has not answered for ${SILENCE / 1000} seconds: it may have died.`);
    }
  }, PING_EVERY);

  return {
    start: (config) => send({ type: 'start', session: ++sessions, config }),
    pause: () => send({ type: 'pause' }),
    resume: () => send({ type: 'resume' }),
    step: (count = 1) => send({ type: 'step', count }),
    stop: () => send({ type: 'stop' }),
    watch: (tensor) => send({ type: 'watch', tensor }),
    examine: (files) => request((id) => ({ type: 'examine', id, files })),
    exportState: () => request((id) => ({ type: 'exportState', id })),
    exportCurves: () => request((id) => ({ type: 'exportCurves', id })),
    bench: (options, onProgress) => request((id) => ({ type: 'bench', id, options }), onProgress),
    stopBench: () => send({ type: 'stopBench' }),
    restart() {
      worker.terminate();
      refuseAll('The worker was started anew.');
      sessions++;
      launch();
    },
  };
}
