export { type QueueWorkersOptions, queueWorkers } from './leader.ts';
export type { RunAddress } from './run-record.ts';
export { type ServeWorkerOptions, serveWorker } from './serve.ts';
