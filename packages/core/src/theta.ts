/** Theta: the weights of the optimizer itself (SPEC section 3), on the host and on a device. */
import type { Backend, Shape, Tensor } from './backend.ts';
import { BANK_MULTIPLIER } from './constants.ts';
import { VeloError } from './errors.ts';
import { sizeOf } from './geometry.ts';
import { operations } from './operations.ts';

export type ThetaLeaf =
  | 'poolWeight'
  | 'poolBias'
  | 'keepWeight'
  | 'keepBias'
  | 'lstmWeight'
  | 'lstmBias'
  | 'controlsWeight'
  | 'controlsBias'
  | 'stepWeight'
  | 'stepBias'
  | 'initialHidden'
  | 'initialCell'
  | 'bankWeight0'
  | 'bankBias0'
  | 'bankWeight1'
  | 'bankBias1'
  | 'bankWeight2'
  | 'bankBias2';
/** A layer that the original computes and never uses; the released files carry it (SPEC section 3, [Q]). */
export type DeadLeaf = 'deadWeight' | 'deadBias';

type ShapeOf = (H: number, K: number) => number[];

/** Every leaf and its shape in terms of H (LSTM width) and K (bank size). Matrices are (inputs, outputs). */
const LEAVES: Record<ThetaLeaf, ShapeOf> = {
  poolWeight: (H) => [30, H],
  poolBias: (H) => [H],
  keepWeight: (H) => [30, H],
  keepBias: (H) => [H],
  lstmWeight: (H) => [2 * H, 4 * H],
  lstmBias: (H) => [4 * H],
  controlsWeight: (H, K) => [H, K],
  controlsBias: (_, K) => [K],
  stepWeight: (H) => [H, 1],
  stepBias: () => [1],
  initialHidden: (H) => [1, H],
  initialCell: (H) => [1, H],
  bankWeight0: (_, K) => [K, 30, 4],
  bankBias0: (_, K) => [K, 4],
  bankWeight1: (_, K) => [K, 4, 4],
  bankBias1: (_, K) => [K, 4],
  bankWeight2: (_, K) => [K, 4, 3],
  bankBias2: (_, K) => [K, 3],
};
const DEAD_LEAVES: Record<DeadLeaf, ShapeOf> = {
  deadWeight: (H) => [30, H],
  deadBias: (H) => [H],
};

/** An array on the host: `data` in row-major order. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
}

/** Validated weights of an optimizer. Make one with `createTheta`. */
export interface Theta {
  /** LSTM width H; 512 in the released weights. */
  readonly hiddenSize: number;
  /** Number K of small networks in the bank; 256 in the released weights. */
  readonly bankSize: number;
  readonly leaves: Readonly<Record<ThetaLeaf, Float32Array>>;
  /** Present if it was given; it has no effect and is kept for writing files back. */
  readonly dead: Readonly<Record<DeadLeaf, Float32Array>> | null;
}

/**
 * The shape of every leaf for given sizes, in a fixed order.
 *
 * @example
 * ```ts
 * thetaShapes(512, 256).lstmWeight; // [1024, 2048]
 * ```
 */
export function thetaShapes(hiddenSize: number, bankSize: number): Record<ThetaLeaf | DeadLeaf, number[]> {
  return Object.fromEntries(
    Object.entries({ ...LEAVES, ...DEAD_LEAVES }).map(([leaf, shape]) => [leaf, shape(hiddenSize, bankSize)]),
  ) as Record<ThetaLeaf | DeadLeaf, number[]>;
}

/**
 * Checks a set of leaves and makes a theta of it; H and K are read off the shapes. Values are copied to float32.
 *
 * @param tensors every leaf by name, as `thetaShapes` lists them; `deadWeight` and `deadBias` may be left out together.
 * @throws VeloError `WEIGHTS_INVALID` naming the leaf that is missing, unknown, misshapen or not finite.
 * @see SPEC section 3
 */
export function createTheta(tensors: Readonly<Record<string, HostTensor>>): Theta {
  return checkedTheta(tensors, (data) => new Float32Array(data));
}

/**
 * As `createTheta`, but nothing is copied: theta keeps the arrays, which must not be changed any more. For readers of
 * files, who give arrays that nobody else has.
 */
export function adoptTheta(
  tensors: Readonly<Record<string, { readonly shape: Shape; readonly data: Float32Array }>>,
): Theta {
  return checkedTheta(tensors, (data) => data);
}

function checkedTheta<D extends ArrayLike<number>>(
  tensors: Readonly<Record<string, { readonly shape: Shape; readonly data: D }>>,
  keep: (data: D) => Float32Array,
): Theta {
  const hiddenSize = axisOf(tensors, 'initialHidden', 1);
  const bankSize = axisOf(tensors, 'bankBias0', 0);
  const shapes = thetaShapes(hiddenSize, bankSize);
  const hasDead = 'deadWeight' in tensors || 'deadBias' in tensors;
  for (const name of Object.keys(tensors)) {
    if (!Object.hasOwn(shapes, name)) throw invalid(`has an unknown leaf "${name}"`);
  }
  const leafOf = (name: ThetaLeaf | DeadLeaf) => {
    const leaf = tensors[name];
    if (!leaf) throw invalid(`lacks the leaf "${name}"`);
    const expected = shapes[name];
    if (leaf.shape.length !== expected.length || leaf.shape.some((axis, i) => axis !== expected[i])) {
      throw invalid(
        `has "${name}" of shape [${leaf.shape}] where H = ${hiddenSize}, K = ${bankSize} ask for [${expected}]`,
      );
    }
    if (leaf.data.length !== sizeOf(expected)) {
      throw invalid(`has ${leaf.data.length} values in "${name}" where its shape asks for ${sizeOf(expected)}`);
    }
    const data = keep(leaf.data);
    if (!allFinite(data)) throw invalid(`has a value in "${name}" that is not finite`);
    return data;
  };
  const pick = <Name extends ThetaLeaf | DeadLeaf>(names: Record<Name, unknown>) =>
    Object.fromEntries((Object.keys(names) as Name[]).map((name) => [name, leafOf(name)])) as Record<
      Name,
      Float32Array
    >;
  return { hiddenSize, bankSize, leaves: pick(LEAVES), dead: hasDead ? pick(DEAD_LEAVES) : null };
}

/** A sum of float32 numbers never overflows a double. Four sums at once: released weights are 2.3 million numbers. */
function allFinite(data: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const even = data.length - (data.length % 4);
  for (let i = 0; i < even; i += 4) {
    a += data[i]!;
    b += data[i + 1]!;
    c += data[i + 2]!;
    d += data[i + 3]!;
  }
  for (let i = even; i < data.length; i++) a += data[i]!;
  return Number.isFinite(a + b + c + d);
}

function axisOf(tensors: Readonly<Record<string, HostTensor>>, name: ThetaLeaf, axis: number): number {
  const size = tensors[name]?.shape[axis];
  if (size === undefined) throw invalid(`lacks the leaf "${name}", or it has too few axes`);
  if (!Number.isSafeInteger(size) || size < 1) throw invalid(`has "${name}" of shape [${tensors[name]?.shape}]`);
  return size;
}

const invalid = (what: string) =>
  new VeloError('WEIGHTS_INVALID', `Theta ${what}. Load a VeLO weight file, or start from starterTheta().`);

/** Length of one generated MLP: 30 x 4 + 4, 4 x 4 + 4, 4 x 3 + 3. */
export const MLP_LENGTH = 159;
/** A generated MLP and, as the last number, the step factor of its tensor. */
export const MLP_ROW = 160;

/**
 * Where the layers lie in a row of `MLP_ROW` numbers. Weights are transposed, (outputs, inputs), because activations
 * are planes: one row per column of the network's input, one entry per parameter.
 */
export const MLP_LAYOUT = {
  weight0: { begin: 0, end: 120, shape: [4, 30] },
  bias0: { begin: 120, end: 124, shape: [4, 1] },
  weight1: { begin: 124, end: 140, shape: [4, 4] },
  bias1: { begin: 140, end: 144, shape: [4, 1] },
  weight2: { begin: 144, end: 156, shape: [3, 4] },
  bias2: { begin: 156, end: 159, shape: [3, 1] },
  stepFactor: { begin: 159, end: 160, shape: [1, 1] },
} as const;

/** Theta on a device. */
export interface DeviceTheta<T extends Tensor> {
  readonly hiddenSize: number;
  readonly bankSize: number;
  /** `[30, H]`, `[1, H]` */
  readonly poolWeight: T;
  readonly poolBias: T;
  readonly keepWeight: T;
  readonly keepBias: T;
  /** `[H, 4H]`: the rows of the LSTM's weight that meet its input, and those that meet the hidden state. */
  readonly inputWeight: T;
  readonly recurrentWeight: T;
  /** `[1, 4H]` */
  readonly lstmBias: T;
  /** `[H, K]`, `[1, K]` */
  readonly controlsWeight: T;
  readonly controlsBias: T;
  /** `[H, 1]`, `[1, 1]` */
  readonly stepWeight: T;
  readonly stepBias: T;
  /** `[K, 159]`, a row per small network, laid out as `MLP_LAYOUT` */
  readonly bank: T;
  /** `[1, H]` */
  readonly initialHidden: T;
  readonly initialCell: T;
  /** Products of the above for fused controllers. */
  readonly folded: FoldedTheta<T>;
}

/**
 * Adjacent linear maps multiplied out once per theta, which halves the work per tensor:
 * gates = X featureGates + pool inputWeight + h recurrentWeight + gateBias, and mlp row = h heads + headsBias.
 */
export interface FoldedTheta<T extends Tensor> {
  /** `[30, 4H]` = W_keep W_x */
  readonly featureGates: T;
  /** `[1, 4H]` = b_keep W_x + b_lstm */
  readonly gateBias: T;
  /** `[H, 160]` = (100 / K W_controls bank | W_step) */
  readonly heads: T;
  /** `[1, 160]` = (100 / K b_controls bank | b_step) */
  readonly headsBias: T;
}

/** Uploads theta and folds it; the tensors belong to the caller. */
export function uploadTheta<T extends Tensor>(backend: Backend<T>, theta: Theta): DeviceTheta<T> {
  if (!theta?.leaves) throw new VeloError('WEIGHTS_INVALID', 'There is no theta: make one with createTheta().');
  const { hiddenSize, bankSize, leaves } = theta;
  const H = hiddenSize;
  const row = (values: Float32Array) => backend.tensor(values, [1, values.length]);
  const lstmRows = (begin: number) =>
    backend.tensor(leaves.lstmWeight.subarray(begin * 4 * H, (begin + H) * 4 * H), [H, 4 * H]);
  return backend.scope(() => {
    const device = {
      hiddenSize,
      bankSize,
      poolWeight: backend.tensor(leaves.poolWeight, [30, H]),
      poolBias: row(leaves.poolBias),
      keepWeight: backend.tensor(leaves.keepWeight, [30, H]),
      keepBias: row(leaves.keepBias),
      inputWeight: lstmRows(0),
      recurrentWeight: lstmRows(H),
      lstmBias: row(leaves.lstmBias),
      controlsWeight: backend.tensor(leaves.controlsWeight, [H, bankSize]),
      controlsBias: row(leaves.controlsBias),
      stepWeight: backend.tensor(leaves.stepWeight, [H, 1]),
      stepBias: row(leaves.stepBias),
      bank: backend.tensor(packBank(theta), [bankSize, MLP_LENGTH]),
      initialHidden: row(leaves.initialHidden),
      initialCell: row(leaves.initialCell),
    };
    return { ...device, folded: foldTheta(backend, device) };
  });
}

/** The products that fused controllers use; only composed operations, so it runs on every backend. */
export function foldTheta<T extends Tensor>(
  backend: Backend<T>,
  theta: Omit<DeviceTheta<T>, 'folded'>,
): FoldedTheta<T> {
  const { add, concat, matmul, mul } = operations(backend);
  const toMlp = (controls: T) => mul(matmul(controls, theta.bank), BANK_MULTIPLIER / theta.bankSize);
  return {
    featureGates: matmul(theta.keepWeight, theta.inputWeight),
    gateBias: add(matmul(theta.keepBias, theta.inputWeight), theta.lstmBias),
    heads: concat([toMlp(theta.controlsWeight), theta.stepWeight], 1),
    headsBias: concat([toMlp(theta.controlsBias), theta.stepBias], 1),
  };
}

/** The bank as rows of `MLP_LENGTH`, weights transposed. */
function packBank({ bankSize, leaves }: Theta): Float32Array {
  const packed = new Float32Array(bankSize * MLP_LENGTH);
  const layers = [
    [leaves.bankWeight0, 30, 4],
    [leaves.bankBias0, 1, 4],
    [leaves.bankWeight1, 4, 4],
    [leaves.bankBias1, 1, 4],
    [leaves.bankWeight2, 4, 3],
    [leaves.bankBias2, 1, 3],
  ] as const;
  for (let k = 0; k < bankSize; k++) {
    let at = k * MLP_LENGTH;
    for (const [values, inputs, outputs] of layers) {
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) packed[at++] = values[(k * inputs + i) * outputs + o]!;
      }
    }
  }
  return packed;
}
