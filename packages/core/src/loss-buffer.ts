/**
 * Moving averages of the loss at ten half-lives, and nine features of its progress (SPEC section 6).
 *
 * On the host in double precision where the loss is a number: in float32 the features of long trainings are noise
 * (SPEC section 10). On the device, in float32, where it is a tensor: then nothing is read back.
 */
import type { Backend, Tensor } from './backend.ts';
import type { LossInputs, LossOutputs } from './kernels.ts';
import { operations } from './operations.ts';

const AVERAGES = 10;
const FEATURES = AVERAGES - 1;
const NO_MINIMUM_YET = Math.fround(999_999_999_999);
const MINIMUM_PROGRESS = Math.fround(1e-8);
/** Features stay 0 until this many losses were seen. */
const WARM_UP = 2;

export type HostLossBuffer = {
  readonly on: 'host';
  /** Losses seen. */
  readonly count: number;
  /** `[10]` each. */
  readonly decays: Float64Array;
  readonly means: Float64Array;
  readonly minima: Float64Array;
};

export type DeviceLossBuffer<T extends Tensor> = {
  readonly on: 'device';
  readonly count: number;
  readonly decays: Float64Array;
  /** `[1, 10]` each. */
  readonly means: T;
  readonly minima: T;
};

export type LossBuffer<T extends Tensor> = HostLossBuffer | DeviceLossBuffer<T>;

/** Half-lives run geometrically from 10 to N; SPEC section 4. */
export function lossDecays(totalSteps: number): Float64Array {
  return Float64Array.from({ length: AVERAGES }, (_, k) => {
    const exponent = 1 + ((Math.log10(totalSteps) - 1) * k) / (AVERAGES - 1);
    return Math.fround(Math.exp(-1 / 10 ** exponent));
  });
}

export function createLossBuffer(totalSteps: number): HostLossBuffer {
  return {
    on: 'host',
    count: 0,
    decays: lossDecays(totalSteps),
    means: new Float64Array(AVERAGES),
    minima: new Float64Array(AVERAGES).fill(NO_MINIMUM_YET),
  };
}

export function toDevice<T extends Tensor>(backend: Backend<T>, buffer: HostLossBuffer): DeviceLossBuffer<T> {
  const { count, decays, means, minima } = buffer;
  const upload = (values: Float64Array) => backend.tensor(values, [1, AVERAGES]);
  return { on: 'device', count, decays, means: upload(means), minima: upload(minima) };
}

/** 1 - decay^count: what a mean of `count` values must be divided by. */
export function lossCorrections(decays: Float64Array, count: number): number[] {
  const q: number[] = [];
  for (let k = 0; k < AVERAGES; k++) q.push(1 - decays[k]! ** count);
  return q;
}

export function pushHostLoss(buffer: HostLossBuffer, loss: number): HostLossBuffer {
  const { decays } = buffer;
  const count = buffer.count + 1;
  const q = lossCorrections(decays, count);
  // Quirk: the ceiling divides the old means by the corrections of the new count.
  const ceiling = buffer.count === 0 ? loss : Math.max(...q.map((correction, k) => buffer.means[k]! / correction));
  const x = Math.min(2 * Math.abs(ceiling), loss);
  // One allocation: it is a good part of what a step costs besides its kernels.
  const values = new Float64Array(2 * AVERAGES);
  const means = values.subarray(0, AVERAGES);
  const minima = values.subarray(AVERAGES);
  for (let k = 0; k < AVERAGES; k++) {
    means[k] = buffer.means[k]! * decays[k]! + x * (1 - decays[k]!);
    minima[k] = Math.min(buffer.minima[k]!, means[k]! / q[k]!);
  }
  return { on: 'host', count, decays, means, minima };
}

/** The nine features, `[-1, 1]` each; 0 during the first two losses. */
export function hostLossFeatures({ count, decays, means, minima }: HostLossBuffer): number[] {
  const averages = lossCorrections(decays, count).map((correction, k) => means[k]! / correction);
  return averages.slice(1).map((next, k) => {
    const low = minima[k]!;
    const progress = (averages[k]! - low) / Math.max(MINIMUM_PROGRESS, next - low);
    return count <= WARM_UP ? 0 : Math.max(-1, Math.min(1, progress - 1));
  });
}

/** Composed definition of the kernel `loss`: `pushHostLoss` and `hostLossFeatures`. */
export function deviceLoss<T extends Tensor>(
  backend: Backend<T>,
  { loss, count, decays, means, minima }: LossInputs<T>,
): LossOutputs<T> {
  const { abs, add, clip, div, max, maxOver, min, mul, reshape, slice, sub } = operations(backend);
  const decay = backend.tensor(decays, [1, AVERAGES]);
  const q = backend.tensor(lossCorrections(decays, count), [1, AVERAGES]);
  const value = reshape(loss, [1, 1]);
  const ceiling = count === 1 ? value : maxOver(div(means, q), 1);
  const x = min(mul(abs(ceiling), 2), value);
  const pushed = add(mul(means, decay), mul(sub(1, decay), x));
  const averages = div(pushed, q);
  const lows = min(minima, averages);
  const low = slice(lows, 1, 0, FEATURES);
  const progress = div(
    sub(slice(averages, 1, 0, FEATURES), low),
    max(sub(slice(averages, 1, 1, AVERAGES), low), MINIMUM_PROGRESS),
  );
  // A factor rather than an early return: the third step shall run no operation that the first did not.
  const warm = backend.tensor([count <= WARM_UP ? 0 : 1], [1, 1]);
  return { means: pushed, minima: lows, features: mul(clip(sub(progress, 1), -1, 1), warm) };
}

/** The buffer for another length of training: half-lives change, bias-corrected means and minima stay. */
export function withTotalSteps<T extends Tensor>(
  backend: Backend<T>,
  buffer: LossBuffer<T>,
  totalSteps: number,
): LossBuffer<T> {
  const decays = lossDecays(totalSteps);
  const { count } = buffer;
  const before = lossCorrections(buffer.decays, count);
  const rescale = lossCorrections(decays, count).map((q, k) => (count === 0 ? 1 : q / before[k]!));
  if (buffer.on === 'host') return { ...buffer, decays, means: buffer.means.map((mean, k) => mean * rescale[k]!) };
  return { ...buffer, decays, means: backend.binary('mul', buffer.means, backend.tensor(rescale, [1, AVERAGES])) };
}
