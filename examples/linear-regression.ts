/** Least squares with VeLO, from the data to the gradients in plain JavaScript. There is no learning rate to choose. */
import { createVelo } from 'velojs';

// y = 2 a - 3 b + c / 2 + 1; the last column carries the constant.
const rows = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i + 1), 1]);
const targets = rows.map(([a, b, c]) => 2 * a! - 3 * b! + c! / 2 + 1);

const totalSteps = 500;
// VeLO's steps are relative to the size of a tensor, so it starts from small numbers, not from zeros.
const velo = await createVelo({ parameters: { w: Float32Array.of(0.3, 0.3, -0.3, -0.3) }, totalSteps });

for (let step = 0; step <= totalSteps; step++) {
  const w = velo.parameters.w.data;
  const errors = rows.map((row, i) => row.reduce((sum, x, j) => sum + x * w[j]!, 0) - targets[i]!);
  const loss = errors.reduce((sum, error) => sum + error ** 2, 0) / rows.length;
  if (step % 100 === 0) console.log('step', step, 'loss', loss.toFixed(6), 'w', ...Array.from(w, (x) => x.toFixed(3)));
  if (step === totalSteps) break;

  const gradient = w.map((_, j) => (2 / rows.length) * errors.reduce((sum, error, i) => sum + error * rows[i]![j]!, 0));
  velo.step({ w: gradient }, loss);
}
