/** AssemblyScript that only benchmarks use. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const compiler = require.resolve('assemblyscript/bin/asc.js');

/**
 * Compiles `benchmarks/assembly/NAME.ts` with the options that the backend is built with.
 *
 * In a process of its own: the compiler is large, and whoever measures needs its memory and its caches.
 */
export async function compileAssembly(name: string): Promise<WebAssembly.Module> {
  const source = fileURLToPath(new URL(`../assembly/${name}.ts`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'velojs-benchmarks-'));
  try {
    const output = join(folder, `${name}.wasm`);
    const options = ['--runtime', 'stub', '--importMemory', '--noAssert', '-O3', '--converge', '--enable', 'simd'];
    execFileSync(process.execPath, [compiler, source, ...options, '--outFile', output], { stdio: 'pipe' });
    return await WebAssembly.compile(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const PAGE = 65_536;

/** WASM memory that is handed out from front to back, and an instance on it. */
export class Arena<Exports> {
  readonly exports: Exports;
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  #end = 1024;

  constructor(module: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.exports = exports as Exports;
  }

  /** The address of `bytes` bytes of zeros, a multiple of 16, with room to read beyond their end. */
  allocate(bytes: number): number {
    const address = this.#end;
    this.#end = Math.ceil((address + bytes + 64) / 16) * 16;
    const missing = this.#end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
    return address;
  }

  /** The address of a copy of `values`. */
  store(values: ArrayLike<number>): number {
    const address = this.allocate(values.length * 4);
    this.floats(address, values.length).set(values);
    return address;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length);
  }
}
