/**
 * Compiles assembly/ into src/binaries/, which is committed: users and tests need no compiler, and a test compares it
 * with what the sources compile to. After changing assembly/:
 *
 *     npm run build:kernels -w @velojs/meta
 */
import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The WebAssembly module. */
export async function compile(): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      ...['assembly/index.ts', '--baseDir', folder, '--outFile', 'dense.wasm'],
      ...['--runtime', 'stub', '--importMemory', '--noAssert', '-O3', '--converge', '--enable', 'simd'],
    ],
    {
      writeFile(_, contents) {
        binary = contents as Uint8Array;
      },
    },
  );
  if (error || !binary) throw new Error(`${error?.message}\n${stderr}`);
  return binary;
}

/** The source file that holds it. */
export const sourceOf = (binary: Uint8Array): string => `export default '${Buffer.from(binary).toString('base64')}';\n`;

if (argv[1] === fileURLToPath(import.meta.url)) {
  const binary = await compile();
  writeFileSync(`${folder}src/binaries/dense.ts`, sourceOf(binary));
  console.log(`${binary.length} bytes`);
}
