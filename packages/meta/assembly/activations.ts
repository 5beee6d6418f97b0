/** Activations and their derivatives, of `bytes` of float32, a multiple of 16; `values` are replaced by the results. */
import { madd, sigmoid, tanh } from './functions';

// As network.ts of the package numbers them.
const TANH: i32 = 1;
const SILU: i32 = 2;

export function activate(activation: i32, values: usize, derivatives: usize, bytes: usize): void {
  if (activation == TANH) activateTanh(values, derivatives, bytes);
  else if (activation == SILU) activateSilu(values, derivatives, bytes);
  else activateRelu(values, derivatives, bytes);
}

function activateRelu(values: usize, derivatives: usize, bytes: usize): void {
  for (const end = values + bytes; values < end; values += 16, derivatives += 16) {
    const x = v128.load(values);
    const zero = f32x4.splat(0);
    v128.store(values, f32x4.pmax(x, zero));
    v128.store(derivatives, v128.and(f32x4.gt(x, zero), f32x4.splat(1)));
  }
}

function activateTanh(values: usize, derivatives: usize, bytes: usize): void {
  for (const end = values + bytes; values < end; values += 16, derivatives += 16) {
    const y = tanh(v128.load(values));
    v128.store(values, y);
    v128.store(derivatives, f32x4.sub(f32x4.splat(1), f32x4.mul(y, y)));
  }
}

/** x sigmoid(x) */
function activateSilu(values: usize, derivatives: usize, bytes: usize): void {
  for (const end = values + bytes; values < end; values += 16, derivatives += 16) {
    const x = v128.load(values);
    const s = sigmoid(x);
    const y = f32x4.mul(x, s);
    v128.store(values, y);
    v128.store(derivatives, madd(y, f32x4.sub(f32x4.splat(1), s), s));
  }
}

/** gradients *= derivatives */
export function multiply(gradients: usize, derivatives: usize, bytes: usize): void {
  for (const end = gradients + bytes; gradients < end; gradients += 16, derivatives += 16) {
    v128.store(gradients, f32x4.mul(v128.load(gradients), v128.load(derivatives)));
  }
}
