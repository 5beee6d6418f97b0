/** Small models of the next symbol: embeddings of the symbols before it, side by side, in a dense network. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import { derive, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { type ExampleModel, exampleTask } from './example-task.ts';
import { addProduct, addProductTransposed, addTransposedProduct } from './matrix.ts';
import { named } from './naming.ts';
import { softmaxCrossEntropy } from './softmax.ts';
import { examplesOf, locate, markovText, type Text } from './text.ts';

export interface LanguageOptions {
  readonly name?: string;
  readonly text: Text;
  /** How many symbols the next is told from. */
  readonly context: number;
  readonly embeddingSize: number;
  readonly hiddenSize: number;
  readonly batchSize: number;
  /** Initial embeddings have deviation `initialScale`, weights `initialScale / sqrt(inputs)` (default 1). */
  readonly initialScale?: number;
  /** The output layer starts at 0 (default: as other layers). */
  readonly zeroOutput?: boolean;
}

/**
 * Embeddings, a tanh layer, and the softmax's cross-entropy (Bengio et al. 2003). Parameters: embeddings
 * `[symbols, embeddingSize]`, weights `[context * embeddingSize, hiddenSize]`, bias, weights `[hiddenSize, symbols]`,
 * bias.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const text = markovText({ symbols: 16, order: 2, trainingLength: 1000, validationLength: 500 }, keyOf(1));
 * const task = languageTask({ text, context: 3, embeddingSize: 4, hiddenSize: 16, batchSize: 32 });
 * ```
 */
export function languageTask(options: LanguageOptions): Task {
  const { text, context, embeddingSize, hiddenSize, batchSize } = options;
  if (![context, embeddingSize, hiddenSize].every((size) => Number.isInteger(size) && size >= 1)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      'Context, embedding size and hidden size are whole numbers of at least 1; they were ' +
        `${context}, ${embeddingSize} and ${hiddenSize}.`,
    );
  }
  return exampleTask({
    name:
      options.name ??
      `next of ${text.symbols} symbols from ${context}, embeddings of ${embeddingSize}, hidden ${hiddenSize}, batch ${batchSize}`,
    model: languageModel(options),
    trainingCount: examplesOf(text.training, context + 1),
    validationCount: examplesOf(text.validation, context + 1),
    batchSize,
  });
}

function languageModel(options: LanguageOptions): ExampleModel {
  const { text, context, embeddingSize, hiddenSize, initialScale = 1, zeroOutput = false } = options;
  const { symbols } = text;
  const inputSize = context * embeddingSize;
  const shapes: Shape[] = [
    [symbols, embeddingSize],
    [inputSize, hiddenSize],
    [hiddenSize],
    [hiddenSize, symbols],
    [symbols],
  ];
  const inputs = new Float64Array(inputSize);
  const inputSlopes = new Float64Array(inputSize);
  const hidden = new Float64Array(hiddenSize);
  const hiddenSlopes = new Float64Array(hiddenSize);
  const logits = new Float64Array(symbols);
  return {
    shapes,
    initialParameters(key) {
      const random = new Random(key);
      return shapes.map((shape, j) => {
        const values = new Float32Array(sizeOf(shape));
        if (shape.length === 1 || (j === 3 && zeroOutput)) return values;
        return random.normals(values, j === 0 ? initialScale : initialScale / Math.sqrt(shape[0]!));
      });
    },
    loss(parameters, example, gradients, weight) {
      const [embeddings, weights, bias, head, headBias] = parameters as FiveArrays;
      const [symbolsOf, begin] = locate(text, context + 1, example);
      for (let c = 0, at = 0; c < context; c++) {
        const from = symbolsOf[begin + c]! * embeddingSize;
        for (let e = 0; e < embeddingSize; e++, at++) inputs[at] = embeddings[from + e]!;
      }
      for (let h = 0; h < hiddenSize; h++) hidden[h] = bias[h]!;
      addProduct(hidden, 0, inputs, 0, weights, 0, 1, inputSize, hiddenSize);
      for (let h = 0; h < hiddenSize; h++) hidden[h] = Math.tanh(hidden[h]!);
      for (let s = 0; s < symbols; s++) logits[s] = headBias[s]!;
      addProduct(logits, 0, hidden, 0, head, 0, 1, hiddenSize, symbols);
      const loss = softmaxCrossEntropy(logits, symbolsOf[begin + context]!, logits, weight);
      if (gradients === null) return loss;

      const [embeddingGradient, weightGradient, biasGradient, headGradient, headBiasGradient] = gradients as FiveArrays;
      for (let s = 0; s < symbols; s++) headBiasGradient[s]! += logits[s]!;
      addTransposedProduct(headGradient, hidden, logits, 1, hiddenSize, symbols);
      hiddenSlopes.fill(0);
      addProductTransposed(hiddenSlopes, 0, logits, 0, head, 1, hiddenSize, symbols);
      for (let h = 0; h < hiddenSize; h++) {
        hiddenSlopes[h]! *= 1 - hidden[h]! ** 2;
        biasGradient[h]! += hiddenSlopes[h]!;
      }
      addTransposedProduct(weightGradient, inputs, hiddenSlopes, 1, inputSize, hiddenSize);
      inputSlopes.fill(0);
      addProductTransposed(inputSlopes, 0, hiddenSlopes, 0, weights, 1, inputSize, hiddenSize);
      for (let c = 0, at = 0; c < context; c++) {
        const to = symbolsOf[begin + c]! * embeddingSize;
        for (let e = 0; e < embeddingSize; e++, at++) embeddingGradient[to + e]! += inputSlopes[at]!;
      }
      return loss;
    },
  };
}

type FiveArrays = readonly [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];

/** 5 to 24 symbols told from the 1 to 4 before them, 100 to 1,500 numbers. */
export const languages: TaskFamily = {
  name: 'language',
  sample(key) {
    const random = new Random(key);
    const order = random.choice([1, 2] as const);
    const text = markovText(
      { symbols: 5 + random.integer(20), order, trainingLength: 2000, validationLength: 400 },
      derive(key, 1),
    );
    const task = languageTask({
      text,
      context: order + random.integer(3),
      embeddingSize: 2 + random.integer(7),
      hiddenSize: 8 + random.integer(17),
      batchSize: random.choice([8, 16, 32, 64]),
      initialScale: random.logUniform(0.3, 1.6),
      zeroOutput: random.chance(0.1),
    });
    return named(task, key);
  },
};
