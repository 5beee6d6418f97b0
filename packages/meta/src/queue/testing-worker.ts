/** A worker as a process of its own, for tests that kill it: `URL RUN THREADS`. */
import { argv } from 'node:process';
import { serveWorker } from './serve.ts';

const [connection, run, threads] = argv.slice(2) as [string, string, string];
await serveWorker({ connection, run, threads: Number(threads), onEvent: (event) => console.log(event) });
