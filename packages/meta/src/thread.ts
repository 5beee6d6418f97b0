/** A thread of `threads.ts`: a replica that does what it is told, one thing at a time. */
import { parentPort } from 'node:worker_threads';
import { VeloError } from '@velojs/core';
import { Replica } from './replica.ts';
import type { Answer, Request } from './threads.ts';

let replica: Replica | undefined;

async function answer(request: Request): Promise<Answer | null> {
  if (request.kind === 'start') {
    replica = await Replica.create(request.config);
    replica.search.restore(request.state);
    return { result: null };
  }
  if (request.kind === 'update') {
    replica!.update(request.results);
    return null;
  }
  return { result: request.kind === 'pair' ? replica!.runPair(request.index) : replica!.validate(request.index) };
}

parentPort!.on('message', async (request: Request) => {
  try {
    const result = await answer(request);
    if (result) parentPort!.postMessage(result);
  } catch (error) {
    const { message } = error as Error;
    parentPort!.postMessage({
      error: error instanceof VeloError ? { message, code: error.code } : { message },
    } satisfies Answer);
  }
});
