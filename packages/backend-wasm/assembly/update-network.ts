/** The network per parameter with all that is constant over a tensor folded into its weights (SPEC section 11). */
import { mlpOf, networkOf } from './update-job';

// A row of `MLP_LAYOUT` of core/src/theta.ts; weights are (outputs, inputs).
const INPUTS: i32 = 30;
const BIAS_0: i32 = 120;
const WEIGHT_1: i32 = 124;
const BIAS_1: i32 = 140;
const WEIGHT_2: i32 = 144;
const BIAS_2: i32 = 156;
const STEP_FACTOR: i32 = 159;

// The network's block of scratch: weights of the first layer, `[30, 4]`, then the factor of the output `direction`.
const OUTPUT_SCALE: usize = 480;

@inline
function numberOf(mlp: usize, index: i32): f32 {
  return load<f32>(mlp + (<usize>index << 2));
}

@inline
export function biasOf(mlp: usize, unit: i32): f32 {
  return numberOf(mlp, BIAS_0 + unit);
}

/** Four numbers. */
@inline
export function biasesOf(mlp: usize): usize {
  return mlp + (<usize>BIAS_0 << 2);
}

/** Four times the folded weight. */
@inline
export function foldedWeights(network: usize, unit: i32, column: i32): v128 {
  return v128.load32_splat(network + (<usize>(4 * column + unit) << 2));
}

/** Weights of one of the 30 inputs, divided by its root mean square. */
export function foldColumn(network: usize, mlp: usize, column: i32, meanSquare: f64): void {
  const scale = 1 / sqrt<f64>(meanSquare + 1e-5);
  for (let unit = 0; unit < 4; unit++) {
    const weight = <f64>numberOf(mlp, unit * INPUTS + column) * scale;
    store<f32>(network + (<usize>(4 * column + unit) << 2), <f32>weight);
  }
}

/** s, 0.001 and the size of the parameter go into the weights of the output `direction`. */
export function foldOutput(job: usize, meanSquareOfParameter: f64): void {
  const size = sqrt<f64>(meanSquareOfParameter + 1e-9);
  store<f32>(networkOf(job) + OUTPUT_SCALE, <f32>(size * 0.001 * <f64>numberOf(mlpOf(job), STEP_FACTOR)));
}

// In a thread's tile every weight stands four times over, as loops use it.

@inline
function storeFour(address: usize, index: i32, x: f32): void {
  v128.store(address + (<usize>index << 4), f32x4.splat(x));
}

/** Bytes of one input's four weights. */
export const INPUT_BYTES: usize = 64;

/** Weights of input `input` of the tile's features, which is column `column` of the 30. */
@inline
export function spreadInput(to: usize, input: i32, network: usize, column: i32): void {
  for (let unit = 0; unit < 4; unit++) {
    v128.store(to + (<usize>(4 * input + unit) << 4), foldedWeights(network, unit, column));
  }
}

/** The same where one feature is two columns. */
@inline
export function spreadInputOfTwo(to: usize, input: i32, network: usize, column: i32, other: i32): void {
  for (let unit = 0; unit < 4; unit++) {
    const sum = f32x4.add(foldedWeights(network, unit, column), foldedWeights(network, unit, other));
    v128.store(to + (<usize>(4 * input + unit) << 4), sum);
  }
}

/** Bytes from one unit of the second layer to the next, and from one output to the next: a bias and four weights. */
export const UNIT_BYTES: usize = 80;

/** The second layer, `[4, 5]` with the bias first, then direction and magnitude, `[2, 5]`; nothing uses the third. */
export function spreadLastLayers(to: usize, job: usize): void {
  const mlp = mlpOf(job);
  for (let unit = 0; unit < 4; unit++) {
    storeFour(to, 5 * unit, numberOf(mlp, BIAS_1 + unit));
    for (let i = 0; i < 4; i++) storeFour(to, 5 * unit + 1 + i, numberOf(mlp, WEIGHT_1 + 4 * unit + i));
  }
  for (let output = 0; output < 2; output++) {
    const scale = output == 0 ? load<f32>(networkOf(job) + OUTPUT_SCALE) : <f32>0.001;
    storeFour(to, 20 + 5 * output, scale * numberOf(mlp, BIAS_2 + output));
    for (let i = 0; i < 4; i++) storeFour(to, 21 + 5 * output + i, scale * numberOf(mlp, WEIGHT_2 + 4 * output + i));
  }
}
