import { cpu } from '@velojs/backend-cpu';
import { createVelo, sizeOf, type Theta } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { checkpointFromTheta } from './checkpoint-tree.ts';
import { starterTheta } from './starter-theta.ts';

type Values = Record<string, Float32Array>;

/** Something to minimise, with gradients written by hand. */
interface Problem {
  readonly shapes: Record<string, readonly number[]>;
  readonly initial: Record<string, readonly number[]>;
  /** At step t, usually of a mini-batch. */
  lossAndGradients(values: Values, t: number): { loss: number; gradients: Values };
  /** Of everything. */
  loss(values: Values): number;
}

const numbers = (seed: number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.sqrt(3) * (state / 2 ** 31 - 1); // uniform, mean 0, variance 1
  };
};
const draw = (length: number, next: () => number, scale = 1) => Array.from({ length }, () => scale * next());

function trainVelo(problem: Problem, totalSteps: number, theta: Theta = starterTheta()): Values {
  const parameters = Object.fromEntries(
    Object.entries(problem.shapes).map(([name, shape]) => [name, { shape, data: problem.initial[name]! }]),
  );
  const velo = createVelo({ backend: cpu(), theta, parameters, totalSteps });
  const values = () =>
    Object.fromEntries(Object.entries(velo.parameters).map(([name, { data }]) => [name, data as Float32Array]));
  for (let t = 0; t < totalSteps; t++) {
    const { loss, gradients } = problem.lossAndGradients(values(), t);
    velo.step(gradients, loss);
  }
  return values();
}

function trainAdam(problem: Problem, totalSteps: number, learningRate = 1e-3): Values {
  const values = Object.fromEntries(Object.entries(problem.initial).map(([name, x]) => [name, Float32Array.from(x)]));
  const zeros = () => Object.fromEntries(Object.entries(values).map(([name, x]) => [name, new Float64Array(x.length)]));
  const [m, v] = [zeros(), zeros()];
  for (let t = 0; t < totalSteps; t++) {
    const { gradients } = problem.lossAndGradients(values, t);
    for (const [name, x] of Object.entries(values)) {
      for (const [i, g] of gradients[name]!.entries()) {
        m[name]![i] = 0.9 * m[name]![i]! + 0.1 * g;
        v[name]![i] = 0.999 * v[name]![i]! + 0.001 * g * g;
        const step = m[name]![i]! / (1 - 0.9 ** (t + 1)) / (Math.sqrt(v[name]![i]! / (1 - 0.999 ** (t + 1))) + 1e-8);
        x[i]! -= learningRate * step;
      }
    }
  }
  return values;
}

const startOf = (problem: Problem): Values =>
  Object.fromEntries(Object.entries(problem.initial).map(([name, x]) => [name, Float32Array.from(x)]));

/** Final loss over initial loss. */
const remaining = (problem: Problem, values: Values) => problem.loss(values) / problem.loss(startOf(problem));

/**
 * A network of one tanh layer, batches of 16 of 256 examples: fits sums of tanh of random projections (plus `offset`), or
 * tells which of them is the largest. `kernel` may give the first layer's 12 x 16 weights another shape.
 */
function network(options: {
  classes?: boolean;
  kernel?: readonly number[];
  zeroOutput?: boolean;
  lossScale?: number;
  offset?: number;
  /** Start of a scalar parameter that multiplies the outputs. */
  temperature?: number;
}): Problem {
  const { classes = false, zeroOutput = false, lossScale = 1, offset = 0 } = options;
  const [N, I, J, K] = [256, 12, 16, classes ? 4 : 1];
  const next = numbers(5);
  const x = draw(N * I, next);
  const projections = draw(I * 4, next, 1 / Math.sqrt(I));
  const hidden = Array.from({ length: N }, (_, n) =>
    Array.from({ length: 4 }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < I; i++) sum += x[n * I + i]! * projections[i * 4 + j]!;
      return sum;
    }),
  );
  const target = hidden.map((h) => h.reduce((sum, value) => sum + Math.tanh(2 * value), offset));
  const label = hidden.map((h) => h.indexOf(Math.max(...h)));

  function run(values: Values, examples: readonly number[]) {
    const { w1, b1, w2, b2 } = values as { w1: Float32Array; b1: Float32Array; w2: Float32Array; b2: Float32Array };
    const temperature = values.temperature?.[0] ?? 1;
    const gradients = Object.fromEntries(
      Object.entries(values).map(([name, { length }]) => [name, new Float64Array(length)]),
    ) as Record<string, Float64Array>;
    let total = 0;
    for (const n of examples) {
      const h = Array.from({ length: J }, (_, j) => {
        let sum = b1[j]!;
        for (let i = 0; i < I; i++) sum += x[n * I + i]! * w1[i * J + j]!;
        return Math.tanh(sum);
      });
      const raw = Array.from({ length: K }, (_, k) => {
        let sum = b2[k]!;
        for (let j = 0; j < J; j++) sum += h[j]! * w2[j * K + k]!;
        return sum;
      });
      const y = raw.map((value) => value * temperature);
      let dy: number[];
      if (classes) {
        const largest = Math.max(...y);
        const exponentials = y.map((value) => Math.exp(value - largest));
        const sum = exponentials.reduce((a, b) => a + b);
        total += (Math.log(sum) + largest - y[label[n]!]!) * lossScale;
        dy = exponentials.map((value, k) => (value / sum - (k === label[n] ? 1 : 0)) * lossScale);
      } else {
        const error = y[0]! - target[n]!;
        total += error ** 2 * lossScale;
        dy = [2 * error * lossScale];
      }
      if (gradients.temperature) gradients.temperature[0]! += dy.reduce((sum, d, k) => sum + d * raw[k]!, 0);
      dy = dy.map((d) => d * temperature);
      for (let k = 0; k < K; k++) gradients.b2![k]! += dy[k]!;
      for (let j = 0; j < J; j++) {
        let dh = 0;
        for (let k = 0; k < K; k++) {
          gradients.w2![j * K + k]! += h[j]! * dy[k]!;
          dh += w2[j * K + k]! * dy[k]!;
        }
        dh *= 1 - h[j]! ** 2;
        gradients.b1![j]! += dh;
        for (let i = 0; i < I; i++) gradients.w1![i * J + j]! += x[n * I + i]! * dh;
      }
    }
    const average = (sum: Float64Array) => Float32Array.from(sum, (value) => value / examples.length);
    return {
      loss: total / examples.length,
      gradients: Object.fromEntries(Object.entries(gradients).map(([name, sum]) => [name, average(sum)])),
    };
  }

  const all = Array.from({ length: N }, (_, n) => n);
  const weights = numbers(9);
  return {
    shapes: {
      w1: options.kernel ?? [I, J],
      b1: [J],
      w2: [J, K],
      b2: [K],
      ...(options.temperature !== undefined && { temperature: [] }),
    },
    initial: {
      w1: draw(I * J, weights, 1 / Math.sqrt(I)),
      b1: draw(J, weights, 0),
      w2: draw(J * K, weights, zeroOutput ? 0 : 1 / Math.sqrt(J)),
      b2: draw(K, weights, 0),
      ...(options.temperature !== undefined && { temperature: [options.temperature] }),
    },
    loss: (values) => run(values, all).loss,
    lossAndGradients: (values, t) => {
      const sample = numbers(1000 + t);
      return run(
        values,
        Array.from({ length: 16 }, () => Math.floor(((sample() / Math.sqrt(3) + 1) / 2) * N)),
      );
    },
  };
}

/** curvature / 2 (p - target)^2 on one number. */
function parabola(start: number, target: number, curvature = 1, shape: readonly number[] = []): Problem {
  return {
    shapes: { p: shape },
    initial: { p: [start] },
    loss: ({ p }) => (curvature / 2) * (p![0]! - target) ** 2,
    lossAndGradients: ({ p }) => ({
      loss: (curvature / 2) * (p![0]! - target) ** 2,
      gradients: { p: Float32Array.of(curvature * (p![0]! - target)) },
    }),
  };
}

/** Step factors over a training on noise, of one tensor of these values; `scale` is that of its gradients. */
async function stepFactors(
  shape: readonly number[],
  values: readonly number[],
  totalSteps: number,
  at: readonly number[],
  scale = 0.01,
): Promise<number[]> {
  const theta = starterTheta();
  const velo = createVelo({
    backend: cpu(),
    theta,
    parameters: { p: { shape, data: values } },
    totalSteps,
    onWarning: () => {},
  });
  const next = numbers(3);
  const factors: number[] = [];
  for (let t = 0; t <= Math.max(...at); t++) {
    await velo.setParameters({ p: { shape, data: values } });
    velo.step({ p: Float32Array.from(draw(values.length, next, scale)) }, 1);
    if (at.includes(t)) factors.push((await velo.inspect())[0]!.stepFactor);
  }
  return factors;
}

const ordinary = draw(256, numbers(1), 0.3);

describe('structure', () => {
  it('exists for every H >= 12 and K >= 1, and is the same every time', () => {
    for (const [hiddenSize, bankSize] of [
      [12, 1],
      [13, 2],
      [16, 4],
      [64, 16],
    ] as const) {
      const theta = starterTheta({ hiddenSize, bankSize });
      expect([theta.hiddenSize, theta.bankSize, theta.dead]).toEqual([hiddenSize, bankSize, null]);
      expect(starterTheta({ hiddenSize, bankSize })).toEqual(theta);
    }
    expect(starterTheta()).toEqual(starterTheta({ hiddenSize: 16, bankSize: 4 }));
  });

  it.each([
    { hiddenSize: 11 },
    { hiddenSize: 12.5 },
    { hiddenSize: Number.NaN },
    { bankSize: 0 },
    { bankSize: 1.5 },
    { hiddenSize: '16' as never },
  ])('refuses %o', (options) => {
    expect(() => starterTheta(options)).toThrow(
      expect.objectContaining({ name: 'VeloError', code: 'INVALID_ARGUMENT' }),
    );
  });

  it('has spare units that no head reads, and spare networks that nothing turns on, all with weights of their own', () => {
    const [H, K] = [16, 4];
    const { leaves } = starterTheta({ hiddenSize: H, bankSize: K });
    for (let unit = 12; unit < H; unit++) {
      expect(leaves.stepWeight[unit]).toBe(0);
      const column = Array.from({ length: 2 * H }, (_, i) => leaves.lstmWeight[i * 4 * H + unit]!);
      expect(new Set(column).size).toBe(2 * H);
      // Nothing but spare units reads a spare unit.
      for (const row of [unit, H + unit]) {
        for (let gate = 0; gate < 4; gate++) {
          expect([...leaves.lstmWeight.subarray((row * 4 + gate) * H, (row * 4 + gate) * H + 12)]).toEqual(
            Array(12).fill(0),
          );
        }
      }
    }
    expect([...leaves.controlsBias].slice(1)).toEqual([0, 0, 0]);
    expect(leaves.controlsWeight.every((weight) => weight === 0)).toBe(true);
    expect(new Set(leaves.bankWeight0.subarray(120)).size).toBe(360);
  });

  it('spare weights are normal: mean 0, variance 1 once their scale is taken out', () => {
    const { leaves } = starterTheta({ hiddenSize: 12, bankSize: 65 });
    const weights = leaves.bankWeight0.subarray(120);
    const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(weights))).toBeLessThan(0.005);
    expect(mean(weights.map((weight) => (weight / 0.1) ** 2))).toBeCloseTo(1, 1);
  });

  it('is the same optimizer at every H and K', () => {
    const problem = network({ classes: true, zeroOutput: true });
    const small = trainVelo(problem, 60, starterTheta({ hiddenSize: 12, bankSize: 1 }));
    for (const [hiddenSize, bankSize] of [
      [16, 4],
      [20, 7],
    ] as const) {
      const other = trainVelo(problem, 60, starterTheta({ hiddenSize, bankSize }));
      for (const [name, expected] of Object.entries(small)) {
        const rms = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
        for (const [i, value] of other[name]!.entries())
          expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4 * rms);
      }
    }
  });

  it('generates the momentum network: two columns in, a pair through both relu layers, one difference out', async () => {
    const velo = createVelo({
      backend: cpu(),
      theta: starterTheta(),
      parameters: [Float32Array.of(1, 2)],
      totalSteps: 10,
    });
    velo.step([Float32Array.of(1, -1)], 1);
    const { weights, biases } = (await velo.inspect())[0]!.mlp;
    const close = (value: number) => Math.round(value * 1e5) / 1e5 + 0;
    const first = Array.from(weights[0], close);
    // (4, 30): rows are the units of the first layer.
    const row = (seventh: number, twentySeventh: number) => Array(30).fill(0).with(7, seventh).with(27, twentySeventh);
    expect(first).toEqual([...row(0.5, 0.5), ...row(-0.5, -0.5), ...row(0, 1), ...row(0, -1)]);
    expect(Array.from(weights[1], close)).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    expect(Array.from(weights[2], close)).toEqual([1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(biases.every((bias) => bias.every((value) => close(value) === 0))).toBe(true);
  });

  it('converts to a checkpoint', () => {
    expect(sizeOf(checkpointFromTheta(starterTheta())['rnn_params.rnn/linear.w']!.shape)).toBe(32 * 64);
  });
});

describe('step factor of an ordinary matrix', () => {
  it('falls in stairs from 8 to 0 and stays there past the end', async () => {
    const N = 1000;
    const factors = await stepFactors(
      [16, 16],
      ordinary,
      N,
      [0.1, 0.3, 0.5, 0.7, 0.999, 1.2].map((f) => f * N),
    );
    // 8 times the weights of the clocks still to turn, and 4 / N (1 - f) in units of 0.001.
    for (const [i, stairs] of [8, 6.4, 4.4, 2.4, 0.2, 0].entries()) {
      const fraction = [0.1, 0.3, 0.5, 0.7, 1, 1.2][i]!;
      expect(Math.abs(factors[i]! - stairs - 4 * Math.max(0, 1 - fraction))).toBeLessThan(1.3);
    }
    expect([...factors].sort((a, b) => b - a)).toEqual(factors);
  });

  it('contains the length of training: a part that is proportional to 1 / N', async () => {
    const [a, b, c] = await Promise.all([300, 600, 1200].map((N) => stepFactors([16, 16], ordinary, N, [0.2 * N])));
    // Differences, to be rid of the schedule, which is the same.
    const [ab, bc] = [a![0]! - b![0]!, b![0]! - c![0]!];
    expect(ab / bc).toBeGreaterThan(1.8);
    expect(ab / bc).toBeLessThan(2.2);
    expect(ab * 600 * 0.001).toBeGreaterThan(2.5); // 4 (1 - 0.2) is 3.2
    expect(ab * 600 * 0.001).toBeLessThan(4);
  });

  it('warms up over about 21 steps', async () => {
    const [early, late] = await stepFactors([16, 16], ordinary, 400, [2, 60]);
    expect(early!).toBeLessThan(0.65 * late!);
  });

  it.each([[[4, 4, 16]], [[4, 4, 4, 4]], [[2, 2, 4, 4, 4]], [[2, 2, 2, 2, 4, 4]], [[3, 3, 4, 7]]])(
    'is the same for shape %j',
    async (shape) => {
      const values = ordinary.slice(0, sizeOf(shape));
      const other = await stepFactors(shape, values, 300, [30, 100, 200]);
      const matrix = await stepFactors([values.length / 4, 4], values, 300, [30, 100, 200]);
      for (const [i, factor] of other.entries()) expect(factor).toBeCloseTo(matrix[i]!, 3);
    },
  );
});

describe('gates', () => {
  const tiny = (length: number) => Array<number>(length).fill(0);

  it.each([[[16, 16]], [[256]], [[4, 4, 4, 4]], [[]], [[1]], [[1, 1]]])(
    'are open for zeros of shape %j and shut for ordinary values',
    async (shape) => {
      const length = sizeOf(shape);
      const at = [1, 5];
      for (const factor of await stepFactors(shape, tiny(length), 1000, at)) expect(factor).toBeGreaterThan(80);
      for (const factor of await stepFactors(shape, ordinary.slice(0, length), 1000, at))
        expect(factor).toBeLessThan(16);
    },
  );

  it('of a single number closes towards the end of training', async () => {
    const [early, late] = await stepFactors([], [0], 300, [20, 280]);
    expect(early!).toBeGreaterThan(100);
    expect(late!).toBeLessThan(25);
  });

  it('stay shut for ordinary matrices however large the loss, and let numbers move by a few percent at most', async () => {
    for (const scale of [1e-6, 1e-3, 1, 30, 1000]) {
      const [matrix] = await stepFactors([16, 16], ordinary, 1000, [200], scale);
      expect(matrix!).toBeLessThan(20);
      const [scalar] = await stepFactors([], [1], 200, [180], scale);
      expect(scalar!).toBeLessThan(20);
    }
  });
});

describe('training', () => {
  it.each<[string, Problem, number?]>([
    ['a regression', network({})],
    ['a classification', network({ classes: true })],
    ['a classification from a zero output layer', network({ classes: true, zeroOutput: true }), 600],
    ['a regression far from its mean, whose bias of one entry starts at 0', network({ offset: 4 })],
    ['a classification with a learned temperature', network({ classes: true, temperature: 1 })],
    ['losses 1000 times larger', network({ classes: true, lossScale: 1000 })],
    ['losses 1000 times smaller', network({ classes: true, lossScale: 1e-3 })],
    ['a kernel of rank 3', network({ classes: true, kernel: [3, 4, 16] })],
    ['a kernel of rank 4', network({ classes: true, kernel: [2, 6, 4, 4] })],
    ['a kernel of rank 6', network({ classes: true, kernel: [2, 2, 3, 2, 2, 4] })],
  ])('beats Adam at its default learning rate: %s', (_, problem, totalSteps = 250) => {
    const velo = remaining(problem, trainVelo(problem, totalSteps));
    const adam = remaining(problem, trainAdam(problem, totalSteps));
    expect(velo).toBeLessThan(0.8 * adam);
  });

  it('gains from more steps', () => {
    const [short, long] = [100, 800].map((N) => remaining(network({}), trainVelo(network({}), N)));
    expect(long!).toBeLessThan(short! / 3);
  });

  it.each([
    [0, 1, 1],
    [0, -3, 1],
    [0, 0.1, 1],
    [0, 1, 1e-3],
    [0, 1, 1000],
    [1, 3, 1],
    [1, 3, 1e-3],
    [1, 3, 1000],
    [1, 0.1, 1],
  ])('brings a single number from %d to %d, at curvature %d', (start, target, curvature) => {
    for (const shape of [[], [1]]) {
      const { p } = trainVelo(parabola(start, target, curvature, shape), 1000);
      expect(Math.abs(p![0]! - target)).toBeLessThan(0.1 * Math.abs(target));
    }
  });
});
