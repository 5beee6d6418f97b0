/** Small models of the next symbol that look back by attention. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import { derive, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { type ExampleModel, exampleTask } from './example-task.ts';
import { addProduct, addProductTransposed, addTransposedProduct } from './matrix.ts';
import { named } from './naming.ts';
import { softmaxCrossEntropy } from './softmax.ts';
import { examplesOf, locate, markovText, type Text } from './text.ts';

export interface AttentionOptions {
  readonly name?: string;
  readonly text: Text;
  /** Symbols per example; after each of them the next one is asked for. */
  readonly length: number;
  /** Of embeddings, queries, keys and values. */
  readonly size: number;
  readonly batchSize: number;
  /** Initial embeddings have deviation `initialScale`, weights `initialScale / sqrt(size)` (default 1). */
  readonly initialScale?: number;
  /** The output layer starts at 0 (default: as other layers). */
  readonly zeroOutput?: boolean;
}

/**
 * One head of causal attention: `x[t] = embedding[symbol t] + position[t]`, with queries, keys and values `x Q`, `x K`
 * and `x V`; `y[t] = x[t] + (sum over s <= t of softmax_s(query[t].key[s] / sqrt(size)) value[s]) O`; outputs are
 * `y W + b`, and the loss is the mean cross-entropy of their softmax with the next symbols. Parameters: embeddings
 * `[symbols, size]`, positions `[length, size]`, Q, K, V and O `[size, size]`, W `[size, symbols]`, b `[symbols]`.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const text = markovText({ symbols: 12, order: 2, trainingLength: 1000, validationLength: 500 }, keyOf(1));
 * const task = attentionTask({ text, length: 8, size: 8, batchSize: 8 });
 * ```
 */
export function attentionTask(options: AttentionOptions): Task {
  const { text, length, size, batchSize } = options;
  if (![length, size].every((count) => Number.isInteger(count) && count >= 1)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `Length and size are whole numbers of at least 1, not ${length} and ${size}.`,
    );
  }
  return exampleTask({
    name: options.name ?? `next of ${text.symbols} symbols by attention to ${length}, size ${size}, batch ${batchSize}`,
    model: attentionModel(options),
    trainingCount: examplesOf(text.training, length + 1),
    validationCount: examplesOf(text.validation, length + 1),
    batchSize,
  });
}

function attentionModel(options: AttentionOptions): ExampleModel {
  const { text, length, size, initialScale = 1, zeroOutput = false } = options;
  const { symbols } = text;
  const square: Shape = [size, size];
  const shapes: Shape[] = [[symbols, size], [length, size], square, square, square, square, [size, symbols], [symbols]];
  const rows = () => new Float64Array(length * size);
  const [inputs, queries, keys, values, mixed, outputs] = [rows(), rows(), rows(), rows(), rows(), rows()];
  const [inputSlopes, querySlopes, keySlopes, valueSlopes, mixedSlopes] = [rows(), rows(), rows(), rows(), rows()];
  /** `[length, length]`: how much of value s row t takes. */
  const shares = new Float64Array(length * length);
  const shareSlopes = new Float64Array(length);
  const logits = new Float64Array(length * symbols);
  const logitRows = Array.from({ length }, (_, t) => logits.subarray(t * symbols, (t + 1) * symbols));
  const temperature = 1 / Math.sqrt(size);
  const project = (out: Float64Array, from: Float64Array, weights: Float64Array) => {
    out.fill(0);
    addProduct(out, 0, from, 0, weights, 0, length, size, size);
  };

  const attend = (t: number) => {
    const row = t * length;
    let largest = -Infinity;
    for (let s = 0; s <= t; s++) {
      let product = 0;
      for (let i = 0; i < size; i++) product += queries[t * size + i]! * keys[s * size + i]!;
      shares[row + s] = product * temperature;
      largest = Math.max(largest, shares[row + s]!);
    }
    let sum = 0;
    for (let s = 0; s <= t; s++) sum += shares[row + s] = Math.exp(shares[row + s]! - largest);
    for (let s = 0; s <= t; s++) shares[row + s]! /= sum;
  };

  /** Adds to the slopes of query t and of the keys and values up to t, from `mixedSlopes` of row t. */
  const attendBack = (t: number) => {
    const row = t * length;
    const at = t * size;
    let mean = 0;
    for (let s = 0; s <= t; s++) {
      const share = shares[row + s]!;
      let slope = 0;
      for (let i = 0; i < size; i++) {
        slope += mixedSlopes[at + i]! * values[s * size + i]!;
        valueSlopes[s * size + i]! += share * mixedSlopes[at + i]!;
      }
      shareSlopes[s] = slope;
      mean += share * slope;
    }
    for (let s = 0; s <= t; s++) {
      const slope = temperature * shares[row + s]! * (shareSlopes[s]! - mean);
      for (let i = 0; i < size; i++) {
        querySlopes[at + i]! += slope * keys[s * size + i]!;
        keySlopes[s * size + i]! += slope * queries[at + i]!;
      }
    }
  };

  return {
    shapes,
    initialParameters(key) {
      const random = new Random(key);
      return shapes.map((shape, j) => {
        const array = new Float32Array(sizeOf(shape));
        if (shape.length === 1 || (j === 6 && zeroOutput)) return array;
        return random.normals(array, j < 2 ? initialScale : initialScale / Math.sqrt(size));
      });
    },
    loss(parameters, example, gradients, weight) {
      const [embeddings, positions, query, key, value, output, head, bias] = parameters as EightArrays;
      const [symbolsOf, begin] = locate(text, length + 1, example);
      for (let t = 0, at = 0; t < length; t++) {
        const from = symbolsOf[begin + t]! * size;
        for (let i = 0; i < size; i++, at++) inputs[at] = embeddings[from + i]! + positions[at]!;
      }
      project(queries, inputs, query);
      project(keys, inputs, key);
      project(values, inputs, value);
      for (let t = 0; t < length; t++) attend(t);
      mixed.fill(0);
      addProduct(mixed, 0, shares, 0, values, 0, length, length, size);
      outputs.set(inputs);
      addProduct(outputs, 0, mixed, 0, output, 0, length, size, size);
      for (const row of logitRows) row.set(bias);
      addProduct(logits, 0, outputs, 0, head, 0, length, size, symbols);
      let sum = 0;
      for (let t = 0; t < length; t++) {
        const row = logitRows[t]!;
        sum += softmaxCrossEntropy(row, symbolsOf[begin + t + 1]!, row, weight / length);
      }
      if (gradients === null) return sum / length;

      const [ofEmbeddings, ofPositions, ofQuery, ofKey, ofValue, ofOutput, ofHead, ofBias] = gradients as EightArrays;
      for (const row of logitRows) for (let s = 0; s < symbols; s++) ofBias[s]! += row[s]!;
      addTransposedProduct(ofHead, outputs, logits, length, size, symbols);
      // The slopes of outputs, which inputs get as they are; what came through attention is added below.
      inputSlopes.fill(0);
      addProductTransposed(inputSlopes, 0, logits, 0, head, length, size, symbols);
      addTransposedProduct(ofOutput, mixed, inputSlopes, length, size, size);
      for (const slopes of [mixedSlopes, querySlopes, keySlopes, valueSlopes]) slopes.fill(0);
      addProductTransposed(mixedSlopes, 0, inputSlopes, 0, output, length, size, size);
      for (let t = 0; t < length; t++) attendBack(t);
      addTransposedProduct(ofQuery, inputs, querySlopes, length, size, size);
      addTransposedProduct(ofKey, inputs, keySlopes, length, size, size);
      addTransposedProduct(ofValue, inputs, valueSlopes, length, size, size);
      addProductTransposed(inputSlopes, 0, querySlopes, 0, query, length, size, size);
      addProductTransposed(inputSlopes, 0, keySlopes, 0, key, length, size, size);
      addProductTransposed(inputSlopes, 0, valueSlopes, 0, value, length, size, size);
      for (let t = 0, at = 0; t < length; t++) {
        const to = symbolsOf[begin + t]! * size;
        for (let i = 0; i < size; i++, at++) {
          ofEmbeddings[to + i]! += inputSlopes[at]!;
          ofPositions[at]! += inputSlopes[at]!;
        }
      }
      return sum / length;
    },
  };
}

type EightArrays = readonly [
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
];

/** 4 to 16 symbols in examples of 4 to 8, sizes 4 to 10. */
export const attentions: TaskFamily = {
  name: 'attention',
  sample(key) {
    const random = new Random(key);
    const text = markovText(
      {
        symbols: 4 + random.integer(13),
        order: random.choice([1, 2, 2] as const),
        trainingLength: 2000,
        validationLength: 400,
      },
      derive(key, 1),
    );
    const task = attentionTask({
      text,
      length: 4 + random.integer(5),
      size: 4 + random.integer(7),
      batchSize: random.choice([4, 8, 8]),
      initialScale: random.logUniform(0.3, 1.6),
      zeroOutput: random.chance(0.1),
    });
    return named(task, key);
  },
};
