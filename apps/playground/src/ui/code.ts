/** The run as code and as a command. */
import type { Settings } from './address.ts';

/** The README's ten lines. */
export const TEN_LINES = `import { createVelo } from 'velojs';

const xs = Array.from({ length: 50 }, (_, i) => i / 25 - 1);
const velo = await createVelo({ parameters: { line: Float32Array.of(0.1, 0.1) }, totalSteps: 300 });
for (let step = 0; step < 300; step++) {
  const [slope = 0, offset = 0] = velo.parameters.line.data;
  const points = xs.map((x, i) => ({ x, error: slope * x + offset - (3 * x - 2 + 0.1 * Math.sin(12 * i)) }));
  const loss = points.reduce((sum, { error }) => sum + error ** 2 / 50, 0);
  const gradient = points.reduce(([a = 0, b = 0], { x, error }) => [a + (2 * error * x) / 50, b + (2 * error) / 50], [0, 0]);
  velo.step({ line: Float32Array.from(gradient) }, loss);
}
console.log(velo.parameters.line.data); // close to 3, -2
`;

/** `velojs train` with the same task, data, weights and batches. */
export function commandOf({ task, steps, hidden, batchSize, seed }: Settings): string {
  const words = [
    'npx velojs train',
    task === 'own' ? '--data FILE.csv --target COLUMN' : `--task ${task}`,
    `--steps ${steps}`,
    hidden && `--hidden ${hidden.join(',')}`,
    batchSize && `--batch-size ${batchSize}`,
    `--seed ${seed}`,
  ];
  return words.filter(Boolean).join(' ');
}
