/** The processes that `resume.test.ts` starts. One restores a training, goes on and saves it; one measures memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import process, { argv } from 'node:process';
import { createVelo, decodeState, encodeState, type ReadableTensor } from './index.ts';

interface Training {
  readonly parameters: { readonly w: ReadableTensor; readonly b: ReadableTensor };
  readonly stepsTaken: number;
  step(gradients: { w: Float32Array; b: Float32Array }, loss: number): void;
}

/** Gradients and losses that depend on nothing but parameters and step. */
function train(velo: Training, steps: number): void {
  for (let i = 0; i < steps; i++) {
    const t = velo.stepsTaken;
    const gradient = ({ data }: ReadableTensor) => data.map((x, j) => x - Math.sin(t * 0.1 + j));
    const { w, b } = velo.parameters;
    velo.step({ w: gradient(w), b: gradient(b) }, 1 / (1 + t) + 0.1);
  }
}

const VARIANTS = {
  plain: { totalSteps: 13 },
  accumulating: { totalSteps: 13, maxTrainingSteps: 5 },
  decaying: { totalSteps: 13, weightDecay: 1e-3 },
};

async function resume([variant, from, to, steps]: string[]): Promise<void> {
  const velo = await createVelo({
    parameters: {
      w: { shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)) },
      b: new Float32Array(3),
    },
    onWarning: () => {},
    ...VARIANTS[variant as keyof typeof VARIANTS],
  });
  if (from !== 'none') await velo.importState(decodeState(readFileSync(from!)));
  train(velo, Number(steps));
  writeFileSync(to!, encodeState(await velo.exportState()));
}

/** Prints by how many bytes memory grew in each 4,000 of 20,000 steps. */
async function memory(): Promise<void> {
  const velo = await createVelo({
    parameters: { w: { shape: [8, 5], data: new Float32Array(40).fill(0.1) }, b: new Float32Array(5) },
    totalSteps: 20_000,
  });
  const used = () => {
    for (let i = 0; i < 3; i++) globalThis.gc!();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const growth = Array.from({ length: 5 }, () => {
    const before = used();
    train(velo, 4_000);
    return used() - before;
  });
  console.log(JSON.stringify(growth));
}

if (argv[2] === 'memory') await memory();
else await resume(argv.slice(2));
