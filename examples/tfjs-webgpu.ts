/**
 * A TensorFlow.js model trained by VeLO, both on the same GPU device: parameters lie in buffers that both know, gradients
 * and loss go from one to the other without leaving the GPU. In Node with the package `webgpu`.
 */
import { webgpu } from '@velojs/backend-webgpu';
import { createVelo } from 'velojs';
import { create, globals } from 'webgpu';

// What TensorFlow.js expects to find in a browser.
Object.assign(globalThis, globals);
globalThis.navigator ??= {} as Navigator;
Object.defineProperty(navigator, 'gpu', { value: create([]) });

const tf = await import('@tensorflow/tfjs-core');
await import('@tensorflow/tfjs-layers'); // knows the gradients
const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
tf.env().set('WEBGPU_CPU_FORWARD', false);
await tf.setBackend('webgpu');
const tfjs = tf.backend();
if (!(tfjs instanceof WebGPUBackend)) throw new Error('TensorFlow.js found no GPU.');
const backend = await webgpu({ device: tfjs.device });

/** Between -1 and 1, and the same every time. */
const noise = (i: number) => 2 * ((Math.abs(Math.sin(12.9898 * (i + 1))) * 43758.5453) % 1) - 1;

// A parameter is a buffer: VeLO updates it in place, TensorFlow.js reads it in place.
const buffers = ([[2, 32], [32], [32, 1], [1]] as [number, number?][]).map((shape, j) => {
  const size = shape.reduce<number>((product, axis) => product * axis!, 1);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = tfjs.device.createBuffer({ size: 4 * size, usage });
  // VeLO's steps are relative to the size of a tensor, so nothing starts from zeros.
  const values = Float32Array.from({ length: size }, (_, i) => (j === 0 ? 0.7 : 0.2) * noise(7 * i + j));
  tfjs.device.queue.writeBuffer(buffer, 0, values);
  return { buffer, shape: shape as number[] };
});
const parameters = buffers.map(({ buffer, shape }) => backend.wrap(buffer, shape));
const tensors = buffers.map(({ buffer, shape }) => tf.tensor({ buffer, zeroCopy: true }, shape, 'float32'));

const examples = Array.from({ length: 128 }, (_, e) => [noise(2 * e), noise(2 * e + 1)]);
const inputs = tf.tensor2d(examples as number[][]);
const targets = tf.tensor2d(examples.map(([a, b]) => [Math.sin(3 * a!) * b!]));
const valueAndGradients = tf.valueAndGrads((...[w1, b1, w2, b2]) => {
  const hidden = tf.relu(tf.add(tf.matMul(inputs, w1 as typeof inputs), b1!));
  const outputs = tf.add(tf.matMul(hidden as typeof inputs, w2 as typeof inputs), b2!);
  return tf.mean(tf.squaredDifference(outputs, targets));
});

const totalSteps = Number(process.argv[2] ?? 200);
const velo = await createVelo({ backend, parameters, totalSteps });
for (let step = 0; step <= totalSteps; step++) {
  const { value, grads } = valueAndGradients(tensors);
  // Looking is all that waits for the GPU.
  if (step % (totalSteps / 4) === 0) console.log('step', step, 'loss', (await value.data())[0]!.toFixed(6));
  // TensorFlow.js hands out copies, on the GPU.
  const outputs = [value, ...grads];
  const copies = outputs.map((tensor) => tensor.dataToGPU());
  const [loss, ...gradients] = copies.map(({ buffer }, i) => backend.wrap(buffer!, outputs[i]!.shape));
  if (step < totalSteps) velo.step(gradients, loss!);
  for (const tensor of [loss!, ...gradients]) backend.dispose(tensor);
  tf.dispose([outputs, copies.map(({ tensorRef }) => tensorRef)]);
}
console.log('tensors of TensorFlow.js that are left:', tf.memory().numTensors);
backend.close();
