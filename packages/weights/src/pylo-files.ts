/** Theta as PyLO publishes it: two safetensors files, matrices as (outputs, inputs) (SPEC section 13.2). */
import { adoptTheta, type DeadLeaf, sizeOf, type Theta, type ThetaLeaf, thetaShapes } from '@velojs/core';
import type { LeafTree } from './leaf-tree.ts';
import { type SafetensorsTensor, writeSafetensors } from './safetensors.ts';
import { float32Copy, numbersOf, type StoredArray } from './stored-array.ts';

type Names = Readonly<Record<string, ThetaLeaf | DeadLeaf>>;

const LSTM: Names = {
  'final_mix_layer.bias': 'keepBias',
  'final_mix_layer.weight': 'keepWeight',
  'lstm.linear.bias': 'lstmBias',
  'lstm.linear.weight': 'lstmWeight',
  'lstm_init_state.0': 'initialHidden',
  'lstm_init_state.1': 'initialCell',
  'mix_layer1.bias': 'deadBias',
  'mix_layer1.weight': 'deadWeight',
  'mix_layer2.bias': 'poolBias',
  'mix_layer2.weight': 'poolWeight',
  'rnn_to_controls.bias': 'controlsBias',
  'rnn_to_controls.weight': 'controlsWeight',
  'step_size.bias': 'stepBias',
  'step_size.weight': 'stepWeight',
};
const MLP: Names = {
  'hidden_bias_.0': 'bankBias1',
  'hidden_weights_.0': 'bankWeight1',
  input_bias_: 'bankBias0',
  input_weights_: 'bankWeight0',
  output_bias_: 'bankBias2',
  output_weights_: 'bankWeight2',
};
/**
 * PyLO's module overwrites these at every step; the published file has them all but one, so they are written as zeros
 * and not looked at when read.
 */
const WORKING_COPIES: Readonly<Record<string, readonly number[]>> = {
  'hidden_bias.0': [4],
  'hidden_weights.0': [4, 4],
  input_bias: [4],
  input_weights: [4, 30],
  output_weights: [3, 4],
};

const isMatrix = (leaf: ThetaLeaf | DeadLeaf) => leaf.endsWith('Weight') || leaf.startsWith('bankWeight');
const swapped = (shape: readonly number[]) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];

function shapesOf(names: Names, hiddenSize: number, bankSize: number): Record<string, readonly number[]> {
  const shapes = thetaShapes(hiddenSize, bankSize);
  return Object.fromEntries(
    Object.entries(names).map(([name, leaf]) => [name, isMatrix(leaf) ? swapped(shapes[leaf]) : shapes[leaf]]),
  );
}

export const PYLO_LSTM: LeafTree = {
  type: 'F32',
  shapes: (H, K) => shapesOf(LSTM, H, K),
  hiddenAxis: ['lstm_init_state.0', 1],
  bankAxis: ['rnn_to_controls.bias', 0],
  optional: ['mix_layer1.bias', 'mix_layer1.weight'],
};
export const PYLO_MLP: LeafTree = {
  type: 'F32',
  shapes: (H, K) => shapesOf(MLP, H, K),
  hiddenAxis: null,
  bankAxis: ['input_bias_', 0],
  optional: [],
  ignored: [...Object.keys(WORKING_COPIES), 'output_bias'],
};

/** Theta from the arrays of both files, which must be as `PYLO_LSTM` and `PYLO_MLP` say. */
export function thetaFromPylo(arrays: ReadonlyMap<string, StoredArray>): Theta {
  const tensors: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
  for (const [name, leaf] of Object.entries({ ...LSTM, ...MLP })) {
    const array = arrays.get(name);
    if (!array) continue;
    const { shape, bytes } = array;
    tensors[leaf] = isMatrix(leaf)
      ? transposed(shape, numbersOf(Float32Array, bytes))
      : { shape, data: float32Copy(bytes) };
  }
  return adoptTheta(tensors);
}

/**
 * The two files, LSTM first. At the released sizes they have the lengths of the published ones. A theta without the
 * dead layer gets one of zeros: PyLO expects it.
 */
export function pyloFromTheta(theta: Theta): [lstm: Uint8Array<ArrayBuffer>, mlp: Uint8Array<ArrayBuffer>] {
  const shapes = thetaShapes(theta.hiddenSize, theta.bankSize);
  const values: Partial<Record<ThetaLeaf | DeadLeaf, Float32Array>> = { ...theta.leaves, ...theta.dead };
  const file = (names: Names, copies: typeof WORKING_COPIES) => {
    const tensors = new Map<string, SafetensorsTensor>();
    for (const [name, leaf] of Object.entries(names)) {
      const shape = shapes[leaf];
      const data = values[leaf] ?? new Float32Array(sizeOf(shape));
      tensors.set(name, isMatrix(leaf) ? transposed(shape, data) : { shape, data });
    }
    for (const [name, shape] of Object.entries(copies)) {
      tensors.set(name, { shape, data: new Float32Array(sizeOf(shape)) });
    }
    return writeSafetensors({ tensors, metadata: new Map() });
  };
  return [file(LSTM, {}), file(MLP, WORKING_COPIES)];
}

/** Exchanges the last two axes, in tiles: whole rows of one side are whole columns of the other, which caches dislike. */
function transposed(shape: readonly number[], data: Float32Array): { shape: number[]; data: Float32Array } {
  const TILE = 16;
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  const result = new Float32Array(data.length);
  for (let begin = 0; begin < data.length; begin += rows * columns) {
    for (let top = 0; top < rows; top += TILE) {
      for (let left = 0; left < columns; left += TILE) {
        const [bottom, right] = [Math.min(top + TILE, rows), Math.min(left + TILE, columns)];
        for (let i = top; i < bottom; i++) {
          for (let j = left; j < right; j++) result[begin + j * rows + i] = data[begin + i * columns + j]!;
        }
      }
    }
  }
  return { shape: swapped(shape), data: result };
}
