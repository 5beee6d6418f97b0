/**
 * How many steps of a training, gradient included, one core makes while meta-training: networks of dense layers, batches
 * of 32, trained by velo-mini. Beside it the same training with Adam, a loop over typed arrays.
 *
 *     node --conditions=@velojs/source --import tsx benchmarks/meta-inner-steps.ts [--rounds 15] [--json FILE]
 *
 * All take turns in random order. Times are CPU times of the process, as others may use the machine; medians.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cpu } from '@velojs/backend-cpu';
import { type WasmTensor, wasm } from '@velojs/backend-wasm';
import { createVelo, keepTree, sizeOf, type Tree, uploadTheta } from '@velojs/core';
import { keyOf, type Task, Training } from '@velojs/meta';
import { createBaseline } from '@velojs/meta/baselines';
import { denseTask, teacherClasses } from '@velojs/meta/tasks';
import { veloMini } from '@velojs/weights';

/** Of the network of about 1,000 parameters. */
const GOAL = { name: '16-24-24-8', stepsPerSecond: 12_000 } as const;
const CHECKED_STEPS = 40;

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } },
});

const NETWORKS: Readonly<Record<string, { readonly hidden: readonly number[]; readonly steps: number }>> = {
  '16-8-8': { hidden: [8], steps: 2000 },
  '16-24-24-8': { hidden: [24, 24], steps: 1500 },
  '16-64-64-8': { hidden: [64, 64], steps: 300 },
  '16-128-128-8': { hidden: [128, 128], steps: 100 },
};
const taskOf = (hidden: readonly number[]): Task =>
  denseTask({
    ...teacherClasses({ dimensions: 16, outputs: 8, roughness: 1 }, keyOf(1)),
    ...{ hidden, outputs: 8, activation: 'tanh', loss: 'softmax', batchSize: 32 },
  });

const backend = await wasm({ simd: 'plain' });
const theta = uploadTheta(backend, veloMini());
keepTree(backend, theta as unknown as Tree<WasmTensor>);

/** CPU microseconds of a step. */
function trainWithVelo(task: Task, steps: number): number {
  const training = new Training(backend, theta, task, keyOf(2), steps);
  const before = process.cpuUsage();
  training.run(theta, steps, () => {});
  const { user, system } = process.cpuUsage(before);
  training.dispose();
  return (user + system) / steps;
}

function trainWithAdam(task: Task, steps: number): number {
  const parameters = task.initialParameters(keyOf(2));
  const gradients = parameters.map(({ length }) => new Float32Array(length));
  const sizes = parameters.map(({ length }) => length);
  const adam = createBaseline({ name: 'adam', learningRate: 1e-3 }, sizes, steps);
  const before = process.cpuUsage();
  for (let step = 0; step < steps; step++) {
    task.lossAndGradients(parameters, gradients, keyOf(2), step);
    adam.step(parameters, gradients);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / steps;
}

/** The losses of the first steps against those of `createVelo` on the plain JavaScript backend. */
function check(name: string, task: Task): void {
  const losses: number[] = [];
  const training = new Training(backend, theta, task, keyOf(2), CHECKED_STEPS);
  training.run(theta, CHECKED_STEPS, (loss) => losses.push(loss));
  training.dispose();
  const initial = task.initialParameters(keyOf(2)).map((data, j) => ({ shape: task.shapes[j]!, data }));
  const velo = createVelo({ backend: cpu(), theta: veloMini(), parameters: initial, totalSteps: CHECKED_STEPS });
  const gradients = initial.map(({ data }) => new Float32Array(data.length));
  for (let step = 0; step < CHECKED_STEPS; step++) {
    const parameters = velo.parameters.map((tensor) => tensor.data);
    const loss = task.lossAndGradients(parameters, gradients, keyOf(2), step);
    if (!(Math.abs(loss - losses[step]!) <= 1e-3 * loss)) {
      throw new Error(`${name}: the loss of step ${step} is ${losses[step]}, and must be ${loss}: nothing to measure`);
    }
    velo.step(
      gradients.map((data, j) => ({ shape: task.shapes[j]!, data })),
      loss,
    );
  }
  velo.dispose();
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const rows = [];
for (const [name, { hidden, steps }] of Object.entries(NETWORKS)) {
  const task = taskOf(hidden);
  check(name, task);
  const contenders = { velo: () => trainWithVelo(task, steps), adam: () => trainWithAdam(task, steps) };
  const times: Record<keyof typeof contenders, number[]> = { velo: [], adam: [] };
  for (let round = -2; round < Number(options.rounds); round++) {
    const order = Math.random() < 0.5 ? (['velo', 'adam'] as const) : (['adam', 'velo'] as const);
    for (const contender of order) {
      const time = contenders[contender]();
      if (round >= 0) times[contender].push(time);
    }
  }
  const ratio = median(times.velo.map((time, round) => time / times.adam[round]!));
  const stepsPerSecond = 1e6 / median(times.velo);
  const parameters = task.shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
  rows.push({ name, parameters, stepsPerSecond, microseconds: median(times.velo), adam: median(times.adam), ratio });
  const goal =
    name === GOAL.name
      ? ` (goal ${GOAL.stepsPerSecond}: ${stepsPerSecond >= GOAL.stepsPerSecond ? 'met' : 'MISSED'})`
      : '';
  console.log(
    `${name.padEnd(14)} ${String(parameters).padStart(6)} parameters: ${stepsPerSecond.toFixed(0).padStart(6)} steps/s, ` +
      `${median(times.velo).toFixed(1)} us a step, ${ratio.toFixed(2)} x Adam's ${median(times.adam).toFixed(1)} us${goal}`,
  );
}
if (options.json) writeFileSync(options.json, `${JSON.stringify({ options, rows }, null, 2)}\n`);
backend.close();
