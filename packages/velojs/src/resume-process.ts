/** The process that `resume.test.ts` starts: restores a training, goes on, saves it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { type CpuTensor, createVelo, decodeState, encodeState } from './index.ts';

interface Training {
  readonly parameters: { readonly w: CpuTensor; readonly b: CpuTensor };
  readonly stepsTaken: number;
  step(gradients: { w: Float32Array; b: Float32Array }, loss: number): void;
}

/** Gradients and losses that depend on nothing but parameters and step. */
export function train(velo: Training, steps: number): void {
  for (let i = 0; i < steps; i++) {
    const t = velo.stepsTaken;
    const gradient = ({ data }: CpuTensor) => data.map((x, j) => x - Math.sin(t * 0.1 + j));
    const { w, b } = velo.parameters;
    velo.step({ w: gradient(w), b: gradient(b) }, 1 / (1 + t) + 0.1);
  }
}

const VARIANTS = {
  plain: { totalSteps: 13 },
  accumulating: { totalSteps: 13, maxTrainingSteps: 5 },
  decaying: { totalSteps: 13, weightDecay: 1e-3 },
};

async function main([variant, from, to, steps]: string[]): Promise<void> {
  const velo = await createVelo({
    parameters: {
      w: { shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)) },
      b: new Float32Array(3),
    },
    onWarning: () => {},
    ...VARIANTS[variant as keyof typeof VARIANTS],
  });
  if (from !== 'none') velo.importState(decodeState(readFileSync(from!)));
  train(velo, Number(steps));
  writeFileSync(to!, encodeState(await velo.exportState()));
}

if (argv[1] === fileURLToPath(import.meta.url)) await main(argv.slice(2));
