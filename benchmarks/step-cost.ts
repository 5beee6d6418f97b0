/**
 * What a step of VeLO costs on the CPU backend, beside Adam: tfjs's on its cpu backend, and a loop of our own.
 *
 *     npm run bench [-- --rounds 15] [--json FILE]
 *
 * Every variant runs once per round, in random order, on gradients that it has not seen in the rounds just before:
 * branch predictors learn small repeating data. Times are CPU times; ratios are medians of the rounds' ratios, so that a
 * slow moment of the machine weighs on both sides.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { type CpuTensor, cpu } from '@velojs/backend-cpu';
import {
  type ControllerInputs,
  createVelo,
  fractionFeatures,
  geometryOf,
  rankFeatures,
  type Shape,
  STATISTICS_LENGTH,
  sizeOf,
  type Theta,
  uploadTheta,
  withoutKernels,
} from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import '@tensorflow/tfjs-backend-cpu';

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } },
});
const ROUNDS = Number(options.rounds);
const RELEASED = { hiddenSize: 512, bankSize: 256 };
/** Sets of gradients that a variant goes through. */
const SETS = 4;

interface Workload {
  readonly name: string;
  readonly shapes: readonly Shape[];
}
const WORKLOADS: readonly Workload[] = [
  { name: '1 of 1024 x 1024', shapes: [[1024, 1024]] },
  { name: '64 of 128 x 128', shapes: Array.from({ length: 64 }, () => [128, 128]) },
];
const GOALS = { 'tfjs-cpu Adam': 0.35, 'plain Adam': 12 } as const;

/** Makes one step; called again and again. */
type Step = () => void;

const parameterCount = (shapes: readonly Shape[]) => shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);

/** Normal numbers, from a table that long arrays go through in strides of their own. */
const normals = Float32Array.from(
  { length: 65_521 },
  () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()),
);
function randomArray(size: number, scale: number): Float32Array {
  const start = Math.floor(Math.random() * normals.length);
  const stride = 1 + Math.floor(Math.random() * 1000);
  return Float32Array.from({ length: size }, (_, i) => scale * normals[(start + i * stride) % normals.length]!);
}

const parametersFor = (shapes: readonly Shape[]) => shapes.map((shape) => randomArray(sizeOf(shape), 0.05));
const gradientSets = (shapes: readonly Shape[]) =>
  Array.from({ length: SETS }, () => shapes.map((shape) => randomArray(sizeOf(shape), 0.1)));

function veloStep(shapes: readonly Shape[], theta: Theta, kernels: 'fused' | 'composed'): Step {
  const backend = cpu();
  const velo = createVelo({
    backend: kernels === 'fused' ? backend : withoutKernels(backend),
    theta,
    parameters: parametersFor(shapes).map((values, j) => backend.wrap(values, shapes[j]!)),
    totalSteps: 10_000,
  });
  const sets = gradientSets(shapes);
  let i = 0;
  return () => velo.step(sets[i++ % SETS]!, 1 / (1 + i));
}

function tfjsAdamStep(shapes: readonly Shape[]): Step {
  const variables = parametersFor(shapes).map((values, j) => tf.variable(tf.tensor(values, [...shapes[j]!])));
  const sets = gradientSets(shapes).map((set) => named(variables, set));
  const adam = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
  let i = 0;
  return () => adam.applyGradients(sets[i++ % SETS]!);
}

const named = (variables: readonly tf.Variable[], gradients: readonly Float32Array[]) =>
  variables.map(({ name, shape }, j) => ({ name, tensor: tf.tensor(gradients[j]!, shape) }));

function plainAdamStep(shapes: readonly Shape[]): Step {
  const tensors = parametersFor(shapes).map((p) => ({
    p,
    m: new Float32Array(p.length),
    v: new Float32Array(p.length),
  }));
  const sets = gradientSets(shapes);
  let i = 0;
  return () => {
    const set = sets[i++ % SETS]!;
    for (const [j, { p, m, v }] of tensors.entries()) adam(p, set[j]!, m, v, 1e-3, i);
  };
}

function adam(p: Float32Array, g: Float32Array, m: Float32Array, v: Float32Array, rate: number, t: number): void {
  const first = 1 / (1 - 0.9 ** t);
  const second = 1 / (1 - 0.999 ** t);
  for (let i = 0; i < p.length; i++) {
    const gradient = g[i]!;
    const mean = 0.9 * m[i]! + 0.1 * gradient;
    const square = 0.999 * v[i]! + 0.001 * gradient * gradient;
    m[i] = mean;
    v[i] = square;
    p[i] = p[i]! - (rate * first * mean) / (Math.sqrt(second * square) + 1e-8);
  }
}

/** The controller alone. */
function controllerStep(tensors: number, theta: Theta): Step {
  const backend = cpu();
  const device = uploadTheta(backend, theta);
  const inputs: ControllerInputs<CpuTensor> = {
    statistics: backend.tensor(randomArray(tensors * STATISTICS_LENGTH, 1).map(Math.abs), [tensors, STATISTICS_LENGTH]),
    ranks: backend.tensor(Array.from({ length: tensors }, () => [...rankFeatures(geometryOf([128, 128]))]).flat(), [
      tensors,
      5,
    ]),
    common: backend.tensor([...fractionFeatures(0.5), ...new Float64Array(9)], [1, 18]),
    hidden: backend.tensor(randomArray(tensors * theta.hiddenSize, 0.1), [tensors, theta.hiddenSize]),
    cell: backend.tensor(randomArray(tensors * theta.hiddenSize, 0.1), [tensors, theta.hiddenSize]),
  };
  return () => {
    backend.kernels!.controller!(inputs, device);
  };
}

/** Nanoseconds of CPU time per call, one per round. */
type Timings<Name extends string> = Record<Name, number[]>;

/** Shorter measurements are below what the clock resolves. */
const SHORTEST = 5e6;

function measure<Name extends string>(variants: Record<Name, Step>, rounds: number): Timings<Name> {
  const names = Object.keys(variants) as Name[];
  const timings = Object.fromEntries(names.map((name) => [name, []])) as unknown as Timings<Name>;
  const repetitions = Object.fromEntries(names.map((name) => [name, warmUp(variants[name])])) as Record<Name, number>;
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(names)) timings[name].push(time(variants[name], repetitions[name]));
  }
  return timings;
}

/** Until the loops are compiled; returns how many calls make a measurement. */
function warmUp(step: Step): number {
  time(step, 5);
  const guess = Math.ceil(SHORTEST / Math.max(time(step, 5), 1000));
  return Math.ceil(SHORTEST / time(step, guess));
}

/** Nanoseconds per call; CPU time of this process, because others may be running. */
function time(step: Step, repetitions: number): number {
  const start = process.cpuUsage();
  for (let i = 0; i < repetitions; i++) step();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / repetitions;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

const medianRatio = (numerators: readonly number[], denominators: readonly number[]) =>
  median(numerators.map((value, i) => value / denominators[i]!));

/** Timings mean nothing for wrong results. */
function checkResults(): void {
  const shapes: Shape[] = [[20, 30], [3, 300], [7], []];
  const start = parametersFor(shapes);
  const gradients = gradientSets(shapes);
  const train = (kernels: 'fused' | 'composed') => {
    const backend = cpu();
    const velo = createVelo({
      backend: kernels === 'fused' ? backend : withoutKernels(backend),
      theta: starterTheta(),
      parameters: start.map((data, j) => ({ shape: shapes[j]!, data })),
      totalSteps: SETS,
    });
    for (const [i, set] of gradients.entries()) velo.step(set, 1 / (1 + i));
    return velo.parameters.map(({ data }) => data);
  };
  expectClose('fused kernels and composed definitions', train('fused'), train('composed'));

  const plain = start.map((values) => values.slice());
  const state = plain.map((p) => ({ p, m: new Float32Array(p.length), v: new Float32Array(p.length) }));
  for (const [i, set] of gradients.entries()) {
    for (const [j, { p, m, v }] of state.entries()) adam(p, set[j]!, m, v, 1e-3, i + 1);
  }
  const variables = start.map((values, j) => tf.variable(tf.tensor(values, [...shapes[j]!])));
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
  for (const set of gradients) optimizer.applyGradients(named(variables, set));
  const trained = variables.map((variable) => variable.dataSync() as Float32Array);
  expectClose('our Adam and that of tfjs', plain, trained);
}

function expectClose(what: string, actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  // Of all tensors together: a scalar may be near zero.
  const all = expected.flatMap((values) => [...values]);
  const scale = Math.sqrt(all.reduce((sum, x) => sum + x * x, 0) / all.length);
  for (const [j, wanted] of expected.entries()) {
    const error = wanted.reduce((worst, x, i) => Math.max(worst, Math.abs(x - actual[j]![i]!)), 0) / scale;
    if (!(error <= 1e-4)) throw new Error(`${what} differ by ${error} of the parameters' size: nothing is measured.`);
  }
}

const commit = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return null;
  }
};

const fixed = (value: number, digits = 1) => value.toFixed(digits).padStart(9);

tf.enableProdMode(); // Without advice on stderr.
await tf.setBackend('cpu');
checkResults();
console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}, ${ROUNDS} rounds\n`);

const workloads = WORKLOADS.map(({ name, shapes }) => {
  const timings = measure(
    {
      VeLO: veloStep(shapes, starterTheta(), 'fused'),
      'tfjs-cpu Adam': tfjsAdamStep(shapes),
      'plain Adam': plainAdamStep(shapes),
    },
    ROUNDS,
  );
  const perParameter = (values: readonly number[]) => median(values) / parameterCount(shapes);
  console.log(`${name}: ns per parameter and step`);
  const rows = Object.entries(timings).map(([variant, values]) => {
    const ratio = medianRatio(timings.VeLO, values);
    const goal = (GOALS as Record<string, number>)[variant] ?? null;
    const verdict =
      goal === null ? '' : `  VeLO is ${ratio.toFixed(2)} of it; goal <= ${goal}: ${ratio <= goal ? 'met' : 'MISSED'}`;
    console.log(`  ${variant.padEnd(16)}${fixed(perParameter(values))}${verdict}`);
    return { variant, nanosecondsPerParameter: perParameter(values), veloOverThis: ratio, goal };
  });
  console.log();
  return { name, rows };
});

console.log('Length of a step against size: ns per parameter');
const sides = [256, 512, 1024];
const scalingTimings = measure(
  Object.fromEntries(sides.map((side) => [side, veloStep([[side, side]], starterTheta(), 'fused')])),
  ROUNDS,
);
const scaling = sides.map((side) => {
  const nanosecondsPerParameter = median(scalingTimings[side]!) / side ** 2;
  console.log(`  ${`${side} x ${side}`.padEnd(16)}${fixed(nanosecondsPerParameter)}`);
  return { side, nanosecondsPerParameter };
});

console.log('\nThe network per tensor: microseconds per tensor');
const sizes = [starterTheta(), starterTheta(RELEASED)].flatMap((theta) =>
  [1, 6, 64].map((tensors) => ({ theta, tensors })),
);
const controllerTimings = measure(
  Object.fromEntries(sizes.map(({ theta, tensors }, i) => [i, controllerStep(tensors, theta)])),
  ROUNDS,
);
const controller = sizes.map(({ theta: { hiddenSize, bankSize }, tensors }, i) => {
  const microsecondsPerTensor = median(controllerTimings[i]!) / tensors / 1000;
  console.log(`  H = ${hiddenSize}, K = ${bankSize}, ${tensors} at once`.padEnd(34) + fixed(microsecondsPerTensor));
  return { hiddenSize, bankSize, tensors, microsecondsPerTensor };
});

console.log('\nComposed definitions, 256 x 256: ns per parameter');
const composedTimings = measure({ composed: veloStep([[256, 256]], starterTheta(), 'composed') }, 3);
const composed = median(composedTimings.composed) / 256 ** 2;
console.log(`  composed        ${fixed(composed)}`);

if (options.json) {
  const machine = { cpu: cpus()[0]?.model.trim() ?? null, cores: availableParallelism(), node: process.version };
  const report = {
    date: new Date().toISOString(),
    commit: commit(),
    machine,
    rounds: ROUNDS,
    workloads,
    scaling,
    controller,
    composed,
  };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
