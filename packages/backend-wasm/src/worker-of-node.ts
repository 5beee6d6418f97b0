/** Workers in Node. */
import { Worker } from 'node:worker_threads';
import { workerSource } from './worker-source.ts';
import type { Endpoint } from './workers.ts';

const PRELUDE = `const { parentPort } = require('node:worker_threads');
const post = (message) => parentPort.postMessage(message);
const listen = (handler) => parentPort.on('message', handler);`;

export function openWorker(): Endpoint {
  // Without this program's flags: they may be about its own source.
  const worker = new Worker(workerSource(PRELUDE), { eval: true, execArgv: [] });
  return {
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
  };
}
