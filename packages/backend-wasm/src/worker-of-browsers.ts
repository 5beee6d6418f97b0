/** Workers on pages, and in workers of theirs. */
import { workerSource } from './worker-source.ts';
import type { Endpoint } from './workers.ts';

const PRELUDE = `const post = (message) => self.postMessage(message);
const listen = (handler) => {
  self.onmessage = ({ data }) => handler(data);
};`;

export function openWorker(): Endpoint {
  const url = URL.createObjectURL(new Blob([workerSource(PRELUDE)], { type: 'text/javascript' }));
  const worker = new Worker(url);
  return {
    send: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
    listen({ onMessage, onLost }) {
      worker.addEventListener('message', ({ data }) => {
        URL.revokeObjectURL(url);
        onMessage(data);
      });
      worker.addEventListener('error', (event) => onLost(event.message || 'it could not be loaded'));
    },
  };
}
