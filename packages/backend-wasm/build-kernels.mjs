// Compiles assembly/ into src/binaries/, which are committed: users and tests need no compiler, and a test compares them
// with what the sources compile to. Run `npm run build:kernels -w @velojs/backend-wasm` after changing assembly/.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('.', import.meta.url));
const RELAXED = ['--enable', 'relaxed-simd'];
const THREADS = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536'];

/** Name of a build to its entry and options. */
export const BUILDS = {
  plain: ['assembly/index.ts', []],
  relaxed: ['assembly/index.ts', RELAXED],
  'plain-threads': ['assembly/index-threads.ts', THREADS],
  'relaxed-threads': ['assembly/index-threads.ts', [...RELAXED, ...THREADS]],
};

/** @returns {Promise<Uint8Array>} the WebAssembly module of a build. */
export async function compile(name) {
  const [entry, options] = BUILDS[name];
  let binary;
  const { error, stderr } = await asc.main(
    [
      entry,
      ...['--baseDir', folder, '--outFile', 'kernels.wasm', '--runtime', 'stub', '--importMemory', '--noAssert'],
      ...['-O3', '--converge', '--enable', 'simd', ...options],
    ],
    {
      writeFile(_, contents) {
        binary = contents;
      },
    },
  );
  if (error) throw new Error(`${name}: ${error.message}\n${stderr}`);
  return binary;
}

/** The source file that holds a build. */
export const sourceOf = (binary) => `export default '${Buffer.from(binary).toString('base64')}';\n`;

if (basename(process.argv[1] ?? '') === 'build-kernels.mjs') {
  mkdirSync(`${folder}src/binaries`, { recursive: true });
  for (const name of Object.keys(BUILDS)) {
    const binary = await compile(name);
    writeFileSync(`${folder}src/binaries/${name}.ts`, sourceOf(binary));
    console.log(`${name}: ${binary.length} bytes`);
  }
}
