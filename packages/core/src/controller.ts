/** The network per tensor: mixing, LSTM, heads (SPEC section 8). It writes the weights of the network per parameter. */
import type { Backend, Tensor } from './backend.ts';
import { BANK_MULTIPLIER } from './constants.ts';
import type { ControllerInputs, ControllerOutputs } from './kernels.ts';
import { operations } from './operations.ts';
import { tensorFeatures } from './tensor-features.ts';
import type { DeviceTheta } from './theta.ts';

/** Composed definition of the kernel `controller`. */
export function controller<T extends Tensor>(
  backend: Backend<T>,
  inputs: ControllerInputs<T>,
  theta: DeviceTheta<T>,
): ControllerOutputs<T> {
  const { concat, matmul, mul } = operations(backend);
  const X = tensorFeatures(backend, inputs);
  const Y = mix(backend, X, theta);
  const { h, c } = lstm(backend, Y, inputs.hidden, inputs.cell, theta);
  const { u, s } = heads(backend, h, theta);
  const mlp = mul(matmul(u, theta.bank), BANK_MULTIPLIER / theta.bankSize);
  return { mlp: concat([mlp, s], 1), hidden: h, cell: c };
}

/** Tensors learn of each other here only: by the elementwise maximum of what each has to say. */
function mix<T extends Tensor>(backend: Backend<T>, X: T, theta: DeviceTheta<T>): T {
  const { add, matmul, maxOver, relu } = operations(backend);
  const pool = maxOver(relu(add(matmul(X, theta.poolWeight), theta.poolBias)), 0);
  return add(matmul(X, theta.keepWeight), theta.keepBias, pool);
}

function lstm<T extends Tensor>(backend: Backend<T>, Y: T, h: T, c: T, theta: DeviceTheta<T>): { h: T; c: T } {
  const { add, matmul, mul, sigmoid, slice, tanh } = operations(backend);
  const H = theta.hiddenSize;
  const G = add(matmul(Y, theta.inputWeight), matmul(h, theta.recurrentWeight), theta.lstmBias);
  const gate = (k: number) => slice(G, 1, k * H, (k + 1) * H);
  const [i, g, f, o] = [gate(0), gate(1), gate(2), gate(3)];
  // Quirk: 1 is added to the forget gate at run time, on top of the stored bias.
  const next = add(mul(sigmoid(add(f, 1)), c), mul(sigmoid(i), tanh(g)));
  return { h: mul(sigmoid(o), tanh(next)), c: next };
}

/** Controls u `[n, K]` weigh the bank; the step factor s `[n, 1]` may be negative. */
function heads<T extends Tensor>(backend: Backend<T>, h: T, theta: DeviceTheta<T>): { u: T; s: T } {
  const { add, matmul } = operations(backend);
  return {
    u: add(matmul(h, theta.controlsWeight), theta.controlsBias),
    s: add(matmul(h, theta.stepWeight), theta.stepBias),
  };
}
