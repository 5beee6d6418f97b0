/** The worker: takes commands, trains, answers. */
import { findBackends } from './backends.ts';
import { faultOf } from './fault.ts';
import type { Command, Message } from './protocol.ts';
import type { Session } from './session.ts';

// The page's type library calls it a window.
const post = (message: Message): void => self.postMessage(message);

let session: Session | undefined;
/** What trains is loaded at the first start; what is said meanwhile is about the session that begins then. */
let starting: Promise<unknown> = Promise.resolve();
let stopBench = () => {};

/** Comes after the messages that have arrived. A timer would wait for milliseconds, so might a message to itself. */
const giveWay: () => Promise<void> = 'scheduler' in globalThis ? () => scheduler.postTask(() => {}) : byMessage();

function byMessage(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return () =>
    new Promise((resolve) => {
      port1.onmessage = () => resolve();
      port2.postMessage(null);
    });
}

let sent: Int32Array | null = null;
let received = 0;
/** Giving way costs a worker its turn on a busy machine: only for commands that wait, where the page tells how many it has sent. */
const giveWayToCommands = (): Promise<void> =>
  sent && Atomics.load(sent, 0) === received ? Promise.resolve() : giveWay();

self.addEventListener('message', ({ data }: MessageEvent<Command>) => {
  received++;
  obey(data).catch((error: unknown) => {
    if ('id' in data) post({ type: 'refused', id: data.id, fault: faultOf(error) });
    else if ('session' in data) post({ type: 'fault', session: data.session, fault: faultOf(error) });
    else throw error;
  });
});
post({ type: 'ready', backends: await findBackends() });

async function obey(command: Command): Promise<void> {
  const reply = async (id: number, value: unknown) => post({ type: 'reply', id, value: await value });
  if (command.type === 'ping') return post({ type: 'pong' });
  if (command.type === 'counter') {
    sent = command.sent;
    return;
  }
  if (command.type === 'start') {
    const started = starting.then(() => start(command));
    starting = started.catch(() => {});
    return started;
  }
  await starting;
  switch (command.type) {
    case 'pause':
      return session?.pause();
    case 'resume':
      return session?.resume();
    case 'step':
      return session?.step(command.count);
    case 'stop':
      return session?.stop();
    case 'watch':
      return session?.watch(command.tensor);
    case 'exportState':
      return reply(command.id, there().exportState());
    case 'exportCurves':
      return reply(command.id, there().exportCurves());
    case 'examine': {
      const { examineFiles } = await import('./data-files.ts');
      return reply(command.id, examineFiles(command.files));
    }
    case 'bench': {
      const { bench } = await import('./bench.ts');
      const abort = new AbortController();
      stopBench = () => abort.abort();
      const { id } = command;
      const say = (text: string, share: number) => post({ type: 'benchProgress', id, text, share });
      return reply(id, bench(command.options, say, giveWay, abort.signal));
    }
    case 'stopBench':
      return stopBench();
  }
}

async function start({ config, session: number }: Extract<Command, { type: 'start' }>): Promise<void> {
  const { startSession } = await import('./session.ts');
  session?.abandon();
  session = startSession(config, (message) => post({ ...message, session: number }), giveWayToCommands);
}

function there(): Session {
  if (session) return session;
  throw new Error('Nothing has been trained yet.');
}
