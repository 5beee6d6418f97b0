/** Starts the server of `load-theta.browser.test.ts`: pages cannot start one. */
import { gzipSync } from 'node:zlib';
import type { TestProject } from 'vitest/node';
import { type Behaviour, damaged, file, gitBlobOf, inTurn, startServer, status } from './testing-server.ts';
import { syntheticFiles, syntheticTheta } from './testing-weights.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    weightsServer: { address: string; gitBlob: string; bytes: number };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { params } = await syntheticFiles(syntheticTheta());
  const compressed = gzipSync(params!, { level: 1 });
  const server = await startServer();
  const behaviours: Record<string, Behaviour> = {
    whole: file(params!),
    cut: inTurn(file(params!, { cutAfter: () => 3_000_000 }), file(params!)),
    damaged: file(damaged(params!)),
    compressed: (_, response) =>
      void response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': compressed.length }).end(compressed),
    missing: status(404),
    closed: (_, response) => {
      response.removeHeader('Access-Control-Allow-Origin');
      response.end(params);
    },
    requests: (_, response) => void response.end(JSON.stringify(server.requests)),
  };
  for (const [name, behaviour] of Object.entries(behaviours)) server.on(name, behaviour);
  project.provide('weightsServer', {
    address: server.address,
    gitBlob: gitBlobOf(params!),
    bytes: params!.length,
  });
  return () => server.close();
}
