/** Functions of a few variables to be learned from noisy values. Targets have mean 0 and deviation 1, before noise. */
import { type Key, Random } from '../random.ts';
import { blur, type Counts, type Data, split, standardise, total } from './data.ts';
import { rotation } from './point-clouds.ts';

export interface FunctionOptions extends Counts {
  readonly dimensions: number;
  /** Deviation of the noise that targets have: 0.1. */
  readonly noise?: number;
}

/**
 * Friedman's first function, `10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4` for x uniform in 0..1; any further of
 * the dimensions (5 or more) mean nothing. Inputs are shifted and scaled to deviation 1.
 */
export function friedman(options: FunctionOptions, key: Key): Data {
  const random = new Random(key);
  const { dimensions, noise = 0.1 } = options;
  const inputs = new Float32Array(total(options) * dimensions).map(() => random.uniform());
  const targets = Float32Array.from({ length: total(options) }, (_, i) => {
    const x = (j: number) => inputs[i * dimensions + j]!;
    return 10 * Math.sin(Math.PI * x(0) * x(1)) + 20 * (x(2) - 0.5) ** 2 + 10 * x(3) + 5 * x(4);
  });
  standardise(inputs, dimensions);
  blur(standardise(targets, 1), noise, random);
  return split(inputs, targets, options);
}

export interface SinesOptions extends FunctionOptions {
  /** Waves that are added up: 4. */
  readonly waves?: number;
  /** Deviation of the waves' frequencies, in radians per unit of the inputs, which are uniform in -1..1: 3. */
  readonly frequency?: number;
}

/** A sum of waves of random direction, frequency, phase and height. */
export function sines(options: SinesOptions, key: Key): Data {
  const random = new Random(key);
  const { dimensions, noise = 0.1, waves = 4, frequency = 3 } = options;
  const frequencies = random.normals(new Float32Array(waves * dimensions), frequency);
  const phases = Float32Array.from({ length: waves }, () => random.uniform(0, 2 * Math.PI));
  const heights = random.normals(new Float32Array(waves));
  const inputs = new Float32Array(total(options) * dimensions).map(() => random.uniform(-1, 1));
  const targets = Float32Array.from({ length: total(options) }, (_, i) => {
    let sum = 0;
    for (let wave = 0; wave < waves; wave++) {
      let angle = phases[wave]!;
      for (let j = 0; j < dimensions; j++) {
        angle += frequencies[wave * dimensions + j]! * inputs[i * dimensions + j]!;
      }
      sum += heights[wave]! * Math.sin(angle);
    }
    return sum;
  });
  blur(standardise(targets, 1), noise, random);
  return split(inputs, targets, options);
}

export interface LinearOptions extends FunctionOptions {
  /** Numbers to predict: 1. */
  readonly outputs?: number;
  /** Largest over smallest eigenvalue of the inputs' covariance, which are log-uniformly spaced: 100. */
  readonly conditionNumber?: number;
}

/** Normal inputs of mean square 1 about a random ellipsoid, and linear functions to which all its axes matter alike. */
function linear(options: LinearOptions, random: Random): { inputs: Float32Array; values: Float32Array } {
  const { dimensions, outputs = 1, conditionNumber = 100 } = options;
  const count = total(options);
  const axes = rotation(dimensions, random);
  const deviations = Float64Array.from(
    { length: dimensions },
    (_, i) => conditionNumber ** (-i / (2 * Math.max(1, dimensions - 1))),
  );
  const size = Math.sqrt(deviations.reduce((sum, x) => sum + x * x, 0) / dimensions);
  const directions = random.normals(new Float32Array(dimensions * outputs), 1 / Math.sqrt(dimensions));
  const factors = random.normals(new Float32Array(count * dimensions));
  const inputs = new Float32Array(count * dimensions);
  const values = new Float32Array(count * outputs);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < dimensions; k++) {
      const factor = factors[i * dimensions + k]!;
      const along = (factor * deviations[k]!) / size;
      for (let j = 0; j < dimensions; j++) {
        inputs[i * dimensions + j] = inputs[i * dimensions + j]! + along * axes[k * dimensions + j]!;
      }
      for (let j = 0; j < outputs; j++) {
        values[i * outputs + j] = values[i * outputs + j]! + factor * directions[k * outputs + j]!;
      }
    }
  }
  return { inputs, values };
}

/** Linear regression of any condition number. Without hidden layers the least loss is about `noise` squared. */
export function linearValues(options: LinearOptions, key: Key): Data {
  const random = new Random(key);
  const { inputs, values } = linear(options, random);
  blur(values, options.noise ?? 0.1, random);
  return split(inputs, values, options);
}

/** The same, of which only the signs are told (0 or 1): for logistic regression. Noise blurs where the sign changes. */
export function linearSigns(options: LinearOptions, key: Key): Data {
  const random = new Random(key);
  const { inputs, values } = linear(options, random);
  blur(values, options.noise ?? 0.1, random);
  return split(
    inputs,
    values.map((value) => Number(value > 0)),
    options,
  );
}
