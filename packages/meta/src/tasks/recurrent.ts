/** Small recurrent networks on short sequences of symbols, trained by backpropagation through time. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import { derive, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { type ExampleModel, exampleTask } from './example-task.ts';
import { addProduct, addProductTransposed, addTransposedProduct } from './matrix.ts';
import { named } from './naming.ts';
import { NO_TARGET, SEQUENCE_KINDS, type Sequences, sequences } from './sequences.ts';
import { softmaxCrossEntropy } from './softmax.ts';

export interface RecurrentOptions {
  readonly name?: string;
  /** The first `trainingCount` are for training, the others for validation. */
  readonly sequences: Sequences;
  readonly trainingCount: number;
  /**
   * - `tanh`: `h' = tanh(W[x] + h U + b)`;
   * - `gru`: with `[z, r, a] = W[x] + b` and `[u, v, w] = h U`: `n = tanh(a + logistic(r + v) w)`, and
   *   `h' = n + logistic(z + u) (h - n)` (Cho et al. 2014, the gate behind the product).
   */
  readonly cell: 'tanh' | 'gru';
  readonly hiddenSize: number;
  readonly batchSize: number;
  /** Initial weights are normal, of deviation `initialScale / sqrt(inputs)`; those of symbols `initialScale / 2` (default 1). */
  readonly initialScale?: number;
  /** The output layer starts at 0 (default: as other layers). */
  readonly zeroOutput?: boolean;
}

/**
 * The state starts at 0; outputs are `h V + c`, and the loss is the mean cross-entropy of their softmax where a sequence
 * has targets. Parameters: W `[symbols, gates * hidden]`, U `[hidden, gates * hidden]`, b `[gates * hidden]`,
 * V `[hidden, outputs]`, c `[outputs]`; `gates` is 1 for tanh, 3 for gru.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const task = recurrentTask({
 *   sequences: sequences({ kind: 'copy', symbols: 4, length: 8, count: 768, key: keyOf(1) }),
 *   trainingCount: 512,
 *   cell: 'gru',
 *   hiddenSize: 8,
 *   batchSize: 16,
 * });
 * ```
 */
export function recurrentTask(options: RecurrentOptions): Task {
  const { sequences: data, trainingCount, cell, hiddenSize, batchSize } = options;
  if (!(Number.isInteger(hiddenSize) && hiddenSize >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `A hidden size is a whole number of at least 1, not ${hiddenSize}.`);
  }
  return exampleTask({
    name:
      options.name ??
      `${data.name}, ${data.length} of ${data.symbols} symbols, by a ${cell} network of ${hiddenSize}, batch ${batchSize}`,
    model: recurrentModel(options),
    trainingCount,
    validationCount: data.inputs.length / data.length - trainingCount,
    batchSize,
  });
}

function recurrentModel(options: RecurrentOptions): ExampleModel {
  const { sequences: data, cell, hiddenSize: hidden, initialScale = 1, zeroOutput = false } = options;
  const { length, symbols, outputs } = data;
  const gated = cell === 'gru';
  const width = gated ? 3 * hidden : hidden;
  const shapes: Shape[] = [[symbols, width], [hidden, width], [width], [hidden, outputs], [outputs]];

  /** Row t is the state before symbol t. */
  const states = new Float64Array((length + 1) * hidden);
  const laterStates = states.subarray(hidden);
  /** Row t: `h U`; then, of a gru, the values of z, r and n. */
  const products = new Float64Array(length * width);
  const gates = new Float64Array(length * width);
  /** Row t: the softmax's gradient. */
  const logits = new Float64Array(length * outputs);
  const logitRows = Array.from({ length }, (_, t) => logits.subarray(t * outputs, (t + 1) * outputs));
  const stateSlopes = new Float64Array(hidden);
  const earlierSlopes = new Float64Array(hidden);
  /** Row t: the slopes of `W[x] + b`, and those of `h U`. */
  const inputSlopes = new Float64Array(length * width);
  const productSlopes = new Float64Array(length * width);

  /** From state t to state t + 1. */
  const advance = (t: number, symbol: number, weights: Float64Array, recurrent: Float64Array, bias: Float64Array) => {
    const before = t * hidden;
    const after = before + hidden;
    const row = t * width;
    products.fill(0, row, row + width);
    addProduct(products, row, states, before, recurrent, 0, 1, hidden, width);
    const from = symbol * width;
    if (!gated) {
      for (let j = 0; j < hidden; j++) {
        states[after + j] = Math.tanh(weights[from + j]! + bias[j]! + products[row + j]!);
      }
      return;
    }
    for (let j = 0; j < 2 * hidden; j++) {
      gates[row + j] = 1 / (1 + Math.exp(-(weights[from + j]! + bias[j]! + products[row + j]!)));
    }
    for (let j = 0; j < hidden; j++) {
      const at = 2 * hidden + j;
      const n = Math.tanh(weights[from + at]! + bias[at]! + gates[row + hidden + j]! * products[row + at]!);
      gates[row + at] = n;
      states[after + j] = n + gates[row + j]! * (states[before + j]! - n);
    }
  };

  /** From `stateSlopes` of state t + 1: row t of the slopes, and those of state t that go around the product. */
  const retreat = (t: number) => {
    const before = t * hidden;
    const row = t * width;
    for (let j = 0; j < hidden; j++) {
      const slope = stateSlopes[j]!;
      if (!gated) {
        const inside = slope * (1 - states[before + hidden + j]! ** 2);
        inputSlopes[row + j] = inside;
        productSlopes[row + j] = inside;
        earlierSlopes[j] = 0;
        continue;
      }
      const z = gates[row + j]!;
      const r = gates[row + hidden + j]!;
      const n = gates[row + 2 * hidden + j]!;
      const ofZ = slope * (states[before + j]! - n) * z * (1 - z);
      const ofN = slope * (1 - z) * (1 - n * n);
      const ofR = ofN * products[row + 2 * hidden + j]! * r * (1 - r);
      inputSlopes[row + j] = ofZ;
      inputSlopes[row + hidden + j] = ofR;
      inputSlopes[row + 2 * hidden + j] = ofN;
      productSlopes[row + j] = ofZ;
      productSlopes[row + hidden + j] = ofR;
      productSlopes[row + 2 * hidden + j] = ofN * r;
      earlierSlopes[j] = slope * z;
    }
  };

  return {
    shapes,
    initialParameters(key) {
      const random = new Random(key);
      return shapes.map((shape, j) => {
        const values = new Float32Array(sizeOf(shape));
        if (shape.length === 1 || (j === 3 && zeroOutput)) return values;
        return random.normals(values, initialScale * (j === 0 ? 0.5 : 1 / Math.sqrt(hidden)));
      });
    },
    loss(parameters, example, gradients, weight) {
      const [weights, recurrent, bias, head, headBias] = parameters as FiveArrays;
      const begin = example * length;
      let targets = 0;
      for (let t = 0; t < length; t++) targets += data.targets[begin + t] === NO_TARGET ? 0 : 1;

      let sum = 0;
      for (let t = 0; t < length; t++) {
        advance(t, data.inputs[begin + t]!, weights, recurrent, bias);
        const target = data.targets[begin + t]!;
        const row = logitRows[t]!;
        if (target === NO_TARGET) {
          row.fill(0);
          continue;
        }
        row.set(headBias);
        addProduct(row, 0, states, (t + 1) * hidden, head, 0, 1, hidden, outputs);
        sum += softmaxCrossEntropy(row, target, row, weight / targets);
      }
      if (gradients === null) return sum / targets;

      const [weightGradient, recurrentGradient, biasGradient, headGradient, headBiasGradient] = gradients as FiveArrays;
      addTransposedProduct(headGradient, laterStates, logits, length, hidden, outputs);
      stateSlopes.fill(0);
      for (let t = length - 1; t >= 0; t--) {
        if (data.targets[begin + t] !== NO_TARGET) {
          for (let o = 0; o < outputs; o++) headBiasGradient[o]! += logits[t * outputs + o]!;
          addProductTransposed(stateSlopes, 0, logits, t * outputs, head, 1, hidden, outputs);
        }
        retreat(t);
        const row = t * width;
        const from = data.inputs[begin + t]! * width;
        for (let j = 0; j < width; j++) {
          weightGradient[from + j]! += inputSlopes[row + j]!;
          biasGradient[j]! += inputSlopes[row + j]!;
        }
        stateSlopes.set(earlierSlopes);
        addProductTransposed(stateSlopes, 0, productSlopes, row, recurrent, 1, hidden, width);
      }
      addTransposedProduct(recurrentGradient, states, productSlopes, length, hidden, width);
      return sum / targets;
    },
  };
}

type FiveArrays = readonly [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];

/** 4 to 20 hidden units, sequences of 4 to 10 symbols, all kinds of `sequences`. */
export const recurrents: TaskFamily = {
  name: 'recurrent',
  sample(key) {
    const random = new Random(key);
    const cell = random.choice(['tanh', 'tanh', 'gru'] as const);
    const task = recurrentTask({
      sequences: sequences({
        kind: random.choice(SEQUENCE_KINDS),
        symbols: 2 + random.integer(7),
        length: 4 + random.integer(7),
        count: TRAINING + VALIDATION,
        key: derive(key, 1),
      }),
      trainingCount: TRAINING,
      cell,
      hiddenSize: cell === 'gru' ? 4 + random.integer(7) : 6 + random.integer(15),
      batchSize: random.choice([8, 8, 16]),
      initialScale: random.logUniform(0.6, 1.6),
      zeroOutput: random.chance(0.1),
    });
    return named(task, key);
  },
};

const TRAINING = 512;
const VALIDATION = 256;
