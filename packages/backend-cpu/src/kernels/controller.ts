/** The network per tensor, all tensors at once (SPEC sections 7 and 8). */
import {
  type ControllerInputs,
  type ControllerOutputs,
  type DeviceTheta,
  MLP_ROW,
  STATISTICS,
  STATISTICS_LENGTH,
} from '@velojs/core';
import { LOG_EPSILON, RSQRT_FLOOR } from '@velojs/core/constants';
import { matmul, type Values } from '@velojs/core/typed-arrays';
import { CpuTensor } from '../tensor.ts';
import type { Scratch } from './scratch.ts';

const FEATURES = 30;
const COMMON = 18;
const RANKS = 5;

/**
 * Mixing and LSTM input are linear in a row, and so are controls and bank; folded (`FoldedTheta` of core) they are
 *
 *     pool  = max over tensors of relu(X W_pool + b_pool)
 *     gates = X (W_keep W_x) + h W_h + (pool W_x + b_keep W_x + b_lstm), the last three once per step
 *     mlp   = h (100/K W_controls bank) + 100/K b_controls bank
 */
export function controller(
  { statistics, ranks, common, hidden, cell }: ControllerInputs<CpuTensor>,
  theta: DeviceTheta<CpuTensor>,
  scratch: Scratch,
): ControllerOutputs<CpuTensor> {
  const H = theta.hiddenSize;
  const n = hidden.shape[0]!;
  const { featureGates, gateBias, heads, headsBias } = theta.folded;

  const X = scratch.doubles('features', n * FEATURES);
  writeFeatures(statistics.values, ranks.values, common.values, X, n);

  const opinions = scratch.doubles('opinions', n * H);
  fillRows(opinions, theta.poolBias.values, n);
  matmul(X, theta.poolWeight.values, opinions, n, FEATURES, H);
  const pool = scratch.doubles('pool', H);
  for (let j = 0; j < H; j++) {
    let largest = 0;
    for (let i = 0; i < n; i++) largest = Math.max(largest, opinions[i * H + j]!);
    pool[j] = largest;
  }

  const shared = scratch.doubles('shared', 4 * H);
  fillRows(shared, gateBias.values, 1);
  matmul(pool, theta.inputWeight.values, shared, 1, H, 4 * H);
  const gates = scratch.doubles('gates', n * 4 * H);
  fillRows(gates, shared.subarray(0, 4 * H), n);
  matmul(X, featureGates.values, gates, n, FEATURES, 4 * H);
  const h = new Float64Array(hidden.values);
  matmul(h, theta.recurrentWeight.values, gates, n, H, 4 * H);

  const c = new Float64Array(cell.values);
  advanceCells(gates, h, c, n, H);

  const mlp = new Float64Array(n * MLP_ROW);
  fillRows(mlp, headsBias.values, n);
  matmul(h, heads.values, mlp, n, H, MLP_ROW);
  return {
    mlp: new CpuTensor(mlp, [n, MLP_ROW]),
    hidden: new CpuTensor(h, [n, H]),
    cell: new CpuTensor(c, [n, H]),
  };
}

/** The 30 inputs of every tensor, in the order of SPEC section 7. */
function writeFeatures(statistics: Values, ranks: Values, common: Values, X: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const row = statistics.subarray(i * STATISTICS_LENGTH, (i + 1) * STATISTICS_LENGTH);
    const x = X.subarray(i * FEATURES, (i + 1) * FEATURES);
    const zSquare = 1 / Math.max(row[STATISTICS.parameterSquare.begin]!, RSQRT_FLOOR);
    x.set(common);
    // Quirk: r is scaled by z, as m is, not by z^2.
    x[COMMON] = logMagnitude(row[STATISTICS.secondMoment.begin]! * Math.sqrt(zSquare));
    x.set(ranks.subarray(i * RANKS, (i + 1) * RANKS), COMMON + 1);
    for (let k = 0; k < 3; k++) {
      x[24 + k] = logMagnitude(row[STATISTICS.momentumVariance.begin + k]! * zSquare);
      x[27 + k] = logMagnitude(row[STATISTICS.secondMomentSpread.begin + k]! * zSquare);
    }
  }
}

/** L(x) = clip(ln(1e-8 + |10 x|), -5, 5) / 2 */
const logMagnitude = (x: number) => Math.min(Math.max(Math.log(LOG_EPSILON + Math.abs(10 * x)), -5), 5) / 2;

/** Gates i, g, f, o. Quirk: 1 is added to f at run time, on top of the stored bias. */
function advanceCells(gates: Float64Array, h: Float64Array, c: Float64Array, n: number, H: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < H; j++) {
      const at = i * H + j;
      const gate = i * 4 * H + j;
      const next = sigmoid(gates[gate + 2 * H]! + 1) * c[at]! + sigmoid(gates[gate]!) * Math.tanh(gates[gate + H]!);
      c[at] = next;
      h[at] = sigmoid(gates[gate + 3 * H]!) * Math.tanh(next);
    }
  }
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function fillRows(target: Float64Array, row: Values, rows: number): void {
  for (let i = 0; i < rows; i++) target.set(row, i * row.length);
}
