import { createVelo, type Velo } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { type WasmBackend, type WasmTensor, wasm } from './index.ts';

const SHAPES = [[300, 250], [64, 60], [1000], [], [3, 3, 8, 40]];
const SIZES = SHAPES.map((shape) => shape.reduce((product, axis) => product * axis, 1));
const wave = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 0.37));

/** Parameters after five steps, one of which leaves a tensor out, as `synchronize` shows them. */
export async function trainOnce({ threads, wait }: { threads: number; wait: boolean }): Promise<Float32Array[]> {
  const { backend, velo } = await start(threads);
  for (let i = 0; i < 5; i++) {
    step(velo, i);
    if (wait) await velo.synchronize();
  }
  await velo.synchronize();
  const values = velo.parameters.map(({ data }) => data.slice());
  velo.dispose();
  backend.close();
  return values;
}

interface Started {
  readonly backend: WasmBackend;
  readonly velo: Velo<WasmTensor, { shape: number[]; data: Float32Array }[]>;
}

export async function start(threads: number): Promise<Started> {
  const backend = await wasm({ simd: 'plain', threads });
  const velo = createVelo({
    backend,
    theta: starterTheta({ hiddenSize: 80, bankSize: 4 }),
    parameters: SHAPES.map((shape, j) => ({ shape, data: wave(SIZES[j]!, j) })),
    totalSteps: 20,
  });
  return { backend, velo };
}

export function step(velo: Started['velo'], i: number): void {
  velo.step(
    SIZES.map((size, j) => (i === 2 && j === 1 ? null : wave(size, i + j))),
    1 / (1 + i),
  );
}
