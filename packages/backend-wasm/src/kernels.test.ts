/** The compiled modules: what they are made of, and that they touch nothing but what they are told to. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BUILDS, compile, sourceOf } from '../build-kernels.ts';
import { type Build, compileKernels, type Kernels } from './kernel-module.ts';

const DATA_SECTION = 11;

/** The identifiers of a module's sections. */
function sectionsOf(binary: Uint8Array): number[] {
  const sections: number[] = [];
  for (let at = 8; at < binary.length; ) {
    sections.push(binary[at++]!);
    let length = 0;
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
      byte = binary[at++]!;
      length |= (byte & 0x7f) << shift;
    }
    at += length;
  }
  return sections;
}

describe.each(Object.keys(BUILDS) as Build[])('the build %s', (name) => {
  const committed = readFileSync(new URL(`binaries/${name}.ts`, import.meta.url), 'utf8');

  it('is what the sources compile to', { timeout: 120_000 }, async () => {
    expect(sourceOf(await compile(name)) === committed, 'run npm run build:kernels -w @velojs/backend-wasm').toBe(true);
  });

  it('keeps no data of its own and imports nothing but a memory', () => {
    const binary = Buffer.from(/'(.*)'/.exec(committed)![1]!, 'base64');
    expect(sectionsOf(binary)).not.toContain(DATA_SECTION);
    // Engines without relaxed SIMD do not know all of them.
    if (!WebAssembly.validate(binary)) return expect(name).toContain('relaxed');
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(binary));
    expect(imports).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  });
});

describe("on another program's memory", () => {
  const BASE = 300_000;
  const PATTERN = 0x5a;

  /** Runs `use` with a way to place arrays that have gaps between them; everything else must stay as it is. */
  async function onForeignMemory(
    use: (
      kernels: Kernels,
      place: (values: Float32Array | Uint32Array) => number,
      room: (bytes: number) => number,
    ) => void,
  ): Promise<void> {
    const { module } = await compileKernels('plain', false);
    const memory = new WebAssembly.Memory({ initial: 20 });
    const bytes = new Uint8Array(memory.buffer).fill(PATTERN);
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    const ours: { begin: number; end: number }[] = [];
    const room = (length: number) => {
      const begin = Math.ceil(((ours.at(-1)?.end ?? BASE) + 100) / 16) * 16;
      ours.push({ begin, end: begin + length });
      return begin;
    };
    const place = (values: Float32Array | Uint32Array) => {
      const address = room(values.byteLength);
      bytes.set(new Uint8Array(values.buffer), address);
      return address;
    };
    use(exports as unknown as Kernels, place, room);
    let at = 0;
    for (const { begin, end } of [...ours, { begin: bytes.length, end: bytes.length }]) {
      expect(bytes.subarray(at, begin).findIndex((byte) => byte !== PATTERN)).toBe(-1);
      at = end;
    }
  }
  const wave = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i));
  const zeros = (length: number) => new Float32Array(length);

  it.each<[string, number[], number, number]>([
    ['a matrix', [1, 910, 1, 35, 1, 26, 1, 3], 26, 35],
    ['a matrix with whole vectors in its rows', [1, 2560, 1, 20, 1, 128, 1, 1], 20, 128],
    ['a small convolution', [1, 270, 1, 5, 1, 6, 9, 1], 45, 54],
    ['a vector', [0, 37, 1, 1, 1, 37, 1, 0], 37, 0],
    ['a scalar', [0, 1, 1, 1, 1, 1, 1, 0], 1, 0],
  ])('the update of %s writes to its own arrays only', (_, view, rows, columns) =>
    onForeignMemory((kernels, place, room) => {
      const size = view[1]!;
      const words = [
        ...view,
        ...[wave(size, 1), wave(size, 2), zeros(4 * size), zeros(3 * rows)].map(place),
        columns ? place(zeros(3 * columns)) : 0,
        ...[wave(160, 3), zeros(9)].map(place),
      ];
      const job = place(Uint32Array.from([...words, 0]));
      const scratch = room(kernels.jobScratchBytes(job));
      const written = place(Uint32Array.from([...words, scratch]));
      kernels.update(written, 1, room(kernels.TILE_BYTES.value as number));
      expect(kernels.firstNaN(words[8]!, size)).toBe(-1);
    }),
  );

  it.each([
    [1, 5],
    [6, 16],
    [3, 33],
  ])('the controller of %i tensors with %i units writes to its own arrays only', (n, H) =>
    onForeignMemory((kernels, place, room) => {
      const packed = room(kernels.packedThetaBytes(H));
      const sizes = [30 * 4 * H, H * 4 * H, H * 4 * H, 4 * H, 30 * H, H, H * 160, 160];
      kernels.packTheta(H, ...sizes.map((size, seed) => place(wave(size, seed))), packed);
      const inputs = [wave(n * 9, 1), wave(n * 5, 2), wave(18, 3), wave(n * H, 4), wave(n * H, 5)].map(place);
      const outputs = [n * 160, n * H, n * H].map((length) => place(zeros(length)));
      const scratch = room(kernels.controllerScratchBytes(n, H));
      kernels.controller(place(Uint32Array.from([n, H, ...inputs, ...outputs, packed, scratch, 0, 0, 0, 0])));
      expect(kernels.firstNaN(outputs[0]!, n * 160)).toBe(-1);
    }),
  );
});
