/** Small convolutional classifiers: kernels of rank 4, `[height, width, inputs, outputs]`. */
import { type Shape, sizeOf, VeloError } from '@velojs/core';
import type { Examples } from '../dense/network.ts';
import { derive, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { type ExampleModel, exampleTask } from './example-task.ts';
import { glyphs } from './glyphs.ts';
import { addProduct, addProductTransposed, addTransposedProduct } from './matrix.ts';
import { named } from './naming.ts';
import { softmaxCrossEntropy } from './softmax.ts';
import { textures } from './textures.ts';

export interface ConvolutionLayer {
  /** Of its output. */
  readonly channels: number;
  /** 1 keeps the size of the image, 2 halves it (rounded up), and so on. */
  readonly stride: number;
  /** Height and width of the kernel (default 3). */
  readonly kernelSize?: number;
}

export interface ConvolutionOptions {
  readonly name?: string;
  /** Inputs are images, `[height, width, channels]`; targets the numbers of their classes. */
  readonly training: Examples;
  readonly validation: Examples;
  readonly imageShape: readonly [height: number, width: number, channels: number];
  readonly classes: number;
  readonly layers: readonly ConvolutionLayer[];
  readonly activation: 'relu' | 'tanh';
  /** What the dense layer at the end is given: all numbers of the last layer, or the mean of each channel. */
  readonly head: 'flatten' | 'average';
  readonly batchSize: number;
  /** Initial weights are normal, of deviation `initialScale sqrt(gain / inputs)`; gain is 2 for relu, else 1 (default 1). */
  readonly initialScale?: number;
  /** The dense layer starts at 0 (default: as other layers). */
  readonly zeroOutput?: boolean;
}

/**
 * Convolutions with zero padding ("same"), a bias per channel and an activation each, then a dense layer, and the
 * cross-entropy of its softmax. Parameters: kernel and bias of every convolution, then weights `[inputs, classes]` and
 * bias of the dense layer.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * const task = convolutionTask({
 *   ...glyphs({}, keyOf(1)),
 *   imageShape: [8, 8, 1],
 *   classes: 10,
 *   layers: [{ channels: 6, stride: 2 }, { channels: 8, stride: 2 }],
 *   activation: 'relu',
 *   head: 'average',
 *   batchSize: 16,
 * });
 * ```
 */
export function convolutionTask(options: ConvolutionOptions): Task {
  const { training, validation, imageShape, classes, layers, activation, head, batchSize } = options;
  const counts = [...imageShape, classes].concat(
    layers.flatMap(({ channels, stride, kernelSize = 3 }) => [channels, stride, kernelSize]),
  );
  if (!counts.every((count) => Number.isInteger(count) && count >= 1)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `Sizes of images, classes, channels, strides and kernels are whole numbers of at least 1; they were ${counts.join(', ')}.`,
    );
  }
  for (const { count, inputs, targets } of [training, validation]) {
    if (inputs.length !== count * sizeOf(imageShape) || !targets.every((target) => target < classes)) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `${count} images of ${imageShape.join(' x ')} in ${classes} classes need ${count * sizeOf(imageShape)} inputs and ` +
          `targets below ${classes}; there are ${inputs.length} inputs, and targets up to ${Math.max(...targets)}.`,
      );
    }
  }
  return exampleTask({
    name:
      options.name ??
      `classify images ${imageShape.join('x')} by convolutions ` +
        `${layers.map(({ channels, stride }) => `${channels}/${stride}`).join('-')} ${activation}, ${head}, ${classes} classes, batch ${batchSize}`,
    model: convolutionModel(options),
    trainingCount: training.count,
    validationCount: validation.count,
    batchSize,
  });
}

function convolutionModel(options: ConvolutionOptions): ExampleModel {
  const { training, validation, classes, activation, head, initialScale = 1, zeroOutput = false } = options;
  const layers: Convolution[] = [];
  let from = options.imageShape;
  for (const { channels, stride, kernelSize = 3 } of options.layers) {
    const layer = convolutionOf(from, channels, stride, kernelSize);
    layers.push(layer);
    from = [layer.height, layer.width, channels];
  }
  const [height, width, channels] = from;
  const positions = head === 'average' ? height * width : 1;
  const features = (height * width * channels) / positions;
  const shapes: Shape[] = layers.flatMap(({ kernelShape }) => [kernelShape, kernelShape.slice(3)]);
  shapes.push([features, classes], [classes]);
  const weightsAt = 2 * layers.length;
  const relu = activation === 'relu';

  const imageSize = sizeOf(options.imageShape);
  const image = new Float64Array(imageSize);
  const last: Float64Array = layers.at(-1)?.outputs ?? image;
  const lastSlopes = layers.at(-1)?.slopes ?? new Float64Array(imageSize);
  const pooled = new Float64Array(features);
  const pooledSlopes = new Float64Array(features);
  const logits = new Float64Array(classes);

  return {
    shapes,
    initialParameters(key) {
      const random = new Random(key);
      return shapes.map((shape, j) => {
        const values = new Float32Array(sizeOf(shape));
        const output = j === weightsAt;
        if (shape.length === 1 || (output && zeroOutput)) return values;
        const gain = relu && !output ? 2 : 1;
        const inputs = values.length / shape.at(-1)!;
        return random.normals(values, initialScale * Math.sqrt(gain / inputs));
      });
    },
    loss(parameters, example, gradients, weight) {
      const examples = example < training.count ? training : validation;
      const index = example < training.count ? example : example - training.count;
      for (let i = 0; i < imageSize; i++) image[i] = examples.inputs[index * imageSize + i]!;
      let inputs: Float64Array = image;
      for (let l = 0; l < layers.length; l++) {
        convolve(layers[l]!, inputs, parameters[2 * l]!, parameters[2 * l + 1]!, relu);
        inputs = layers[l]!.outputs;
      }
      pooled.fill(0);
      for (let i = 0; i < last.length; ) for (let f = 0; f < features; f++, i++) pooled[f]! += last[i]! / positions;

      const weights = parameters[weightsAt]!;
      logits.set(parameters[weightsAt + 1]!);
      addProduct(logits, 0, pooled, 0, weights, 0, 1, features, classes);
      const loss = softmaxCrossEntropy(logits, examples.targets[index]!, logits, weight);
      if (gradients === null) return loss;

      const biasSlopes = gradients[weightsAt + 1]!;
      for (let c = 0; c < classes; c++) biasSlopes[c]! += logits[c]!;
      addTransposedProduct(gradients[weightsAt]!, pooled, logits, 1, features, classes);
      pooledSlopes.fill(0);
      addProductTransposed(pooledSlopes, 0, logits, 0, weights, 1, features, classes);
      for (let i = 0; i < last.length; ) {
        for (let f = 0; f < features; f++, i++) lastSlopes[i] = pooledSlopes[f]! / positions;
      }
      for (let l = layers.length - 1; l >= 0; l--) {
        const below = l === 0 ? null : layers[l - 1]!.slopes;
        convolveBack(layers[l]!, parameters[2 * l]!, relu, gradients[2 * l]!, gradients[2 * l + 1]!, below);
      }
      return loss;
    },
  };
}

/** A layer's sizes and memory. */
interface Convolution {
  readonly kernelShape: readonly [height: number, width: number, inputs: number, outputs: number];
  readonly height: number;
  readonly width: number;
  /** `[height * width, kernel's height * width * inputs]`: which input lies under which entry of the kernel; -1 is padding. */
  readonly sources: Int32Array;
  readonly patches: Float64Array;
  readonly patchSlopes: Float64Array;
  /** After the activation: `[height, width, channels]`. */
  readonly outputs: Float64Array;
  /** The loss's gradient there. */
  readonly slopes: Float64Array;
}

function convolutionOf(
  [inputHeight, inputWidth, inputs]: readonly [number, number, number],
  channels: number,
  stride: number,
  kernelSize: number,
): Convolution {
  const height = Math.ceil(inputHeight / stride);
  const width = Math.ceil(inputWidth / stride);
  // As TensorFlow's "SAME": what is odd goes to the bottom and the right.
  const padding = (outputs: number, size: number) =>
    Math.floor(Math.max(0, (outputs - 1) * stride + kernelSize - size) / 2);
  const top = padding(height, inputHeight);
  const left = padding(width, inputWidth);
  const sources = new Int32Array(height * width * kernelSize * kernelSize * inputs).fill(-1);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let ky = 0; ky < kernelSize; ky++) {
        for (let kx = 0; kx < kernelSize; kx++, at += inputs) {
          const row = y * stride + ky - top;
          const column = x * stride + kx - left;
          if (row < 0 || row >= inputHeight || column < 0 || column >= inputWidth) continue;
          for (let i = 0; i < inputs; i++) sources[at + i] = (row * inputWidth + column) * inputs + i;
        }
      }
    }
  }
  return {
    kernelShape: [kernelSize, kernelSize, inputs, channels],
    height,
    width,
    sources,
    patches: new Float64Array(sources.length),
    patchSlopes: new Float64Array(sources.length),
    outputs: new Float64Array(height * width * channels),
    slopes: new Float64Array(height * width * channels),
  };
}

function convolve(
  { kernelShape, height, width, sources, patches, outputs }: Convolution,
  inputs: Float64Array,
  kernel: Float64Array,
  bias: Float64Array,
  relu: boolean,
): void {
  const channels = kernelShape[3];
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i]!;
    patches[i] = source < 0 ? 0 : inputs[source]!;
  }
  for (let i = 0; i < outputs.length; ) for (let c = 0; c < channels; c++, i++) outputs[i] = bias[c]!;
  addProduct(outputs, 0, patches, 0, kernel, 0, height * width, kernel.length / channels, channels);
  if (relu) for (let i = 0; i < outputs.length; i++) outputs[i] = Math.max(0, outputs[i]!);
  else for (let i = 0; i < outputs.length; i++) outputs[i] = Math.tanh(outputs[i]!);
}

/** Adds the gradients of kernel and bias; overwrites those of the inputs, `below`. */
function convolveBack(
  { kernelShape, height, width, sources, patches, patchSlopes, outputs, slopes }: Convolution,
  kernel: Float64Array,
  relu: boolean,
  kernelSlopes: Float64Array,
  biasSlopes: Float64Array,
  below: Float64Array | null,
): void {
  const channels = kernelShape[3];
  const depth = kernel.length / channels;
  for (let i = 0; i < outputs.length; ) {
    for (let c = 0; c < channels; c++, i++) {
      slopes[i]! *= relu ? (outputs[i]! > 0 ? 1 : 0) : 1 - outputs[i]! * outputs[i]!;
      biasSlopes[c]! += slopes[i]!;
    }
  }
  addTransposedProduct(kernelSlopes, patches, slopes, height * width, depth, channels);
  if (below === null) return;
  patchSlopes.fill(0);
  addProductTransposed(patchSlopes, 0, slopes, 0, kernel, height * width, depth, channels);
  below.fill(0);
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i]!;
    if (source >= 0) below[source]! += patchSlopes[i]!;
  }
}

/** One or two convolutions of 3 to 12 channels on textures of 6 x 6 to 10 x 10 or glyphs of 8 x 8, up to 2,000 numbers. */
export const convolutions: TaskFamily = {
  name: 'convolution',
  sample(key) {
    const random = new Random(key);
    const glyphic = random.chance(0.3);
    const side = glyphic ? 8 : 6 + random.integer(5);
    const channels = glyphic ? 1 : random.choice([1, 1, 2, 3]);
    const classes = 2 + random.integer(9);
    const counts = { trainingCount: 384, validationCount: 128 };
    const dataKey = derive(key, 1);
    const data = glyphic
      ? glyphs({ ...counts, side, classes, noise: random.uniform(0, 0.5) }, dataKey)
      : textures(
          { ...counts, height: side, width: side, channels, classes, noise: random.logUniform(0.05, 0.7) },
          dataKey,
        );
    const layers: ConvolutionLayer[] = [{ channels: 3 + random.integer(6), stride: 2 }];
    if (random.chance(0.6)) layers.push({ channels: 4 + random.integer(9), stride: 2 });
    const task = convolutionTask({
      ...data,
      imageShape: [side, side, channels],
      classes,
      layers,
      activation: random.choice(['relu', 'relu', 'tanh']),
      head: random.choice(['flatten', 'average']),
      batchSize: random.choice([8, 8, 16]),
      initialScale: random.logUniform(0.6, 1.6),
      zeroOutput: random.chance(0.1),
    });
    return named(task, key);
  },
};
