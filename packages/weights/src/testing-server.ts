/** A server on this machine that behaves as told, for tests. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Answers the request number `attempt`, counted from 0, for one path. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse, attempt: number) => void;

export interface TestServer {
  readonly address: string;
  /** Every request so far: path and range, such as `/params bytes=100-`. */
  readonly requests: string[];
  /** Answers at `/${name}`; without it 404. */
  on(name: string, behaviour: Behaviour): void;
  close(): Promise<void>;
}

export async function startServer(): Promise<TestServer> {
  const behaviours = new Map<string, Behaviour>();
  const attempts = new Map<string, number>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    // What Hugging Face answers to pages of other origins.
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Expose-Headers', 'Content-Range, ETag');
    const path = request.url ?? '/';
    const attempt = attempts.get(path) ?? 0;
    attempts.set(path, attempt + 1);
    requests.push(`${path}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    const behaviour = behaviours.get(path.slice(1));
    if (behaviour) behaviour(request, response, attempt);
    else response.writeHead(404).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on: (name, behaviour) => void behaviours.set(name, behaviour),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const gitBlobOf = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** A server as they should be: length, ETag, ranges. */
export function file(
  bytes: Uint8Array,
  options: {
    /** Null leaves the header out. */
    readonly etag?: string | null;
    readonly ranges?: boolean;
    /** The connection breaks after so many bytes of the answer; 0 for never. */
    readonly cutAfter?: (attempt: number) => number;
    /** Milliseconds between pieces of the answer, of which there are 20. */
    readonly pause?: number;
  } = {},
): Behaviour {
  const { etag = `"${sha256Of(bytes).slice(0, 8)}"`, ranges = true, cutAfter = () => 0, pause = 0 } = options;
  return (request, response, attempt) => {
    const range = ranges ? /^bytes=(\d+)-$/.exec(request.headers.range ?? '') : null;
    const begin = Number(range?.[1] ?? 0);
    if (etag !== null) response.setHeader('ETag', etag);
    if (begin >= bytes.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
      return;
    }
    const body = bytes.subarray(begin);
    response.writeHead(range ? 206 : 200, {
      'Content-Length': body.length,
      ...(range ? { 'Content-Range': `bytes ${begin}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const cut = cutAfter(attempt);
    if (cut > 0 && cut < body.length) {
      response.write(body.subarray(0, cut), () => response.destroy());
    } else if (pause > 0) {
      const size = Math.ceil(body.length / 20);
      const send = (from: number) => {
        if (from >= body.length) response.end();
        else response.write(body.subarray(from, from + size), () => setTimeout(send, pause, from + size));
      };
      send(0);
    } else {
      response.end(body);
    }
  };
}

/** One behaviour after the other; the last stays. */
export const inTurn =
  (...behaviours: Behaviour[]): Behaviour =>
  (request, response, attempt) =>
    behaviours[Math.min(attempt, behaviours.length - 1)]!(request, response, attempt);

export const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (_, response) =>
    void response.writeHead(code, headers).end('an error page');

/** One byte in the middle is another. */
export function damaged(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length >> 1]! ^= 1;
  return copy;
}
