/** The compiled kernels: four builds of one source, of which a program loads the one that it needs. */
import { VeloError } from '@velojs/core';
import { relaxedSimd, simd } from 'wasm-feature-detect';

/** SIMD that every current engine has, or with fused multiply-adds, faster and rounded differently per processor. */
export type Simd = 'plain' | 'relaxed';

/** What `assembly/index.ts` exports; addresses and counts are numbers. */
export interface Kernels {
  readonly TILE_BYTES: WebAssembly.Global;
  firstNaN(values: number, length: number): number;
  copy(to: number, from: number, bytes: number): void;
  packedThetaBytes(hiddenSize: number): number;
  packTheta(hiddenSize: number, ...addresses: number[]): void;
  controllerScratchBytes(count: number, hiddenSize: number): number;
  controller(call: number): void;
  chunkCount(job: number): number;
  jobScratchBytes(job: number): number;
  update(jobs: number, count: number, tile: number): void;
}

/** What `assembly/index-threads.ts` exports besides. */
export interface ThreadKernels extends Kernels {
  readonly CONTROL_BYTES: WebAssembly.Global;
  counterBytes(count: number): number;
  leadUpdate(
    control: number,
    jobs: number,
    count: number,
    counters: number,
    arenas: number,
    arenaBytes: number,
  ): number;
  leadController(control: number, call: number, counters: number): number;
}

export type Build = 'plain' | 'relaxed' | 'plain-threads' | 'relaxed-threads';

const BINARIES: Readonly<Record<Build, () => Promise<{ default: string }>>> = {
  plain: () => import('./binaries/plain.ts'),
  relaxed: () => import('./binaries/relaxed.ts'),
  'plain-threads': () => import('./binaries/plain-threads.ts'),
  'relaxed-threads': () => import('./binaries/relaxed-threads.ts'),
};
const compiled = new Map<Build, Promise<WebAssembly.Module>>();

/**
 * The best build that this engine runs, or the one asked for; compiled once per program.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where the engine lacks what it needs.
 */
export async function compileKernels(
  wanted: Simd | undefined,
  threads: boolean,
): Promise<{ simd: Simd; module: WebAssembly.Module }> {
  const chosen = await chooseSimd(wanted);
  const build: Build = threads ? `${chosen}-threads` : chosen;
  let module = compiled.get(build);
  if (!module) {
    module = BINARIES[build]().then(({ default: base64 }) => WebAssembly.compile(decode(base64)));
    module.catch(() => compiled.delete(build));
    compiled.set(build, module);
  }
  try {
    return { simd: chosen, module: await module };
  } catch (cause) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      `The WebAssembly kernels cannot be compiled here (${(cause as Error).message}): a content security policy must allow 'wasm-unsafe-eval'. @velojs/backend-cpu needs no WebAssembly.`,
      { cause },
    );
  }
}

async function chooseSimd(wanted: Simd | undefined): Promise<Simd> {
  if (typeof WebAssembly !== 'object' || !(await simd())) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      'There is no WebAssembly with SIMD here: use @velojs/backend-cpu, or a current browser or Node.',
    );
  }
  const relaxed = await relaxedSimd();
  if (wanted === 'relaxed' && !relaxed) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      "There is no relaxed SIMD here: leave `simd` out, or say 'plain'. Node 20 has it behind --experimental-wasm-relaxed-simd.",
    );
  }
  return wanted ?? (relaxed ? 'relaxed' : 'plain');
}

export const decode = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
