/**
 * The starter theta: an optimizer written by hand, weight by weight, in VeLO's network. Nothing here was trained.
 *
 * It is the default until trained weights exist, the point meta-training starts from, and a demonstration of how the
 * network encodes an optimizer. `docs/starter-theta.md` explains it with formulas and measurements; each function below
 * is one mechanism. Symbols follow SPEC sections 7, 8 and 11; sg is the logistic function.
 */
import { createTheta, type Theta, type ThetaLeaf, thetaShapes, VeloError } from '@velojs/core';

/** Rows of the mixing layers: the features of a tensor that are used here (SPEC section 7). */
const FRACTION = 0;
const LOG_SECOND_MOMENT = 18;
const RANK = 19;
const LOG_MOMENTUM_VARIANCE = 24;
const LOG_SECOND_MOMENT_SPREAD = 27;
/** Rows of the bank's first layer: the inputs of a parameter that are used here (SPEC section 11). */
const MOMENTUM_BY_SECOND_MOMENT = 7;
const MOMENTUM_BY_FACTORED = 27;

/** Time scales of the training fraction features. */
const SCALES = [0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1];

/** LSTM units with a task. */
const FRACTION_UNITS = SCALES.map((_, i) => i);
const GATE_UNIT = 9;
const SENSOR_UNIT = 10;
const LAGGING_SENSOR_UNIT = 11;
const UNITS_NEEDED = 12;

/** Blocks of the LSTM's gates, in their order in memory. */
const I = 0;
const G = 1;
const F = 2;
const O = 3;

/** What makes a unit hand on its input: gates open, memory erased. The network adds 1 to the forget gate itself. */
const OPEN = 4;
const ERASED = -5;

/** Writes single weights into zeros; matrices are (inputs, outputs). */
interface Draft {
  readonly hiddenSize: number;
  readonly bankSize: number;
  set(leaf: ThetaLeaf, index: readonly number[], value: number): void;
}

/** Weights of the training fraction features in the horizon sensor: their sum is close to a falling straight line. */
const SENSOR = [0.09, 0, 0.0718, 0.0607, 0.0394, 0.0196, 0, 0.0006, 0];
/** Weights of the units in the schedule, by time scale. */
const SCHEDULE = [0, 0, 0.2, 0.25, 0.25, 0.15, 0.1, 0.05, 0];

const sg = (x: number) => 1 / (1 + Math.exp(-x));
/** What a pass-through unit shows of its gate input g. */
const passed = (g: number) => sg(OPEN) * Math.tanh(Math.tanh(g));

export function starterTheta({ hiddenSize = 16, bankSize = 4 }: { hiddenSize?: number; bankSize?: number } = {}): Theta {
  if (!(Number.isSafeInteger(hiddenSize) && hiddenSize >= UNITS_NEEDED)) {
    throw new VeloError('INVALID_ARGUMENT', `hiddenSize must be a whole number >= ${UNITS_NEEDED}; got ${hiddenSize}.`);
  }
  if (!(Number.isSafeInteger(bankSize) && bankSize >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `bankSize must be a whole number >= 1; got ${bankSize}.`);
  }
  const { deadWeight: _w, deadBias: _b, ...shapes } = thetaShapes(hiddenSize, bankSize);
  const tensors = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }]),
  );
  const draft: Draft = {
    hiddenSize,
    bankSize,
    set(leaf, index, value) {
      const { shape, data } = tensors[leaf]!;
      data[index.reduce((at, i, axis) => at * shape[axis]! + i, 0)] = value;
    },
  };
  const H = hiddenSize;
  const gain = (u: number, value: number) => draft.set('lstmWeight', [u, G * H + u], value);
  const bias = (u: number, block: number, value: number) => draft.set('lstmBias', [block * H + u], value);
  for (let u = 0; u < UNITS_NEEDED; u++) {
    bias(u, I, OPEN);
    bias(u, F, ERASED);
    bias(u, O, OPEN);
  }
  for (const u of FRACTION_UNITS) {
    draft.set('keepWeight', [FRACTION + u, u], 1);
    gain(u, 0.7);
  }
  draft.set('keepWeight', [LOG_MOMENTUM_VARIANCE, GATE_UNIT], 1.05);
  draft.set('keepWeight', [LOG_SECOND_MOMENT_SPREAD, GATE_UNIT], 0.45);
  draft.set('keepWeight', [LOG_SECOND_MOMENT, GATE_UNIT], -1.05);
  draft.set('keepWeight', [RANK + 1, GATE_UNIT], 1);
  draft.set('keepBias', [GATE_UNIT], -2.8);
  gain(GATE_UNIT, 1);
  const line = (f: number) => SENSOR.reduce((sum, w, i) => sum + w * Math.tanh(10 * (f - SCALES[i]!)), 0);
  const center = -(line(0) + line(1)) / 2;
  for (const u of [SENSOR_UNIT, LAGGING_SENSOR_UNIT]) {
    SENSOR.forEach((w, i) => {
      draft.set('keepWeight', [FRACTION + i, u], w);
    });
    draft.set('keepBias', [u], center);
    gain(u, 1);
  }
  bias(LAGGING_SENSOR_UNIT, F, 2);
  bias(LAGGING_SENSOR_UNIT, I, -3);
  draft.set('initialCell', [0, LAGGING_SENSOR_UNIT], Math.tanh(line(0) + center));

  const open = passed(30);
  SCHEDULE.forEach((w, i) => {
    draft.set('stepWeight', [i, 0], (-8 * w) / (2 * passed(0.7)));
  });
  draft.set('stepWeight', [GATE_UNIT, 0], 150 / open);
  draft.set('stepWeight', [SENSOR_UNIT, 0], 250);
  draft.set('stepWeight', [LAGGING_SENSOR_UNIT, 0], -250);
  draft.set('stepBias', [0], 8 / 2 + 150);

  draft.set('controlsBias', [0], 0.4);
  const q = bankSize / (100 * 0.4);
  for (const [unit, sign] of [[0, 1], [1, -1]] as const) {
    draft.set('bankWeight0', [0, MOMENTUM_BY_SECOND_MOMENT, unit], 0.5 * sign * q);
    draft.set('bankWeight0', [0, MOMENTUM_BY_FACTORED, unit], 0.5 * sign * q);
    draft.set('bankWeight0', [0, MOMENTUM_BY_FACTORED, unit + 2], sign * q);
    draft.set('bankWeight2', [0, unit, 0], sign * q);
  }
  for (let u = 0; u < 4; u++) draft.set('bankWeight1', [0, u, u], q);
  return createTheta(tensors);
}
