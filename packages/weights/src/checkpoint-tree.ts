/** Theta under the names that released VeLO checkpoints give its leaves (SPEC sections 3 and 13). */
import {
  createTheta,
  type DeadLeaf,
  type HostTensor,
  sizeOf,
  type Theta,
  type ThetaLeaf,
  thetaShapes,
  VeloError,
} from '@velojs/core';
import { GROUP_WIDTHS } from '@velojs/core/constants';

const PATHS: readonly (readonly [path: string, leaf: ThetaLeaf | DeadLeaf])[] = [
  ['ff_mod_stack.~.b0', 'bankBias0'],
  ['ff_mod_stack.~.b1', 'bankBias1'],
  ['ff_mod_stack.~.b2', 'bankBias2'],
  ['ff_mod_stack.~.w1', 'bankWeight1'],
  ['ff_mod_stack.~.w2', 'bankWeight2'],
  ['lstm_init_state.cell', 'initialCell'],
  ['lstm_init_state.hidden', 'initialHidden'],
  ['rnn_params.linear.b', 'deadBias'],
  ['rnn_params.linear.w', 'deadWeight'],
  ['rnn_params.linear_1.b', 'poolBias'],
  ['rnn_params.linear_1.w', 'poolWeight'],
  ['rnn_params.linear_2.b', 'keepBias'],
  ['rnn_params.linear_2.w', 'keepWeight'],
  ['rnn_params.rnn/linear.b', 'lstmBias'],
  ['rnn_params.rnn/linear.w', 'lstmWeight'],
  ['rnn_params.rnn_to_controls.b', 'controlsBias'],
  ['rnn_params.rnn_to_controls.w', 'controlsWeight'],
  ['rnn_params.step_size.b', 'stepBias'],
  ['rnn_params.step_size.w', 'stepWeight'],
];

interface Float32Tensor {
  shape: readonly number[];
  data: Float32Array;
}

const DEAD_LAYER = 'rnn_params.linear.';

/** Checkpoints hold the bank's first layer in 14 pieces, one for each group of inputs. */
const piecePath = (i: number) => `ff_mod_stack.~.w0__${i}`;
const INPUTS = 30;
const UNITS = 4;

/**
 * Makes a theta of the leaves of a checkpoint, named by their path joined by dots (`rnn_params.rnn/linear.w`: one key of
 * the checkpoint contains a slash). The dead layer `rnn_params.linear` may be absent.
 *
 * @throws VeloError `WEIGHTS_INVALID` naming the leaf that is missing, unknown, misshapen or not finite.
 * @see SPEC section 3
 */
export function thetaFromCheckpoint(leaves: Readonly<Record<string, HostTensor>>): Theta {
  return createTheta(tensorsFromCheckpoint(leaves));
}

/** The leaves of `thetaFromCheckpoint`, not yet checked and not copied, but for the bank's first layer. */
export function tensorsFromCheckpoint<T extends HostTensor>(
  leaves: Readonly<Record<string, T>>,
): Record<string, T | Float32Tensor> {
  const paths = new Set([...PATHS.map(([path]) => path), ...GROUP_WIDTHS.map((_, i) => piecePath(i))]);
  const unknown = Object.keys(leaves).find((path) => !paths.has(path));
  if (unknown !== undefined) throw invalid(`has an unknown leaf "${unknown}"`);
  const hasDead = Object.keys(leaves).some((path) => path.startsWith(DEAD_LAYER));
  const tensors: Record<string, T | Float32Tensor> = { bankWeight0: joinPieces(leaves) };
  for (const [path, leaf] of PATHS) {
    if (hasDead || !path.startsWith(DEAD_LAYER)) tensors[leaf] = leafOf(leaves, path);
  }
  return tensors;
}

/**
 * The inverse of `thetaFromCheckpoint`. A theta without the dead layer gets one of zeros: checkpoint readers expect it.
 *
 * @see SPEC section 13
 */
export function checkpointFromTheta(theta: Theta): Record<string, Float32Tensor> {
  const { hiddenSize: H, bankSize: K } = theta;
  const shapes = thetaShapes(H, K);
  const values: Partial<Record<ThetaLeaf | DeadLeaf, Float32Array>> = { ...theta.leaves, ...theta.dead };
  const zeros = (leaf: DeadLeaf) => new Float32Array(sizeOf(shapes[leaf]));
  const leaves = PATHS.map(
    ([path, leaf]) => [path, { shape: shapes[leaf], data: values[leaf]?.slice() ?? zeros(leaf as DeadLeaf) }] as const,
  );
  return Object.fromEntries([...leaves, ...splitPieces(theta.leaves.bankWeight0, K)]);
}

/** Path and shape of every leaf of a checkpoint of these sizes. */
export function checkpointShapes(hiddenSize: number, bankSize: number): Record<string, readonly number[]> {
  const shapes = thetaShapes(hiddenSize, bankSize);
  return Object.fromEntries([
    ...PATHS.map(([path, leaf]) => [path, shapes[leaf]]),
    ...GROUP_WIDTHS.map((width, i) => [piecePath(i), [bankSize, width, UNITS]]),
  ]);
}

/** Joins `w0__0 ... w0__13`, in the order of their *numbers*, along the second axis: (K, 30, 4). */
function joinPieces(leaves: Readonly<Record<string, HostTensor>>): Float32Tensor {
  const pieces = GROUP_WIDTHS.map((width, i) => ({ width, ...leafOf(leaves, piecePath(i)) }));
  const K = pieces[0]!.shape[0] ?? 0;
  for (const [i, { width, shape, data }] of pieces.entries()) {
    const expected = [K, width, UNITS];
    if (`${shape}` !== `${expected}` || data.length !== sizeOf(expected)) {
      throw invalid(`has "${piecePath(i)}" of shape [${shape}] with ${data.length} values, not of shape [${expected}]`);
    }
  }
  const joined = new Float32Array(K * INPUTS * UNITS);
  let row = 0;
  for (const { width, data } of pieces) {
    const values = data instanceof Float32Array ? data : Float32Array.from(data);
    for (let k = 0; k < K; k++) {
      const begin = k * width * UNITS;
      joined.set(values.subarray(begin, begin + width * UNITS), (k * INPUTS + row) * UNITS);
    }
    row += width;
  }
  return { shape: [K, INPUTS, UNITS], data: joined };
}

function splitPieces(joined: Float32Array, K: number) {
  let row = 0;
  return GROUP_WIDTHS.map((width, i) => {
    const data = new Float32Array(K * width * UNITS);
    for (let k = 0; k < K; k++) {
      const begin = (k * INPUTS + row) * UNITS;
      data.set(joined.subarray(begin, begin + width * UNITS), k * width * UNITS);
    }
    row += width;
    return [piecePath(i), { shape: [K, width, UNITS], data }] as const;
  });
}

function leafOf<T>(leaves: Readonly<Record<string, T>>, path: string): T {
  const leaf = leaves[path];
  if (!leaf) throw invalid(`lacks the leaf "${path}"`);
  return leaf;
}

const invalid = (what: string) => new VeloError('WEIGHTS_INVALID', `The checkpoint ${what}.`);
