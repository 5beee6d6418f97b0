/** Networks of dense layers, with the forward pass, the loss and the backward pass of a minibatch in one call. */
import { type Shape, VeloError } from '@velojs/core';
import { type Key, Random } from '../random.ts';
import { BASE, claim, type DenseMemory, isOwner, MEMORY_LIMIT, outOfMemory } from './kernel.ts';
import { type Layout, layoutOf, padded } from './layout.ts';

/** After every layer but the last. */
export type Activation = 'relu' | 'tanh' | 'silu';

/**
 * - `softmax`: cross-entropy of the softmax of the outputs; targets are the numbers of the classes, one per example, or
 *   probabilities, one per output.
 * - `squared`: squared difference, meant over the outputs.
 * - `logistic`: binary cross-entropy of the logistic function of each output, meant over the outputs; targets 0 to 1.
 */
export type DenseLoss = 'softmax' | 'squared' | 'logistic';

// As the kernel numbers them.
const ACTIVATIONS: readonly Activation[] = ['relu', 'tanh', 'silu'];
const LOSSES: readonly DenseLoss[] = ['softmax', 'squared', 'logistic'];

/** Examples as row-major matrices. */
export interface Examples {
  readonly count: number;
  /** `[count, inputs]` */
  readonly inputs: Float32Array;
  /** `[count, outputs]`; for `softmax` the numbers of the classes will do, `[count]`. */
  readonly targets: Float32Array;
}

export interface DenseNetworkOptions {
  /** Of the inputs, the hidden layers (any number, or none), the outputs. */
  readonly widths: readonly number[];
  readonly activation: Activation;
  readonly loss: DenseLoss;
  /** The most examples of a minibatch. */
  readonly batchSize: number;
  /** Numbers per target: as many as outputs, or 1 for the number of a class. */
  readonly targetWidth: number;
}

export interface InitialisationOptions {
  /** All weights are multiplied by it: 1. */
  readonly scale?: number;
  /** Whether the last layer's weights start at 0: false. */
  readonly zeroOutput?: boolean;
}

interface Views extends DenseMemory {
  readonly all: Float32Array;
  readonly parameters: readonly Float32Array[];
  readonly gradients: readonly Float32Array[];
}

/**
 * A network of dense layers. Parameters are weights `[inputs, outputs]` and bias `[outputs]` of each layer in turn.
 *
 * @throws VeloError `INVALID_ARGUMENT` for widths that are not whole numbers from 1 on, and for targets that do not fit
 *   the loss; `OUT_OF_MEMORY`.
 *
 * @example
 * ```ts
 * const network = new DenseNetwork({ widths: [2, 16, 3], activation: 'tanh', loss: 'softmax', batchSize: 32, targetWidth: 1 });
 * const parameters = network.initialParameters(keyOf(1));
 * const gradients = parameters.map((parameter) => new Float32Array(parameter.length));
 * const loss = network.lossAndGradients(parameters, gradients, examples, Uint32Array.of(4, 8, 15));
 * ```
 */
export class DenseNetwork {
  readonly shapes: readonly Shape[];
  readonly #options: DenseNetworkOptions;
  readonly #room: number;
  readonly #layout: Layout;
  readonly #inOrder: Uint32Array;
  #views: Views | undefined;

  constructor(options: DenseNetworkOptions) {
    check(options);
    const { widths, activation, loss, batchSize, targetWidth } = options;
    this.#options = options;
    this.shapes = widths.slice(1).flatMap((outputs, layer) => [[widths[layer]!, outputs], [outputs]]);
    this.#room = padded(batchSize);
    this.#inOrder = Uint32Array.from({ length: batchSize }, (_, i) => i);
    const numbers = [ACTIVATIONS.indexOf(activation), LOSSES.indexOf(loss)] as const;
    this.#layout = layoutOf(BASE, widths, ...numbers, this.#room, targetWidth);
    if (this.#layout.end > MEMORY_LIMIT) throw outOfMemory(this.#layout.end);
  }

  /**
   * Weights from normal distributions, biases 0. Deviations keep the size of activations: the root of 2 / inputs before
   * relu and silu (He et al. 2015), of 1 / inputs before tanh and the outputs (LeCun et al. 1998).
   */
  initialParameters(key: Key, { scale = 1, zeroOutput = false }: InitialisationOptions = {}): Float32Array[] {
    const random = new Random(key);
    return this.shapes.map(([rows, columns], index) => {
      if (columns === undefined) return new Float32Array(rows!);
      const last = index === this.shapes.length - 2;
      const gain = last || this.#options.activation === 'tanh' ? 1 : 2;
      const values = random.normals(new Float32Array(rows! * columns), scale * Math.sqrt(gain / rows!));
      return last && zeroOutput ? values.fill(0) : values;
    });
  }

  /**
   * The mean loss of the examples with the numbers `rows`, at most `batchSize` of them, and its gradients.
   *
   * @param gradients overwritten.
   * @throws VeloError `SHAPE_MISMATCH` if parameters have other lengths than this network's, `INVALID_ARGUMENT` for no
   *   examples, or too many.
   */
  lossAndGradients(
    parameters: readonly Float32Array[],
    gradients: readonly Float32Array[],
    examples: Examples,
    rows: Uint32Array,
  ): number {
    const { batchSize } = this.#options;
    if (!(rows.length >= 1 && rows.length <= batchSize)) {
      throw new VeloError('INVALID_ARGUMENT', `A batch is of 1 to ${batchSize} examples here: got ${rows.length}.`);
    }
    const views = this.#enter(parameters);
    const loss = this.#run(views, examples, rows, rows.length, 0, true);
    for (let i = 0; i < gradients.length; i++) gradients[i]!.set(views.gradients[i]!);
    return loss;
  }

  /** The mean loss of the first `count` examples. */
  loss(parameters: readonly Float32Array[], examples: Examples, count: number = examples.count): number {
    const { batchSize } = this.#options;
    const views = this.#enter(parameters);
    let sum = 0;
    for (let first = 0; first < count; first += batchSize) {
      const some = Math.min(batchSize, count - first);
      sum += some * this.#run(views, examples, this.#inOrder, some, first, false);
    }
    return sum / count;
  }

  /** The mean loss of examples `first + rows[0]`, `first + rows[1]`, ...: `count` of them. */
  #run(
    { all, kernel }: Views,
    examples: Examples,
    rows: Uint32Array,
    count: number,
    first: number,
    backward: boolean,
  ): number {
    const { inputs, targets, record } = this.#layout;
    const { widths, targetWidth } = this.#options;
    gather(examples.inputs, widths[0]!, rows, count, first, all, inputs / 4);
    gather(examples.targets, targetWidth, rows, count, first, all, targets / 4);
    return kernel.run(record, this.#room, count, Number(backward));
  }

  /** Views of this network's arrays in the kernel's memory, with these parameters in place. */
  #enter(parameters: readonly Float32Array[]): Views {
    let views = this.#views;
    if (views === undefined || !isOwner(this)) views = this.#install();
    for (let i = 0; i < views.parameters.length; i++) {
      const parameter = parameters[i];
      const view = views.parameters[i]!;
      if (parameter?.length !== view.length) throw this.#misfit(i, parameter);
      view.set(parameter);
    }
    return views;
  }

  #install(): Views {
    const { words, record, end, parameters, gradients } = this.#layout;
    const { memory, kernel } = claim(this, end - BASE);
    new Int32Array(memory.buffer, record, words.length).set(words);
    const { buffer } = memory;
    // A memory that has grown has another buffer.
    if (this.#views?.all.buffer === buffer) return this.#views;
    const sizes = this.shapes.map((shape) => shape.reduce((product, size) => product * size, 1));
    const viewsAt = (addresses: readonly number[]) =>
      addresses.map((address, index) => new Float32Array(buffer, address, sizes[index]!));
    this.#views = {
      kernel,
      memory,
      all: new Float32Array(buffer),
      parameters: viewsAt(parameters),
      gradients: viewsAt(gradients),
    };
    return this.#views;
  }

  #misfit(index: number, parameter: Float32Array | undefined): VeloError {
    const shape = this.shapes[index]!.join(', ');
    const found = parameter ? `${parameter.length} numbers` : 'nothing';
    return new VeloError(
      'SHAPE_MISMATCH',
      `Parameter ${index} of the network is [${shape}]; there are ${found} for it.`,
    );
  }
}

/** From so many numbers on a copy by the engine is faster than a loop. */
const LONG_ROW = 48;

/** Copies rows `first + rows[i]` of `source` to `all`, one every `padded(width)` numbers from `to` on. */
function gather(
  source: Float32Array,
  width: number,
  rows: Uint32Array,
  count: number,
  first: number,
  all: Float32Array,
  to: number,
): void {
  const stride = padded(width);
  for (let i = 0; i < count; i++) {
    const from = (first + rows[i]!) * width;
    const at = to + i * stride;
    if (width >= LONG_ROW) all.set(source.subarray(from, from + width), at);
    else for (let j = 0; j < width; j++) all[at + j] = source[from + j]!;
  }
}

function check({ widths, activation, loss, batchSize, targetWidth }: DenseNetworkOptions): void {
  const fail = (message: string) => {
    throw new VeloError('INVALID_ARGUMENT', message);
  };
  const isCount = (value: number) => Number.isInteger(value) && value >= 1;
  if (widths.length < 2 || !widths.every(isCount)) {
    fail(`widths must be two or more whole numbers from 1 on, inputs first: got [${widths.join(', ')}].`);
  }
  if (!isCount(batchSize)) fail(`batchSize must be a whole number from 1 on: got ${batchSize}.`);
  if (!ACTIVATIONS.includes(activation))
    fail(`activation must be one of ${ACTIVATIONS.join(', ')}: got ${activation}.`);
  if (!LOSSES.includes(loss)) fail(`loss must be one of ${LOSSES.join(', ')}: got ${loss}.`);
  const outputs = widths.at(-1)!;
  if (loss === 'softmax' && outputs === 1) fail('The softmax of one output is always 1: use the logistic loss.');
  if (targetWidth !== outputs && !(loss === 'softmax' && targetWidth === 1)) {
    fail(
      `Targets have ${targetWidth} numbers for ${outputs} outputs; only softmax takes the number of a class instead.`,
    );
  }
}
