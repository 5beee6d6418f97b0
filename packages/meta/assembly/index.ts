/**
 * Forward pass, loss and backward pass of a network of dense layers, for one minibatch.
 *
 * Activations are kept by feature, one example per column, so that layers of any width fill the vectors; weight
 * gradients, which are sums over examples, need them by example: they are transposed, which is cheap.
 *
 * A network is a record of i32 words, all addresses and counts of numbers; src/dense/layout.ts lays it out:
 *
 *     0 layers, 1 activation, 2 loss, 3 numbers per target, 4 targets [room, numbers], 5 the same transposed,
 *     6 outputs' gradients by feature, 7 another such, 8 gradients by example
 *     then per layer: 0 inputs, 1 outputs, 2 weights [inputs, outputs], 3 bias, 4 weights transposed,
 *     5 input by example, 6 input by feature, 7 derivatives, 8 gradient of the weights, 9 of the bias
 *
 * and after the last layer word 6 of one more, the outputs. Rows by feature have `room` entries, a multiple of 4.
 */
import { activate, multiply } from './activations';
import { clear, closeRows, fillRows, padded, rowBytes, sumRows, transpose } from './arrays';
import { logisticLoss, softmaxLoss, squaredLoss } from './losses';
import { addProduct } from './product';

const HEAD_BYTES: usize = 36;
const LAYER_BYTES: usize = 40;

const SQUARED: i32 = 1;
const LOGISTIC: i32 = 2;

@inline
function word(record: usize, index: i32): i32 {
  return load<i32>(record + (<usize>index << 2));
}

@inline
function layerOf(network: usize, index: i32): usize {
  return network + HEAD_BYTES + <usize>index * LAYER_BYTES;
}

/**
 * @param room examples that the network's arrays have room for, a multiple of 4
 * @param examples how many there are
 * @param backward whether gradients are wanted; else only the loss is computed.
 * @returns the mean loss
 */
export function run(network: usize, room: i32, examples: i32, backward: bool): f64 {
  const columns = padded(examples);
  const stride = rowBytes(room);
  forward(network, stride, columns);
  const sum = loss(network, stride, examples);
  if (backward) propagate(network, stride, columns, examples);
  return sum / examples;
}

function forward(network: usize, stride: usize, columns: i32): void {
  const layers = word(network, 0);
  const first = layerOf(network, 0);
  transpose(word(first, 5), rowBytes(word(first, 0)), columns, word(first, 0), word(first, 6), stride);
  for (let index = 0; index < layers; index++) {
    const layer = layerOf(network, index);
    const inputs = word(layer, 0);
    const outputs = word(layer, 1);
    const result: usize = word(layer + LAYER_BYTES, 6);
    const bytes = <usize>padded(outputs) * stride;
    fillRows(word(layer, 3), padded(outputs), <i32>(stride >> 2), result);
    addProduct(
      word(layer, 2), <usize>outputs << 2, word(layer, 6), stride, result, stride,
      inputs, padded(outputs), columns,
    );
    if (index < layers - 1) activate(word(network, 1), result, word(layer, 7), bytes);
  }
}

function loss(network: usize, stride: usize, examples: i32): f64 {
  const last = layerOf(network, word(network, 0) - 1);
  const rows = word(last, 1);
  const outputs: usize = word(last + LAYER_BYTES, 6);
  const numbers = word(network, 3);
  const targets: usize = word(network, 5);
  const gradients: usize = word(network, 6);
  transpose(word(network, 4), rowBytes(numbers), padded(examples), numbers, targets, stride);
  const kind = word(network, 2);
  if (kind == SQUARED) return squaredLoss(outputs, targets, gradients, stride, rows, examples);
  if (kind == LOGISTIC) return logisticLoss(outputs, targets, gradients, stride, rows, examples);
  return softmaxLoss(outputs, targets, gradients, stride, rows, numbers < rows, examples);
}

function propagate(network: usize, stride: usize, columns: i32, examples: i32): void {
  const byExample: usize = word(network, 8);
  let gradient: usize = word(network, 6);
  let other: usize = word(network, 7);
  for (let index = word(network, 0) - 1; index >= 0; index--) {
    const layer = layerOf(network, index);
    const inputs = word(layer, 0);
    const outputs = word(layer, 1);
    const weightGradient: usize = word(layer, 8);
    const inputStride = rowBytes(inputs);
    const outputStride = rowBytes(outputs);
    if (index < word(network, 0) - 1) multiply(gradient, word(layer, 7), <usize>outputs * stride);
    transpose(gradient, stride, outputs, columns, byExample, outputStride);
    sumRows(byExample, outputStride, examples, outputs, word(layer, 9));

    // By example the input of the first layer is there already.
    const input: usize = word(layer, 5);
    if (index > 0) transpose(word(layer, 6), stride, inputs, columns, input, inputStride);
    clear(weightGradient, <usize>padded(inputs) * outputStride);
    addProduct(
      input, inputStride, byExample, outputStride, weightGradient, outputStride,
      examples, padded(inputs), padded(outputs),
    );
    if (padded(outputs) != outputs) closeRows(weightGradient, inputs, outputs);

    if (index > 0) {
      const weights: usize = word(layer, 4);
      transpose(word(layer, 2), <usize>outputs << 2, inputs, outputs, weights, inputStride);
      clear(other, <usize>padded(inputs) * stride);
      addProduct(weights, inputStride, gradient, stride, other, stride, outputs, padded(inputs), columns);
      const swap = gradient;
      gradient = other;
      other = swap;
    }
  }
}
