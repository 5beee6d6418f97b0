/** Theta under the names that released VeLO checkpoints give its leaves (SPEC sections 3 and 13). */
import { createTheta, type DeadLeaf, type HostTensor, type Theta, type ThetaLeaf, thetaShapes, VeloError } from '@velojs/core';

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

/** Checkpoints hold the bank's first layer in 14 pieces, one for each group of inputs (SPEC section 11), of these widths. */
const PIECE_WIDTHS = [1, 1, 1, 3, 1, 3, 1, 3, 1, 3, 3, 3, 3, 3];
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
  const names = new Map<string, string>(PATHS);
  const tensors: Record<string, HostTensor> = { bankWeight0: joinPieces(leaves) };
  for (const [path, tensor] of Object.entries(leaves)) {
    const leaf = names.get(path);
    if (leaf !== undefined) tensors[leaf] = tensor;
    else if (!PIECE_WIDTHS.some((_, i) => path === piecePath(i))) throw invalid(`has an unknown leaf "${path}"`);
  }
  return createTheta(tensors);
}

/**
 * The inverse of `thetaFromCheckpoint`. A theta without the dead layer gets one of zeros: checkpoint readers expect it.
 *
 * @see SPEC section 13
 */
export function checkpointFromTheta(theta: Theta): Record<string, { shape: readonly number[]; data: Float32Array }> {
  const { hiddenSize: H, bankSize: K } = theta;
  const shapes = thetaShapes(H, K);
  const values: Partial<Record<ThetaLeaf | DeadLeaf, Float32Array>> = { ...theta.leaves, ...theta.dead };
  const zeros = (leaf: DeadLeaf) => new Float32Array(shapes[leaf].reduce((product, axis) => product * axis, 1));
  const leaves = PATHS.map(
    ([path, leaf]) => [path, { shape: shapes[leaf], data: values[leaf]?.slice() ?? zeros(leaf as DeadLeaf) }] as const,
  );
  return Object.fromEntries([...leaves, ...splitPieces(theta.leaves.bankWeight0, K)]);
}

/** Joins `w0__0 ... w0__13`, in the order of their *numbers*, along the second axis: (K, 30, 4). */
function joinPieces(leaves: Readonly<Record<string, HostTensor>>): HostTensor {
  const K = leaves[piecePath(0)]?.shape[0] ?? 0;
  const joined = new Float32Array(K * INPUTS * UNITS);
  let row = 0;
  for (const [i, width] of PIECE_WIDTHS.entries()) {
    const piece = leaves[piecePath(i)];
    if (!piece) throw invalid(`lacks the leaf "${piecePath(i)}"`);
    const { shape, data } = piece;
    if (`${shape}` !== `${[K, width, UNITS]}` || data.length !== K * width * UNITS) {
      throw invalid(`has "${piecePath(i)}" of shape [${shape}] with ${data.length} values where [${[K, width, UNITS]}] is needed`);
    }
    for (let k = 0; k < K; k++) {
      for (let j = 0; j < width * UNITS; j++) joined[(k * INPUTS + row) * UNITS + j] = data[k * width * UNITS + j]!;
    }
    row += width;
  }
  return { shape: [K, INPUTS, UNITS], data: joined };
}

function splitPieces(joined: Float32Array, K: number) {
  let row = 0;
  return PIECE_WIDTHS.map((width, i) => {
    const data = new Float32Array(K * width * UNITS);
    for (let k = 0; k < K; k++) {
      const begin = (k * INPUTS + row) * UNITS;
      data.set(joined.subarray(begin, begin + width * UNITS), k * width * UNITS);
    }
    row += width;
    return [piecePath(i), { shape: [K, width, UNITS], data }] as const;
  });
}

const invalid = (what: string) => new VeloError('WEIGHTS_INVALID', `The checkpoint ${what}.`);
