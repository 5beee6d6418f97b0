/** The state of an optimizer as the tensors that tfjs saves beside a model. */
import * as tf from '@tensorflow/tfjs-core';
import { type ExportedState, VeloError } from '@velojs/core';
import { decodeState, encodeState } from '@velojs/weights';

/** As tfjs has it, which does not export it. */
export interface NamedTensor {
  name: string;
  tensor: tf.Tensor;
}

/**
 * The number of steps, and a state file of `@velojs/weights` as 32-bit integers: those keep every bit, whereas a
 * tensor of floats has no room for doubles. Kept, whatever `tf.tidy` is around.
 */
export function tensorsFromState(state: ExportedState | undefined): NamedTensor[] {
  // tfjs wants this one first, by this name.
  const steps = { name: 'iter', tensor: tf.keep(tf.scalar(state?.stepsTaken ?? 0, 'int32')) };
  if (!state) return [steps];
  // Its header is padded and its numbers take 4 or 8 bytes, so the file has whole words.
  const words = new Int32Array(encodeState(state).buffer);
  return [steps, { name: 'velo', tensor: tf.keep(tf.tensor1d(words, 'int32')) }];
}

/** @throws VeloError `STATE_INVALID` */
export async function stateFromTensors(weights: readonly NamedTensor[]): Promise<ExportedState | undefined> {
  const [iter, file, ...others] = weights ?? [];
  if (iter?.tensor?.dtype !== 'int32' || (file && file.tensor?.dtype !== 'int32') || others.length > 0) {
    throw invalid('they are not what getWeights() of a VeloOptimizer gave');
  }
  if (iter.tensor.isDisposed || file?.tensor.isDisposed) {
    throw invalid('their tensors were disposed of: those of getWeights() live until its next call');
  }
  const [steps] = await iter.tensor.data();
  if (!file) {
    if (steps !== 0) throw invalid('they have a number of steps and no state');
    return undefined;
  }
  const { buffer, byteOffset, byteLength } = (await file.tensor.data()) as Int32Array;
  const state = decodeState(new Uint8Array(buffer, byteOffset, byteLength));
  if (state.stepsTaken !== steps) throw invalid(`they have ${steps} steps, their state has ${state.stepsTaken}`);
  return state;
}

/** The state of the optimizer alone: parameters are saved with the model. */
export function withoutParameters(state: ExportedState): ExportedState {
  const isParameter = (path: string) => /(^|\.)parameters\.\d+$/.test(path);
  const tensors = Object.fromEntries(Object.entries(state.tensors).filter(([path]) => !isParameter(path)));
  // By position: tfjs gives variables other names when it loads a model.
  return { ...state, names: state.names.map((_, j) => `${j}`), tensors };
}

const invalid = (why: string) =>
  new VeloError('STATE_INVALID', `These weights cannot be restored in a VeloOptimizer: ${why}.`);
