/**
 * Convolutions that train on TensorFlow.js's wasm backend, which has no kernel `Conv2DBackpropFilter` (4.22). Imported, this
 * file adds it, made of kernels that the backend has.
 *
 * The gradient of a filter is itself a convolution: of the inputs with the gradients of the outputs, where examples and
 * channels have changed places. What was the stride is its dilation.
 */
import {
  backend_util,
  conv2d,
  pad as padded,
  registerKernel,
  slice,
  type Tensor4D,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';

interface Attributes {
  strides: [number, number] | number;
  pad: 'valid' | 'same';
  /** `[height, width, input channels, output channels]` */
  filterShape: [number, number, number, number];
}

registerKernel({
  kernelName: 'Conv2DBackpropFilter',
  backendName: 'wasm',
  kernelFunc({ inputs, attrs }) {
    const { x, dy } = inputs as unknown as { x: Tensor4D; dy: Tensor4D };
    const { strides, pad, filterShape } = attrs as unknown as Attributes;
    const { padInfo } = backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad);
    return tidy(() => {
      const images = padded(x, [
        [0, 0],
        [padInfo.top, padInfo.bottom],
        [padInfo.left, padInfo.right],
        [0, 0],
      ]);
      const gradient = conv2d(
        transpose(images, [3, 1, 2, 0]) as Tensor4D,
        transpose(dy, [1, 2, 0, 3]) as Tensor4D,
        1,
        'valid',
        'NHWC',
        strides,
      );
      // Rows that no stride has reached are over.
      const whole = transpose(gradient, [1, 2, 0, 3]);
      return slice(whole, [0, 0, 0, 0], filterShape);
    });
  },
});
