/**
 * Compiles assembly/ into src/binaries/, which are committed: users and tests need no compiler, and a test compares them
 * with what the sources compile to. After changing assembly/:
 *
 *     npm run build:kernels -w @velojs/backend-wasm
 */
import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import type { Build } from './src/kernel-module.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const RELAXED = ['--enable', 'relaxed-simd'];
const THREADS = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536'];

/** The entry and the options of each build. */
export const BUILDS: Readonly<Record<Build, readonly [entry: string, options: readonly string[]]>> = {
  plain: ['assembly/index.ts', []],
  relaxed: ['assembly/index.ts', RELAXED],
  'plain-threads': ['assembly/index-threads.ts', THREADS],
  'relaxed-threads': ['assembly/index-threads.ts', [...RELAXED, ...THREADS]],
};

/** The WebAssembly module of a build. */
export async function compile(build: Build): Promise<Uint8Array> {
  const [entry, options] = BUILDS[build];
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      entry,
      ...['--baseDir', folder, '--outFile', 'kernels.wasm', '--runtime', 'stub', '--importMemory', '--noAssert'],
      ...['-O3', '--converge', '--enable', 'simd', ...options],
    ],
    {
      writeFile(_, contents) {
        binary = contents as Uint8Array;
      },
    },
  );
  if (error || !binary) throw new Error(`${build}: ${error?.message}\n${stderr}`);
  return binary;
}

/** The source file that holds a build. */
export const sourceOf = (binary: Uint8Array): string => `export default '${Buffer.from(binary).toString('base64')}';\n`;

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const build of Object.keys(BUILDS) as Build[]) {
    const binary = await compile(build);
    writeFileSync(`${folder}src/binaries/${build}.ts`, sourceOf(binary));
    console.log(`${build}: ${binary.length} bytes`);
  }
}
