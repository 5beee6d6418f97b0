/** Least squares with VeLO: a backend, the data and the gradients in plain JavaScript. No learning rate to choose. */
import { createVelo } from 'velojs';

const rows = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i + 1)]);
const targets = rows.map(([a, b, c]) => 2 * a! - 3 * b! + 0.5 * c! + 1);

const totalSteps = 300;
const velo = await createVelo({ parameters: { w: new Float32Array(3), b: new Float32Array(1) }, totalSteps });

for (let step = 0; step < totalSteps; step++) {
  const { w, b } = { w: velo.parameters.w.data, b: velo.parameters.b.data };
  const errors = rows.map((row, i) => row.reduce((sum, x, j) => sum + x * w[j]!, b[0]!) - targets[i]!);
  const loss = errors.reduce((sum, error) => sum + error ** 2, 0) / rows.length;
  const slope = (x: (i: number) => number) =>
    (2 / rows.length) * errors.reduce((sum, error, i) => sum + error * x(i), 0);
  velo.step(
    { w: Float32Array.from(w, (_, j) => slope((i) => rows[i]![j]!)), b: Float32Array.of(slope(() => 1)) },
    loss,
  );
  if (step % 50 === 0) console.log(`step ${String(step).padStart(3)}  loss ${loss.toExponential(2)}`);
}
console.log(
  `w = ${[...velo.parameters.w.data].map((x) => x.toFixed(3))}, b = ${velo.parameters.b.data[0]!.toFixed(3)}`,
);
console.log('expected w = 2,-3,0.5, b = 1');
