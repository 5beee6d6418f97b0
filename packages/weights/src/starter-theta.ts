/**
 * The starter theta: an optimizer written by hand, weight by weight, in VeLO's network. Nothing here was trained.
 *
 * It is the default until trained weights exist, the point meta-training starts from, and a demonstration of how the
 * network encodes an optimizer. Each function is one mechanism; `docs/starter-theta.md` adds measurements and limits.
 *
 * Symbols follow SPEC sections 7, 8 and 11: features x_0..x_29 of a tensor, LSTM units h_u, step factor s; sg is the
 * logistic function and f = t / N the fraction of training done.
 */
import { createTheta, sizeOf, type Theta, type ThetaLeaf, thetaShapes, VeloError } from '@velojs/core';
import { FRACTION_SCALES } from '@velojs/core/constants';

/** Features of a tensor used here, rows of the keep layer. */
const FRACTION = 0;
const LOG_SECOND_MOMENT = 18;
const RANK = 19;
const LOG_MOMENTUM_VARIANCE = 24;
const LOG_SECOND_MOMENT_SPREAD = 27;

/** LSTM units with a task. Unit 1 could hold the fraction feature of scale 0.1, which nothing here reads. */
const FRACTION_UNITS = [0, 2, 3, 4, 5, 6, 7, 8];
const SCALAR_GATE = 1;
const TENSOR_GATE = 9;
const SENSOR = 10;
const LAGGING_SENSOR = 11;
const UNITS_NEEDED = 12;

/** Inputs of a parameter used here, rows of the bank's first layer. */
const MOMENTUM_OVER_ROOT_SECOND_MOMENT = 7;
const MOMENTUM_OVER_FACTORED_ROOT = 27;

/** Biases of the LSTM's gates; the network adds 1 to the forget gate's at run time. */
const OPEN = 4;
const FORGETTING = -5;
const GATES = { input: 0, candidate: 1, forget: 2, output: 3 } as const;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** What a pass-through unit makes of its candidate. */
const passed = (x: number) => sigmoid(OPEN) * Math.tanh(Math.tanh(x));
/** The most it can give. */
const PASSED_MAXIMUM = sigmoid(OPEN) * Math.tanh(1);

/** Zeros of theta's shapes, to write single weights into. Indices follow the leaf's shape; matrices are (inputs, outputs). */
type Draft = ReturnType<typeof draft>;

/**
 * A theta written by hand: normalised momentum, with a step that fits the length of training and falls to nothing at
 * its end. Deterministic; every H and K give the same optimizer up to rounding, the rest being spare weights of no effect.
 *
 * @param options.hiddenSize H, LSTM width: a whole number >= 12 (default 16).
 * @param options.bankSize K, networks in the bank: a whole number >= 1 (default 4).
 * @throws VeloError `INVALID_ARGUMENT`
 * @example
 * ```ts
 * const theta = starterTheta();
 * theta.leaves.keepWeight.length; // 30 * 16
 * ```
 */
export function starterTheta(options: { readonly hiddenSize?: number; readonly bankSize?: number } = {}): Theta {
  const { hiddenSize = 16, bankSize = 4 } = options;
  if (!(Number.isSafeInteger(hiddenSize) && hiddenSize >= UNITS_NEEDED)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `hiddenSize must be a whole number >= ${UNITS_NEEDED}, the units that the starter theta needs; got ${hiddenSize}.`,
    );
  }
  if (!(Number.isSafeInteger(bankSize) && bankSize >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `bankSize must be a whole number >= 1; got ${bankSize}.`);
  }
  const theta = draft(hiddenSize, bankSize);
  trainingFraction(theta);
  decayingSchedule(theta);
  tinyTensorGate(theta);
  tinyScalarGate(theta);
  horizonSensor(theta);
  normalisedMomentum(theta);
  spareWeights(theta);
  return createTheta(theta.tensors);
}

/**
 * Makes an LSTM unit hand on its own input: h_u = sg(4) tanh(tanh(weight * y_u)).
 *
 * With the input gate at sg(4) and the forget gate at sg(-5 + 1), a constant candidate g gives
 * c = sg(4) tanh(g) / (1 - sg(-4)) = tanh(g), exactly, and the output gate sg(4) tanh(c).
 */
function passThrough({ set }: Draft, unit: number, weight: number): void {
  set('lstmWeight', [unit, unit], weight, GATES.candidate);
  set('lstmBias', [unit], OPEN, GATES.input);
  set('lstmBias', [unit], FORGETTING, GATES.forget);
  set('lstmBias', [unit], OPEN, GATES.output);
}

/** Weight between a fraction feature and its unit's candidate. */
const FRACTION_WEIGHT = 0.7;

/** Unit i holds the fraction feature of scale i, a clock that turns from -1 to 1 around f = scale_i. */
function trainingFraction(theta: Draft): void {
  for (const i of FRACTION_UNITS) {
    theta.set('keepWeight', [FRACTION + i, i], 1);
    passThrough(theta, i, FRACTION_WEIGHT);
  }
}

/**
 * s = 8 sum_i w_i (1 - h_i / h_max) / 2: a step of 0.8 % of the parameters' rms that falls to 0 in the stairs of the
 * clocks, smooth since each takes about a tenth of training to turn.
 */
function decayingSchedule({ set, add }: Draft): void {
  const start = 8;
  const weights = { 2: 0.2, 3: 0.25, 4: 0.25, 5: 0.15, 6: 0.1, 7: 0.05 };
  for (const [i, weight] of Object.entries(weights)) {
    set('stepWeight', [Number(i), 0], (-start * weight) / (2 * passed(FRACTION_WEIGHT)));
    add('stepBias', [0], (start * weight) / 2);
  }
}

/** A gate's unit g adds 150 (1 + h_g / h_max) to s: nothing where it is shut, 30 % of the rms where it is open. */
function gate(theta: Draft, unit: number): void {
  const opened = 150;
  passThrough(theta, unit, 1);
  theta.set('stepWeight', [unit, 0], opened / PASSED_MAXIMUM);
  theta.add('stepBias', [0], opened);
}

/**
 * Opens for tensors that are tiny beside their momentum, such as zero biases and zero output layers: steps are
 * proportional to the parameters' rms, and would take thousands of steps to leave 0.
 *
 * With z = 1 / rms(p), x_24 - x_18 is ln(z var(m) / mean(r)) / 2, which no scale of the loss changes; x_27, the size of
 * momentum beside the parameters, does depend on it and has less weight. Vectors, mostly biases, get in more easily;
 * tensors of rank 2 and above share one threshold. All-zero rank features (rank >= 5) do not matter to it.
 */
function tinyTensorGate(theta: Draft): void {
  gate(theta, TENSOR_GATE);
  const keep = (feature: number, weight: number) => theta.set('keepWeight', [feature, TENSOR_GATE], weight);
  keep(LOG_MOMENTUM_VARIANCE, 1.05);
  keep(LOG_SECOND_MOMENT, -1.05);
  keep(LOG_SECOND_MOMENT_SPREAD, 0.45);
  keep(RANK + 1, 1);
  // Tensors of one entry have no variance, and a gate of their own.
  keep(RANK + 0, -4);
  theta.set('keepBias', [TENSOR_GATE], -2.8);
}

/**
 * The same for tensors of one entry (scalars, the bias of a single output), for which x_24 is always -2.5: their momentum
 * shows in x_27 = ln(z^2 (r - m)^2) / 2 alone, whose weight is the sum of both above. A single number also takes full
 * steps of one sign where a larger tensor averages over its entries, so that the gate closes from about f = 0.7 on.
 */
function tinyScalarGate(theta: Draft): void {
  gate(theta, SCALAR_GATE);
  const keep = (feature: number, weight: number) => theta.set('keepWeight', [feature, SCALAR_GATE], weight);
  keep(LOG_SECOND_MOMENT_SPREAD, 1.5);
  keep(LOG_SECOND_MOMENT, -1.05);
  keep(FRACTION + 4, -0.75);
  keep(FRACTION + 5, -0.75);
  // Far in the shut range unless the rank feature says that there is one entry.
  const onlyScalars = 12;
  keep(RANK + 0, onlyScalars);
  theta.set('keepBias', [SCALAR_GATE], -2.5 - onlyScalars);
}

/**
 * The only way to tell how long training is: how fast f moves. Unit 10 follows a curve a(f) with a'(f) = about 1 - f, and
 * unit 11 its average over the last 21 steps; their difference is about 21 / N (1 - f). With weights of +-250 on s
 * that adds about 4 / N (1 - f) of the parameters' rms to the step, once 21 steps have passed.
 */
function horizonSensor(theta: Draft): void {
  // Non-negative least squares for the curve a(f) = sum_i weights_i tanh(10 (f - scale_i)).
  const weights = [0.09, 0, 0.0718, 0.0607, 0.0394, 0.0196, 0, 0.0006, 0];
  const curve = (f: number) =>
    weights.reduce((sum, weight, i) => sum + weight * Math.tanh(10 * (f - FRACTION_SCALES[i]!)), 0);
  const middle = (curve(0) + curve(1)) / 2;
  for (const unit of [SENSOR, LAGGING_SENSOR]) {
    for (const [i, weight] of weights.entries()) theta.set('keepWeight', [FRACTION + i, unit], weight);
    theta.set('keepBias', [unit], -middle);
    passThrough(theta, unit, 1);
  }
  // sg(-3) = 1 - sg(2 + 1): an exponential average, over 1 / sg(-3) = 21 steps.
  theta.set('lstmBias', [LAGGING_SENSOR], -3, GATES.input);
  theta.set('lstmBias', [LAGGING_SENSOR], 2, GATES.forget);
  // As if f had been 0 for long, so that the difference grows from about 0.
  theta.set('initialCell', [0, LAGGING_SENSOR], Math.tanh(curve(0) - middle));
  theta.set('stepWeight', [SENSOR, 0], 250);
  theta.set('stepWeight', [LAGGING_SENSOR, 0], -250);
}

/**
 * Direction = mean of two kinds of normalised momentum, m / sqrt(r) (as Adam's) and m times the factored scales (as
 * Adafactor's). Both relu layers would cut it at 0, so it passes as a pair: relu(x) - relu(-x) = x. A second pair carries
 * the factored one alone to the output layer, which ignores it: a handle for meta-training.
 *
 * Generated weights are 100 / K sum_k u_k A_k; only slot 0 has a control u_0 = 0.4, so values times K / (100 * 0.4) there
 * come out as written.
 */
function normalisedMomentum({ set, bankSize }: Draft): void {
  const control = 0.4;
  const one = bankSize / (100 * control);
  set('controlsBias', [0], control);
  for (const [unit, sign] of [1, -1].entries()) {
    set('bankWeight0', [0, MOMENTUM_OVER_ROOT_SECOND_MOMENT, unit], (sign * one) / 2);
    set('bankWeight0', [0, MOMENTUM_OVER_FACTORED_ROOT, unit], (sign * one) / 2);
    set('bankWeight0', [0, MOMENTUM_OVER_FACTORED_ROOT, 2 + unit], sign * one);
    set('bankWeight2', [0, unit, 0], sign * one);
  }
  for (const unit of [0, 1, 2, 3]) set('bankWeight1', [0, unit, unit], one);
}

/**
 * Small random weights in what is left: LSTM units that no head reads, bank networks that no control turns on. Without
 * them meta-training would have nothing to tell these apart by.
 */
function spareWeights({ set, hiddenSize: H, bankSize: K }: Draft): void {
  const normal = normalNumbers(20221117);
  for (let unit = UNITS_NEEDED; unit < H; unit++) {
    for (let feature = 0; feature < 30; feature++) set('keepWeight', [feature, unit], normal() / Math.sqrt(30));
    for (const block of Object.values(GATES)) {
      for (let i = 0; i < 2 * H; i++) set('lstmWeight', [i, unit], (0.5 * normal()) / Math.sqrt(2 * H), block);
    }
  }
  for (let k = 1; k < K; k++) {
    for (let output = 0; output < 4; output++) {
      for (let i = 0; i < 30; i++) set('bankWeight0', [k, i, output], 0.1 * normal());
      for (let i = 0; i < 4; i++) set('bankWeight1', [k, i, output], 0.2 * normal());
      set('bankBias0', [k, output], 0.1 * normal());
      set('bankBias1', [k, output], 0.1 * normal());
    }
    for (let output = 0; output < 3; output++) {
      for (let i = 0; i < 4; i++) set('bankWeight2', [k, i, output], 0.2 * normal());
    }
  }
}

/**
 * Standard normal numbers, nearly: twelve uniform ones summed, minus 6. Uses no function that engines may round
 * differently, so every platform draws the same. The uniform numbers are mulberry32's.
 */
function normalNumbers(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += uniform();
    return sum;
  };
}

function draft(hiddenSize: number, bankSize: number) {
  const { deadWeight: _w, deadBias: _b, ...shapes } = thetaShapes(hiddenSize, bankSize);
  const tensors = Object.fromEntries(
    Object.entries(shapes).map(([leaf, shape]) => [leaf, { shape, data: new Float64Array(sizeOf(shape)) }]),
  ) as Record<ThetaLeaf, { shape: number[]; data: Float64Array }>;
  /** `block`: which of the four H-wide blocks of gates, for the LSTM's leaves. */
  const offset = (leaf: ThetaLeaf, index: readonly number[], block: number) => {
    const last = index.at(-1)! + block * hiddenSize;
    return index.with(-1, last).reduce((sum, i, axis) => sum * tensors[leaf].shape[axis]! + i, 0);
  };
  const set = (leaf: ThetaLeaf, index: readonly number[], value: number, block = 0) => {
    tensors[leaf].data[offset(leaf, index, block)] = value;
  };
  const add = (leaf: ThetaLeaf, index: readonly number[], value: number) => {
    tensors[leaf].data[offset(leaf, index, 0)]! += value;
  };
  return { hiddenSize, bankSize, tensors, set, add };
}
