/** Which numbers of theta are trained, and in what units: theta = start + scale * z, with z the vector that is searched. */
import { adoptTheta, type Theta, type ThetaLeaf, thetaShapes, VeloError } from '@velojs/core';

/** Part of one leaf of theta. */
export interface TrainedLeaf {
  /** One unit of the search vector, in theta's numbers: perturbations and steps are multiplied by it. */
  readonly scale: number;
  /** Of the leaves of the bank (`bankWeight0`, ...): the networks that are trained. Default: all. */
  readonly bank?: readonly number[] | undefined;
  /** The LSTM units whose numbers are trained (in `lstmWeight` and `lstmBias`, all four gates of them). Default: all. */
  readonly units?: readonly number[] | undefined;
}

export type TrainedLeaves = Readonly<Partial<Record<ThetaLeaf, TrainedLeaf>>>;

export interface SearchSpace {
  /** Numbers that are trained. */
  readonly size: number;
  /** Theta at `z`, in float32. */
  thetaAt(z: Float64Array): Theta;
}

/**
 * The search space around `start`.
 *
 * @throws VeloError `INVALID_ARGUMENT` for a leaf, network or unit that theta does not have, or a scale that is not positive.
 * @example
 * ```ts
 * const space = createSearchSpace(starterTheta(), { stepWeight: { scale: 10 }, bankWeight0: { scale: 0.12, bank: [0] } });
 * space.size; // 16 + 120
 * ```
 */
export function createSearchSpace(start: Theta, trained: TrainedLeaves): SearchSpace {
  const shapes = thetaShapes(start.hiddenSize, start.bankSize);
  const parts = Object.entries(trained).map(([name, leaf]) => {
    if (!Object.hasOwn(start.leaves, name)) {
      throw invalid(`Theta has no leaf "${name}" to train; it has ${Object.keys(start.leaves).join(', ')}.`);
    }
    if (!(leaf.scale > 0 && Number.isFinite(leaf.scale))) {
      throw invalid(`The scale of ${name} must be a positive number; got ${leaf.scale}.`);
    }
    return {
      name: name as ThetaLeaf,
      scale: leaf.scale,
      indices: indicesOf(name, shapes[name as ThetaLeaf], leaf, start),
    };
  });
  const size = parts.reduce((sum, { indices }) => sum + indices.length, 0);
  if (size === 0) throw invalid('Nothing of theta is trained: name at least one leaf.');
  return {
    size,
    thetaAt(z) {
      const leaves: Record<string, Float32Array> = { ...start.leaves };
      let at = 0;
      for (const { name, scale, indices } of parts) {
        const leaf = new Float32Array(start.leaves[name]);
        for (const i of indices) leaf[i] = start.leaves[name][i]! + scale * z[at++]!;
        leaves[name] = leaf;
      }
      return adoptTheta(
        Object.fromEntries(
          Object.entries(leaves).map(([name, data]) => [name, { shape: shapes[name as ThetaLeaf], data }]),
        ),
      );
    },
  };
}

/** Where the trained numbers of a leaf lie in its row-major order. */
function indicesOf(name: string, shape: readonly number[], { bank, units }: TrainedLeaf, theta: Theta): Uint32Array {
  const { hiddenSize: H, bankSize: K } = theta;
  if (bank !== undefined && !name.startsWith('bank'))
    throw invalid(`${name} is not part of the bank: leave "bank" out.`);
  checkIndices(bank, K, `networks of ${name}`);
  checkIndices(units, H, `units of ${name}`);
  // Heads have a row per unit, everything else that has units a column, or four.
  const unitAxis = shape[0] === H && (name === 'stepWeight' || name === 'controlsWeight') ? 0 : shape.length - 1;
  if (units !== undefined && shape[unitAxis]! % H !== 0) throw invalid(`${name} has no units: leave "units" out.`);
  if (units !== undefined && /^bank|controlsBias|stepBias/.test(name)) {
    throw invalid(`${name} has no units: leave "units" out.`);
  }
  const inner = shape.slice(unitAxis + 1).reduce((product, axis) => product * axis, 1);
  const network = shape.slice(1).reduce((product, axis) => product * axis, 1);
  const all = Array.from({ length: shape.reduce((product, axis) => product * axis, 1) }, (_, i) => i);
  return Uint32Array.from(
    all.filter(
      (i) =>
        (bank === undefined || bank.includes(Math.floor(i / network))) &&
        (units === undefined || units.includes((Math.floor(i / inner) % shape[unitAxis]!) % H)),
    ),
  );
}

function checkIndices(indices: readonly number[] | undefined, count: number, what: string): void {
  for (const index of indices ?? []) {
    if (!Number.isSafeInteger(index) || index < 0 || index >= count) {
      throw invalid(`The ${what} are numbered 0 to ${count - 1}; there is no ${index}.`);
    }
  }
}

const invalid = (message: string) => new VeloError('INVALID_ARGUMENT', message);
