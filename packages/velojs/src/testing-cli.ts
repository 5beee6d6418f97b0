/** The command from source in a process of its own, with pipes in place of a terminal, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('./cli.ts', import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const start = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess =>
  spawn(process.execPath, ['--conditions=@velojs/source', '--import', 'tsx', CLI, ...args], {
    env: { ...process.env, FORCE_COLOR: '', CI: '1', ...environment },
  });

export const finish = (child: ChildProcess): Promise<Result> =>
  new Promise((done, fail) => {
    let [stdout, stderr] = ['', ''];
    child.stdout!.on('data', (text) => {
      stdout += text;
    });
    child.stderr!.on('data', (text) => {
      stderr += text;
    });
    child.on('error', fail);
    child.on('close', (code) => done({ code, stdout, stderr }));
  });

/** Resolves when the output so far contains `text`. */
export const seen = (stream: Readable, text: string): Promise<void> =>
  new Promise((found) => {
    let output = '';
    stream.on('data', (chunk) => {
      output += chunk;
      if (output.includes(text)) found();
    });
  });

export const velojs = (...args: string[]): Promise<Result> => finish(start(args));
