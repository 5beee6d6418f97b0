/** The lists of tensors that optimizers are measured on, and numbers to fill them with. */
import {
  type ControllerInputs,
  fractionFeatures,
  geometryOf,
  rankFeatures,
  type Shape,
  STATISTICS_LENGTH,
  sizeOf,
  type Tensor,
} from '@velojs/core';
import type { Problem } from './contender.ts';

export interface Workload {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  readonly shapes: readonly Shape[];
}

const repeated = (count: number, shape: Shape): Shape[] => Array.from({ length: count }, () => shape);
/** Weights and biases of dense layers. */
const network = (...layers: number[]): Shape[] =>
  layers.slice(1).flatMap((outputs, i) => [[layers[i]!, outputs], [outputs]]);

export const WORKLOADS: readonly Workload[] = [
  { name: 'tiny-mlp', title: 'tiny MLP 2-16-16-2', shapes: network(2, 16, 16, 2) },
  { name: 'small-mlp', title: 'small MLP 16-24-24-8', shapes: network(16, 24, 24, 8) },
  { name: 'mlp', title: 'MLP 784-128-64-10', shapes: network(784, 128, 64, 10) },
  { name: '1024x1024', title: 'one 1024 x 1024', shapes: [[1024, 1024]] },
  { name: '64-of-128x128', title: '64 of 128 x 128', shapes: repeated(64, [128, 128]) },
  { name: '4M', title: '4M parameters: one 2048 x 2048', shapes: [[2048, 2048]] },
  {
    name: 'vectors',
    title: 'vectors only: 65,536, 16 of 1,024, 64 of 128',
    shapes: [[65_536], ...repeated(16, [1024]), ...repeated(64, [128])],
  },
];

/** Fewer would let branch predictors learn the gradients by heart. */
const GRADIENT_SETS = 4;

export const parameterCount = (shapes: readonly Shape[]): number =>
  shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);

/** Random parameters and sets of gradients. */
export function problemOf(shapes: readonly Shape[], sets: number = GRADIENT_SETS): Problem {
  const randoms = (deviation: number) => shapes.map((shape) => randomArray(sizeOf(shape), deviation));
  return {
    shapes,
    parameters: randoms(0.05),
    gradients: Array.from({ length: sets }, () => randoms(0.1)),
  };
}

/** What VeLO's network per tensor reads, random where it may be; `make` gives each input its form. */
export function controllerInputs<T extends Tensor>(
  shapes: readonly Shape[],
  hiddenSize: number,
  make: (values: ArrayLike<number>, shape: Shape) => T,
): ControllerInputs<T> {
  const n = shapes.length;
  const state = () => make(randomArray(n * hiddenSize, 0.1), [n, hiddenSize]);
  return {
    statistics: make(randomArray(n * STATISTICS_LENGTH, 1).map(Math.abs), [n, STATISTICS_LENGTH]),
    ranks: make(
      shapes.flatMap((shape) => [...rankFeatures(geometryOf(shape))]),
      [n, 5],
    ),
    common: make([...fractionFeatures(0.5), ...new Float64Array(9)], [1, 18]),
    hidden: state(),
    cell: state(),
  };
}

/** Normal numbers, from a table that long arrays go through in strides of their own. */
function randomArray(size: number, deviation: number): Float32Array {
  normals ??= Float64Array.from(
    { length: 65_521 },
    () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()),
  );
  const start = Math.floor(Math.random() * normals.length);
  const stride = 1 + Math.floor(Math.random() * 1000);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = deviation * normals[(start + i * stride) % normals.length]!;
  return values;
}

/** Made when the first is asked for: pages that only show the list need none. */
let normals: Float64Array | undefined;
