/** A Redis of its own for a test: on a free port, with its data in a temporary folder. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether there is a redis-server here; where `CI` is set, there has to be one. */
export function hasRedis(): boolean {
  const isThere = spawnSync('redis-server', ['--version']).status === 0;
  const reason = 'there is no redis-server (on Debian: apt-get install redis-server)';
  if (!isThere && process.env.CI) throw new Error(`Tests of workers on other machines cannot run: ${reason}.`);
  if (!isThere) console.warn(`No tests of workers on other machines: ${reason}.`);
  return isThere;
}

export class TestingRedis {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'velojs-redis-'));
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(): Promise<TestingRedis> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const redis = new TestingRedis(port);
    await redis.up();
    return redis;
  }

  /** Starts it on the data that it has. */
  async up(): Promise<void> {
    const place = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.#folder];
    const child = spawn('redis-server', [...place, '--appendonly', 'yes', '--save', ''], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stdout.on('data', (text) => {
        output += text;
        if (output.includes('Ready to accept connections')) resolve();
      });
      child.on('exit', () => reject(new Error(`redis-server has ended: ${output}`)));
    });
  }

  /** Without a warning. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'exit');
  }

  forget(): void {
    rmSync(join(this.#folder, 'appendonlydir'), { recursive: true });
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}
