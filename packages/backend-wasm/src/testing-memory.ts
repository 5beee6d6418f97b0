/** The process that `memory.test.ts` starts, with a garbage collector to call. */
import { createVelo } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { wasm } from './index.ts';

const PARTS = 5;
const STEPS = 100_000;

/** Prints what each fifth of 100,000 steps adds to the host's memory, to WebAssembly's and to what is in use of it. */
const backend = await wasm({ simd: 'plain' });
const gradient = backend.wrap(new Float32Array(40), [8, 5]);
const velo = createVelo({
  backend,
  theta: starterTheta(),
  parameters: { w: { shape: [8, 5], data: new Float32Array(40).fill(0.1) }, b: new Float32Array(5) },
  totalSteps: STEPS,
});
const used = () => {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return [heapUsed + arrayBuffers, gradient.data.buffer.byteLength, backend.bytesInUse, backend.liveTensors];
};
const growth = Array.from({ length: PARTS }, () => {
  const before = used();
  for (let i = 0; i < STEPS / PARTS; i++) {
    const { w, b } = velo.parameters;
    gradient.data.set(w.data.map((value, j) => value - Math.sin(j)));
    velo.step({ w: gradient, b: b.data.map((value) => value - 1) }, 1 / (1 + i));
  }
  return used().map((value, k) => value - before[k]!);
});
console.log(JSON.stringify(growth));
backend.close();
