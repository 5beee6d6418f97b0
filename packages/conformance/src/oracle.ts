/**
 * VeLO written down a second time, in plain double arithmetic and without the contract, as a witness for the suite.
 *
 * Each `Mistake` is a plausible misreading of the specification. A quirk's test runs the backend beside the oracle with
 * and without the mistake: it must agree with the one and, to show that the test can fail, stay away from the other.
 */
import { factoredAxes, type Shape, sizeOf, type Theta } from '@velojs/core';

export type Mistake =
  | 'dead layer is used'
  | 'no ceiling on the loss'
  | 'loss ceiling corrects with the old count'
  | 'loss features with the low of the next mean'
  | 'last half-life at least 10'
  | 'training fraction stops at 1'
  | 'second moment is scaled by z squared'
  | 'second moment varies around its own mean'
  | 'rank counts axes of size 1'
  | 'rank of five axes and more is 4'
  | 'pool without relu'
  | 'no pool'
  | 'gates in the order i, f, g, o'
  | 'nothing added to the forget gate'
  | 'initial state is zero'
  | 'controller sees advanced accumulators'
  | 'MLP sees old accumulators'
  | 'ties in reverse order'
  | 'floor under fac_m of vectors'
  | 'scalars are not normalised by themselves'
  | 'a scalar varies around zero'
  | 'gradients are clipped before they are averaged'
  | 'third output is added'
  | 'bias correction'
  | 'decays in double'
  | 'weight decay as gradient and function'
  | 'weight decay leaves the loss alone'
  | 'tail of an accumulation is applied'
  | 'accumulated gradients are summed';

export interface OracleOptions {
  readonly theta: Theta;
  readonly shapes: readonly Shape[];
  readonly parameters: readonly ArrayLike<number>[];
  readonly totalSteps: number;
  readonly weightDecay?: number;
  readonly maxTrainingSteps?: number;
  readonly mistake?: Mistake;
}

export interface Oracle {
  /** One call of the optimizer; returns the parameters after it. */
  step(gradients: readonly (ArrayLike<number> | null)[], loss: number): Float64Array[];
}

type Vector = Float64Array;
type Triple = readonly [Vector, Vector, Vector];

interface TensorState {
  readonly shape: Shape;
  readonly size: number;
  /** For each entry its index in `rows` and `columns`; null below rank 2. */
  readonly axes: { rowOf: number[]; columnOf: number[]; groupOf: number[]; d0: number; d1: number } | null;
  p: Vector;
  m: Triple;
  r: Vector;
  rows: Triple;
  columns: Triple;
  h: Vector;
  c: Vector;
}

const f = Math.fround;
const DECAYS = [0.9, 0.99, 0.999];
const SCALES = [0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1].map(f);
const CHANNELS = [0, 1, 2] as const;

const vector = (size: number, value: (i: number) => number = () => 0): Vector =>
  Float64Array.from({ length: size }, (_, i) => value(i));
const triple = (of: (channel: 0 | 1 | 2) => Vector): Triple => [of(0), of(1), of(2)];
const mean = (x: Vector): number => x.reduce((sum, value) => sum + value, 0) / x.length;
const meanSquare = (x: Vector): number => mean(x.map((value) => value * value));
const clip = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);
const rsqrt = (x: number) => 1 / Math.sqrt(x);
const floorRsqrt = (x: number) => rsqrt(Math.max(x, f(1e-9)));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const logMagnitude = (x: number) => clip(Math.log(f(1e-8) + Math.abs(10 * x)), -5, 5) / 2;

/** `x W + b` for one row; `W` is `[inputs, outputs]`. */
const affine = (x: Vector, weight: ArrayLike<number>, bias: ArrayLike<number>): Vector =>
  vector(bias.length, (o) => x.reduce((sum, value, i) => sum + value * weight[i * bias.length + o]!, bias[o]!));

/** Index of every entry of `shape` in the row-major tensor that lacks `without`. */
function indicesWithout(shape: Shape, without: readonly number[]): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, entry) => {
    const position = shape.map((axis, a) => Math.floor(entry / sizeOf(shape.slice(a + 1))) % axis);
    return shape.reduce((index, axis, a) => (without.includes(a) ? index : index * axis + position[a]!), 0);
  });
}

function meanBy(x: Vector, groupOf: readonly number[], groups: number): Vector {
  const sums = vector(groups);
  const counts = vector(groups);
  x.forEach((value, i) => {
    sums[groupOf[i]!]! += value;
    counts[groupOf[i]!]! += 1;
  });
  return sums.map((sum, group) => sum / counts[group]!);
}

export function createOracle(options: OracleOptions): Oracle {
  const { theta, shapes, weightDecay = 0, maxTrainingSteps = 150_000, mistake } = options;
  const { leaves, hiddenSize: H, bankSize: K } = theta;
  const every = options.totalSteps > maxTrainingSteps ? Math.ceil(options.totalSteps / maxTrainingSteps) : 1;
  const N = Math.floor(options.totalSteps / every);
  const decays = mistake === 'decays in double' ? DECAYS : DECAYS.map(f);
  const slow = decays[2]!;

  const lossDecays = vector(10, (k) => {
    const last = mistake === 'last half-life at least 10' ? Math.max(N, 10) : N;
    return f(Math.exp(-1 / 10 ** (1 + ((Math.log10(last) - 1) * k) / 9)));
  });
  let means = vector(10);
  let lows = vector(10, () => f(999999999999));
  let t = 0;

  const tensors = shapes.map((shape, j): TensorState => {
    const size = sizeOf(shape);
    const factored = factoredAxes(shape);
    let axes: TensorState['axes'] = null;
    if (factored) {
      let [d1, d0] = factored;
      if (mistake === 'ties in reverse order' && shape[d0] === shape[d1]) [d1, d0] = [d0, d1];
      axes = {
        d0,
        d1,
        rowOf: indicesWithout(shape, [d0]),
        columnOf: indicesWithout(shape, [d1]),
        groupOf: indicesWithout(shape, [d0, d1]),
      };
    }
    const rows = axes ? size / shape[axes.d0]! : size;
    const columns = axes ? size / shape[axes.d1]! : 0;
    const initial = (from: Float32Array) => vector(H, (i) => (mistake === 'initial state is zero' ? 0 : from[i]!));
    return {
      shape,
      size,
      axes,
      p: Float64Array.from(options.parameters[j]!),
      m: triple(() => vector(size)),
      r: vector(size),
      rows: triple(() => vector(rows)),
      columns: triple(() => vector(columns)),
      h: initial(leaves.initialHidden),
      c: initial(leaves.initialCell),
    };
  });

  /** SPEC section 6. */
  function lossFeatures(loss: number): Vector {
    const corrections = (count: number) => lossDecays.map((decay) => 1 - decay ** count);
    const q = corrections(t + 1);
    const old = mistake === 'loss ceiling corrects with the old count' ? corrections(t) : q;
    const ceiling = t === 0 ? loss : Math.max(...means.map((value, k) => value / old[k]!));
    const x = mistake === 'no ceiling on the loss' ? loss : Math.min(2 * Math.abs(ceiling), loss);
    means = means.map((value, k) => value * lossDecays[k]! + x * (1 - lossDecays[k]!));
    const averages = means.map((value, k) => value / q[k]!);
    lows = lows.map((low, k) => Math.min(low, averages[k]!));
    return vector(9, (k) => {
      if (t + 1 <= 2) return 0;
      const low = lows[k]!;
      const other = mistake === 'loss features with the low of the next mean' ? lows[k + 1]! : low;
      return clip((averages[k]! - low) / Math.max(f(1e-8), averages[k + 1]! - other) - 1, -1, 1);
    });
  }

  /** SPEC section 7. */
  function tensorFeatures({ p, m, r, shape }: TensorState, loss: Vector): Vector {
    const fraction = mistake === 'training fraction stops at 1' ? Math.min(1, t / N) : t / N;
    const z = rsqrt(Math.max(f(1e-9), meanSquare(p)));
    const scaleOfR = mistake === 'second moment is scaled by z squared' ? z * z : z;
    const r1 = r.map((value) => value * scaleOfR);
    const ms = m.map((channel) => channel.map((value) => value * z));
    const toZero = mistake === 'a scalar varies around zero';
    const around = (x: Vector, centre: number) => meanSquare(x.map((value) => value - centre));
    const wide = shape.filter((axis) => axis > 1 || mistake === 'rank counts axes of size 1').length;
    const rank = mistake === 'rank of five axes and more is 4' ? Math.min(wide, 4) : wide;
    const centreOfR = (i: number) => (mistake === 'second moment varies around its own mean' ? mean(r1) : mean(ms[i]!));
    return Float64Array.of(
      ...SCALES.map((scale) => Math.tanh(10 * (fraction - scale))),
      ...loss,
      logMagnitude(mean(r1)),
      ...[0, 1, 2, 3, 4].map((axes) => (axes === rank ? 1 : 0)),
      ...ms.map((channel) => logMagnitude(around(channel, shape.length === 0 && toZero ? 0 : mean(channel)))),
      ...CHANNELS.map((i) => logMagnitude(around(r1, centreOfR(i)))),
    );
  }

  /** SPEC section 8: controls and step factor of each tensor of `active`, whose LSTM advances. */
  function controller(active: readonly TensorState[], loss: Vector) {
    const inputs = active.map((tensor) => tensorFeatures(tensor, loss));
    const relu = (x: Vector) => x.map((value) => Math.max(value, 0));
    const pooled = inputs.map((x) => {
      const y = affine(x, leaves.poolWeight, leaves.poolBias);
      return mistake === 'pool without relu' ? y : relu(y);
    });
    const pool = vector(H, (i) => (mistake === 'no pool' ? 0 : Math.max(...pooled.map((row) => row[i]!))));
    return active.map((tensor, j) => {
      let y = affine(inputs[j]!, leaves.keepWeight, leaves.keepBias).map((value, i) => value + pool[i]!);
      if (mistake === 'dead layer is used' && theta.dead) {
        const dead = relu(affine(inputs[j]!, theta.dead.deadWeight, theta.dead.deadBias));
        y = y.map((value, i) => value + dead[i]!);
      }
      const gates = affine(Float64Array.of(...y, ...tensor.h), leaves.lstmWeight, leaves.lstmBias);
      const order = mistake === 'gates in the order i, f, g, o' ? [0, 2, 1, 3] : [0, 1, 2, 3];
      const [i, g, forget, o] = order.map((block) => gates.subarray(block * H, (block + 1) * H));
      const bias = mistake === 'nothing added to the forget gate' ? 0 : 1;
      tensor.c = tensor.c.map((cell, k) => sigmoid(forget![k]! + bias) * cell + sigmoid(i![k]!) * Math.tanh(g![k]!));
      tensor.h = tensor.c.map((cell, k) => sigmoid(o![k]!) * Math.tanh(cell));
      return {
        controls: affine(tensor.h, leaves.controlsWeight, leaves.controlsBias),
        stepFactor: affine(tensor.h, leaves.stepWeight, leaves.stepBias)[0]!,
      };
    });
  }

  /** SPEC section 9. */
  function accumulate(tensor: TensorState, g: Vector): void {
    const { axes } = tensor;
    const toward = (old: Vector, next: Vector, decay: number) =>
      old.map((value, i) => decay * value + (1 - decay) * next[i]!);
    const squares = g.map((value) => value * value);
    const e = squares.map((value) => value + f(1e-30));
    tensor.m = triple((i) => toward(tensor.m[i], g, decays[i]!));
    tensor.r = toward(tensor.r, squares, slow);
    if (!axes) {
      tensor.rows = triple((i) => toward(tensor.rows[i], e, decays[i]!));
      return;
    }
    const rowMeans = meanBy(e, axes.rowOf, tensor.rows[0].length);
    const columnMeans = meanBy(e, axes.columnOf, tensor.columns[0].length);
    tensor.rows = triple((i) => toward(tensor.rows[i], rowMeans, decays[i]!));
    tensor.columns = triple((i) => toward(tensor.columns[i], columnMeans, decays[i]!));
  }

  /** SPEC section 11: the 30 columns of the MLP's inputs, normalised. */
  function mlpInputs({ p, m, r, rows, columns, axes, shape }: TensorState, g: Vector): Vector[] {
    const correct = (x: Vector, decay: number) =>
      mistake === 'bias correction' ? x.map((value) => value / (1 - decay ** (t + 1))) : x;
    const ms = triple((i) => correct(m[i], decays[i]!));
    const inverse = correct(r, slow).map((value) => rsqrt(value + f(1e-6)));
    const times = (x: Vector, y: Vector) => x.map((value, i) => value * y[i]!);
    let row: Triple;
    let column: Triple;
    let factor: Triple;
    let momentumFactor: Triple;
    if (axes) {
      const { rowOf, columnOf, groupOf } = axes;
      const groups = Math.max(...groupOf) + 1;
      row = triple((i) => vector(g.length, (entry) => rows[i][rowOf[entry]!]!));
      column = triple((i) => vector(g.length, (entry) => columns[i][columnOf[entry]!]!));
      factor = triple((i) => {
        // Every row is counted equally often, so the mean over entries is the mean over rows.
        const rowMeans = meanBy(row[i], groupOf, groups);
        return vector(g.length, (entry) => {
          const relative = row[i][entry]! / (rowMeans[groupOf[entry]!]! + f(1e-9));
          return floorRsqrt(relative) * floorRsqrt(column[i][entry]!);
        });
      });
      momentumFactor = factor;
    } else {
      row = rows;
      column = rows;
      factor = triple((i) => rows[i].map((value) => floorRsqrt(value + f(1e-9))));
      momentumFactor =
        mistake === 'floor under fac_m of vectors' ? factor : triple((i) => rows[i].map((value) => rsqrt(value)));
    }
    const inverseOf = (x: Triple) => x.map((channel) => channel.map((value) => rsqrt(value + f(1e-8))));
    const raw = [
      g,
      g.map((value) => clip(value, -f(0.1), f(0.1))),
      p,
      ...ms,
      r,
      ...ms.map((channel) => times(channel, inverse)),
      inverse,
      ...factor.map((channel) => times(g, channel)),
      times(g, inverse),
      ...row,
      ...column,
      ...inverseOf(row),
      ...inverseOf(column),
      ...ms.map((channel, i) => times(channel, momentumFactor[i]!)),
    ];
    const asIs = mistake === 'scalars are not normalised by themselves' && shape.length === 0;
    return raw.map((x) => {
      const normalizer = asIs ? 1 : rsqrt(f(1e-5) + meanSquare(x));
      return x.map((value) => value * normalizer);
    });
  }

  /** SPEC section 11: the step; `inputs` are columns. */
  function move(tensor: TensorState, inputs: readonly Vector[], controls: Vector, stepFactor: number): void {
    const generate = (bank: ArrayLike<number>) => {
      const size = bank.length / K;
      return vector(size, (i) => (100 / K) * controls.reduce((sum, u, k) => sum + u * bank[k * size + i]!, 0));
    };
    const weights = [leaves.bankWeight0, leaves.bankWeight1, leaves.bankWeight2].map(generate);
    const biases = [leaves.bankBias0, leaves.bankBias1, leaves.bankBias2].map(generate);
    const size = Math.sqrt(meanSquare(tensor.p) + f(1e-9));
    tensor.p = tensor.p.map((p, entry) => {
      let x = vector(30, (column) => inputs[column]![entry]!);
      x = affine(x, weights[0]!, biases[0]!).map((value) => Math.max(value, 0));
      x = affine(x, weights[1]!, biases[1]!).map((value) => Math.max(value, 0));
      x = affine(x, weights[2]!, biases[2]!);
      const direction = x[0]! + (mistake === 'third output is added' ? x[2]! : 0);
      return p - stepFactor * direction * size * Math.exp(f(0.001) * x[1]!) * f(0.001);
    });
  }

  function update(gradients: readonly (Vector | null)[], loss: number): void {
    const features = lossFeatures(loss);
    const clipped = gradients.map((g) => g?.map((value) => clip(value, -1000, 1000)) ?? null);
    const active = tensors.filter((_, j) => clipped[j]);
    const activeGradients = clipped.filter((g) => g !== null);
    const advance = () => {
      for (const [j, tensor] of active.entries()) accumulate(tensor, activeGradients[j]!);
    };
    if (mistake === 'controller sees advanced accumulators') advance();
    const outputs = active.length > 0 ? controller(active, features) : [];
    const inputsOf = (tensor: TensorState, j: number) => mlpInputs(tensor, activeGradients[j]!);
    // Its floor keeps the momentum feature of a vector finite before the first gradient.
    const early = mistake === 'MLP sees old accumulators' && t > 0 ? active.map(inputsOf) : null;
    if (mistake !== 'controller sees advanced accumulators') advance();
    const inputs = early ?? active.map(inputsOf);
    for (const [j, tensor] of active.entries()) {
      move(tensor, inputs[j]!, outputs[j]!.controls, outputs[j]!.stepFactor);
    }
    t += 1;
  }

  let sums = tensors.map((tensor) => vector(tensor.size));
  let lossSum = 0;
  let calls = 0;

  return {
    step(gradients, loss) {
      let decayed = gradients.map((g) => g && Float64Array.from(g));
      let total = loss;
      if (weightDecay > 0) {
        const decay = f(weightDecay);
        const factor = mistake === 'weight decay as gradient and function' ? 0.5 : 1;
        decayed = decayed.map((g, j) => g?.map((value, i) => value + decay * tensors[j]!.p[i]!) ?? null);
        if (mistake !== 'weight decay leaves the loss alone') {
          for (const { p, size } of tensors) total += factor * decay * meanSquare(p) * size;
        }
      }
      calls += 1;
      if (mistake === 'gradients are clipped before they are averaged') {
        decayed = decayed.map((g) => g?.map((value) => clip(value, -1000, 1000)) ?? null);
      }
      if (every === 1) update(decayed, total);
      else {
        sums = sums.map((sum, j) => sum.map((value, i) => value + decayed[j]![i]!));
        lossSum += total;
        const ends = mistake === 'tail of an accumulation is applied' && calls === options.totalSteps;
        if (calls % every === 0 || ends) {
          const averaged = mistake === 'accumulated gradients are summed' ? 1 : every;
          update(
            sums.map((sum) => sum.map((value) => value / averaged)),
            lossSum / every,
          );
          sums = sums.map((sum) => vector(sum.length));
          lossSum = 0;
        }
      }
      return tensors.map((tensor) => Float64Array.from(tensor.p));
    },
  };
}
