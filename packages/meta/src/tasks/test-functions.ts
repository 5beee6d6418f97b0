/** Functions that optimizers are tested on: valleys, many minima, flat and steep bowls. Their least value is 0. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import { derive, type Key, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { named } from './naming.ts';
import { splitShapes } from './shapes.ts';

/**
 * Each is a mean over the coordinates x of a vector, so that its value does not grow with their number:
 * - `rosenbrock`: `sharpness (x[i+1] - x[i]^2)^2 + (1 - x[i])^2`, a bent valley;
 * - `styblinski-tang`: `(x^4 - 16 x^2 + 5 x) / 2 + 39.166`, two minima per coordinate, `sharpness` is not used;
 * - `rastrigin`: `x^2 + sharpness (1 - cos(2 pi x))`, a bowl with ripples;
 * - `log-cosh`: `2 log cosh(sharpness x / 2)`, round at the minimum, straight far away, as logistic losses are;
 * - `log-sum-exp`: `log(mean over random directions a of cosh(sharpness a.x))`, which the steepest directions rule.
 */
export type TestFunction = 'rosenbrock' | 'styblinski-tang' | 'rastrigin' | 'log-cosh' | 'log-sum-exp';

export interface TestFunctionOptions {
  readonly name?: string;
  readonly function: TestFunction;
  /** The vector is these tensors, one after the other. */
  readonly shapes: readonly Shape[];
  /** What it means: `TestFunction`. Positive. */
  readonly sharpness: number;
  /** Standard deviation of initial values (default 1). */
  readonly initialDeviation?: number;
  /** Standard deviation of the place that x is measured from, so that minima are not at 0 (default 0). */
  readonly shift?: number;
  /** Gives that place, and the directions. */
  readonly key: Key;
}

/** A function of x, which writes its gradient to `slope`. */
type Evaluate = (x: Float64Array, slope: Float64Array) => number;

/**
 * A test function as a task. It has no examples: all batches are the same.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const task = testFunctionTask({ function: 'rosenbrock', shapes: [[4, 4], [16]], sharpness: 20, key: keyOf(1) });
 * ```
 */
export function testFunctionTask(options: TestFunctionOptions): Task {
  const { shapes, sharpness, initialDeviation = 1, shift = 0, key } = options;
  const sizes = shapes.map(sizeOf);
  const count = sizes.reduce((sum, size) => sum + size, 0);
  const create = Object.hasOwn(FUNCTIONS, options.function) ? FUNCTIONS[options.function] : undefined;
  if (!(create && sharpness > 0 && sharpness < Infinity && initialDeviation >= 0 && shift >= 0 && count >= 2)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `A test function is one of ${Object.keys(FUNCTIONS).join(', ')}, of at least 2 numbers, with positive sharpness, ` +
        `and initial deviation and shift of at least 0; it was ${JSON.stringify({ ...options, key: undefined })}.`,
    );
  }
  const random = new Random(key);
  const origin = random.normals(new Float32Array(count), shift);
  const evaluate = create(count, sharpness, random);
  const x = new Float64Array(count);
  const slope = new Float64Array(count);
  const loss = (parameters: readonly Float32Array[]): number => {
    for (let j = 0, at = 0; j < parameters.length; j++) {
      const values = parameters[j]!;
      for (let i = 0; i < values.length; i++, at++) x[at] = values[i]! - origin[at]!;
    }
    return evaluate(x, slope);
  };
  return {
    name: options.name ?? `${options.function} of ${count} numbers, sharpness ${sharpness.toPrecision(2)}`,
    shapes,
    initialParameters(initialKey) {
      const initial = new Random(initialKey);
      return sizes.map((size) => initial.normals(new Float32Array(size), initialDeviation));
    },
    lossAndGradients(parameters, gradients) {
      const value = loss(parameters);
      for (let j = 0, at = 0; j < gradients.length; j++) {
        const gradient = gradients[j]!;
        for (let i = 0; i < gradient.length; i++, at++) gradient[i] = slope[at]!;
      }
      return value;
    },
    trainingLoss: loss,
    validationLoss: loss,
  };
}

/** The value at the minimum, `x = -2.903534...`, of one coordinate. */
const STYBLINSKI_TANG_MINIMUM = -39.16616570377142;

const FUNCTIONS: Readonly<Record<TestFunction, (count: number, sharpness: number, random: Random) => Evaluate>> = {
  rosenbrock: (count, sharpness) => (x, slope) => {
    const share = 1 / (count - 1);
    let sum = 0;
    slope.fill(0);
    for (let i = 0; i + 1 < count; i++) {
      const across = x[i + 1]! - x[i]! ** 2;
      const along = 1 - x[i]!;
      sum += sharpness * across ** 2 + along ** 2;
      slope[i]! -= share * (4 * sharpness * across * x[i]! + 2 * along);
      slope[i + 1]! += share * 2 * sharpness * across;
    }
    return share * sum;
  },
  'styblinski-tang': (count) => (x, slope) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const v = x[i]!;
      sum += (v ** 4 - 16 * v ** 2 + 5 * v) / 2 - STYBLINSKI_TANG_MINIMUM;
      slope[i] = (2 * v ** 3 - 16 * v + 2.5) / count;
    }
    return sum / count;
  },
  rastrigin: (count, sharpness) => (x, slope) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const v = x[i]!;
      sum += v ** 2 + sharpness * (1 - Math.cos(2 * Math.PI * v));
      slope[i] = (2 * v + 2 * Math.PI * sharpness * Math.sin(2 * Math.PI * v)) / count;
    }
    return sum / count;
  },
  'log-cosh': (count, sharpness) => (x, slope) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += 2 * logCosh((sharpness * x[i]!) / 2);
      slope[i] = (sharpness * Math.tanh((sharpness * x[i]!) / 2)) / count;
    }
    return sum / count;
  },
  'log-sum-exp': (count, sharpness, random) => {
    const directions = 2 * count;
    const matrix = random.normals(new Float64Array(directions * count), sharpness / Math.sqrt(count));
    const products = new Float64Array(directions);
    return (x, slope) => {
      let largest = 0;
      for (let j = 0; j < directions; j++) {
        let product = 0;
        for (let i = 0, at = j * count; i < count; i++, at++) product += matrix[at]! * x[i]!;
        products[j] = product;
        largest = Math.max(largest, Math.abs(product));
      }
      // Over cosh(largest), as all its terms: cosh alone overflows.
      let sum = 0;
      for (const product of products) sum += Math.exp(product - largest) + Math.exp(-product - largest);
      slope.fill(0);
      for (let j = 0; j < directions; j++) {
        const weight = (Math.exp(products[j]! - largest) - Math.exp(-products[j]! - largest)) / sum;
        for (let i = 0, at = j * count; i < count; i++, at++) slope[i]! += weight * matrix[at]!;
      }
      return largest + Math.log(sum / (2 * directions));
    };
  },
};

/** Does not overflow. */
const logCosh = (x: number): number => Math.abs(x) + Math.log1p(Math.exp(-2 * Math.abs(x))) - Math.LN2;

/** Sizes and sharpness at which training takes hundreds of steps, not two. */
const DRAWS: Readonly<Record<TestFunction, { largest: number; sharpness: readonly [low: number, high: number] }>> = {
  rosenbrock: { largest: 400, sharpness: [1, 100] },
  'styblinski-tang': { largest: 1000, sharpness: [1, 1] },
  rastrigin: { largest: 1000, sharpness: [0.03, 0.5] },
  'log-cosh': { largest: 1000, sharpness: [0.3, 10] },
  'log-sum-exp': { largest: 80, sharpness: [0.3, 10] },
};

/** 8 to 1,000 numbers of any of the functions. */
export const testFunctions: TaskFamily = {
  name: 'test-function',
  sample(key) {
    const random = new Random(key);
    const name = random.choice(Object.keys(FUNCTIONS) as TestFunction[]);
    const { largest, sharpness } = DRAWS[name];
    const task = testFunctionTask({
      function: name,
      shapes: splitShapes(random.logUniform(10, largest), random),
      sharpness: random.logUniform(...sharpness),
      initialDeviation: random.logUniform(0.2, 1.5),
      shift: random.uniform(0, 1),
      key: derive(key, 1),
    });
    return named(task, key);
  },
};
