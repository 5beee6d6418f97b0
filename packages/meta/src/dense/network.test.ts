import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, sourceOf } from '../../build-kernels.ts';
import { derive, keyOf, Random } from '../random.ts';
import { type Activation, type DenseLoss, DenseNetwork, type Examples } from './network.ts';

const ACTIVATIONS: Record<Activation, (x: number) => number> = {
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  silu: (x) => x / (1 + Math.exp(-x)),
};

const LOSSES: Record<DenseLoss, (outputs: readonly number[], target: readonly number[]) => number> = {
  softmax: (outputs, target) => {
    const highest = Math.max(...outputs);
    const logSum = highest + Math.log(outputs.reduce((sum, x) => sum + Math.exp(x - highest), 0));
    return target.reduce((sum, wanted, i) => sum + wanted * (logSum - outputs[i]!), 0);
  },
  squared: (outputs, target) => outputs.reduce((sum, x, i) => sum + (x - target[i]!) ** 2, 0) / outputs.length,
  logistic: (outputs, target) =>
    outputs.reduce((sum, x, i) => sum + Math.log(1 + Math.exp(x)) - target[i]! * x, 0) / outputs.length,
};

/** The mean loss in double precision, written as the definition has it. */
function plainLoss(
  parameters: readonly Float64Array[],
  widths: readonly number[],
  activation: Activation,
  loss: DenseLoss,
  { inputs, targets, count }: Examples,
  rows: Uint32Array,
): number {
  const targetWidth = targets.length / count;
  let sum = 0;
  for (const row of rows) {
    let values = [...inputs.subarray(row * widths[0]!, (row + 1) * widths[0]!)];
    widths.slice(1).forEach((outputs, layer) => {
      const [weights, bias] = [parameters[2 * layer]!, parameters[2 * layer + 1]!];
      const sums = Array.from(bias, (start, j) =>
        values.reduce((total, value, i) => total + value * weights[i * outputs + j]!, start),
      );
      values = layer < widths.length - 2 ? sums.map(ACTIVATIONS[activation]) : sums;
    });
    const target = [...targets.subarray(row * targetWidth, (row + 1) * targetWidth)];
    const full = targetWidth === values.length ? target : values.map((_, i) => Number(i === target[0]));
    sum += LOSSES[loss](values, full);
  }
  return sum / rows.length;
}

const COUNT = 12;

function problem(
  widths: readonly number[],
  activation: Activation,
  loss: DenseLoss,
  indices: boolean,
  batchSize: number,
) {
  const [inputs, outputs] = [widths[0]!, widths.at(-1)!];
  const targetWidth = indices ? 1 : outputs;
  const random = new Random(keyOf(11));
  const examples: Examples = {
    count: COUNT,
    inputs: random.normals(new Float32Array(COUNT * inputs)),
    targets: Float32Array.from({ length: COUNT * targetWidth }, () =>
      indices ? random.integer(outputs) : loss === 'squared' ? random.normal() : random.uniform(),
    ),
  };
  if (loss === 'softmax' && !indices) {
    for (let i = 0; i < COUNT; i++) {
      const row = examples.targets.subarray(i * outputs, (i + 1) * outputs);
      row.set(row.map((x) => x / row.reduce((sum, y) => sum + y, 0)));
    }
  }
  const network = new DenseNetwork({ widths, activation, loss, batchSize, targetWidth });
  const parameters = network.initialParameters(keyOf(5));
  // Not where everything is 0.
  for (const parameter of parameters) if (parameter.every((x) => x === 0)) random.normals(parameter, 0.3);
  const gradients = parameters.map((parameter) => new Float32Array(parameter.length).fill(NaN));
  const rows = Uint32Array.from({ length: batchSize }, () => random.integer(COUNT));
  const exact = (values: readonly Float64Array[]) => plainLoss(values, widths, activation, loss, examples, rows);
  return { network, examples, parameters, gradients, rows, exact };
}

/** Compares with the definition: the loss itself, gradients with its central differences. */
function compare({ network, examples, parameters, gradients, rows, exact }: ReturnType<typeof problem>): void {
  const loss = network.lossAndGradients(parameters, gradients, examples, rows);
  const doubles = parameters.map((parameter) => Float64Array.from(parameter));
  expect(Math.abs(loss - exact(doubles))).toBeLessThan(1e-6 * Math.max(1, loss));
  const step = 1e-5;
  for (const [index, values] of doubles.entries()) {
    const expected = values.map((value, i) => {
      values[i] = value + step;
      const above = exact(doubles);
      values[i] = value - step;
      const below = exact(doubles);
      values[i] = value;
      return (above - below) / (2 * step);
    });
    const largest = Math.max(...expected.map(Math.abs));
    gradients[index]!.forEach((found, i) => {
      expect(Math.abs(found - expected[i]!), `tensor ${index}, entry ${i}`).toBeLessThan(
        3e-6 * Math.max(largest, 0.01),
      );
    });
  }
}

describe('loss and gradients', () => {
  const losses: [DenseLoss, boolean][] = [
    ['softmax', true],
    ['softmax', false],
    ['squared', false],
    ['logistic', false],
  ];
  const all = (Object.keys(ACTIVATIONS) as Activation[]).flatMap((activation) =>
    losses.map(([loss, indices]) => [activation, loss, indices] as const),
  );
  it.each(all)('%s, %s, classes by number: %s', (activation, loss, indices) => {
    compare(problem([5, 8, 6, 4], activation, loss, indices, 8));
  });

  const widths = [
    [1, 1],
    [3, 1],
    [1, 3, 5],
    [17, 5, 3, 17],
    [5, 17, 1],
    [4, 8, 12],
    [70, 3, 2],
    [3, 3, 3, 3, 3, 3],
  ];
  it.each(widths.flatMap((list) => [1, 7].map((batch) => [list, batch] as const)))(
    'widths %j, batch %i',
    (list, batch) => {
      compare(problem(list, 'tanh', 'squared', false, batch));
      if (list.at(-1) !== 1) compare(problem(list, 'silu', 'softmax', true, batch));
      compare(problem(list, 'relu', 'logistic', false, batch));
    },
  );

  it('sums over many inputs and outputs, cut into pieces', () => {
    const { network, examples, parameters, gradients, rows, exact } = problem([300, 40, 3], 'tanh', 'softmax', true, 9);
    const loss = network.lossAndGradients(parameters, gradients, examples, rows);
    expect(loss).toBeCloseTo(exact(parameters.map((values) => Float64Array.from(values))), 5);
    // Along the gradient the loss changes by the gradient's square.
    const square = gradients.reduce((sum, gradient) => sum + gradient.reduce((total, x) => total + x * x, 0), 0);
    const moved = (step: number) =>
      exact(parameters.map((values, j) => Float64Array.from(values, (x, i) => x + step * gradients[j]![i]!)));
    expect((moved(1e-6) - moved(-1e-6)) / 2e-6 / square).toBeCloseTo(1, 5);
  });

  it('of all examples, in chunks', () => {
    const { network, examples, parameters } = problem([5, 8, 4], 'tanh', 'softmax', true, 5);
    const rows = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);
    const values = parameters.map((parameter) => Float64Array.from(parameter));
    for (const count of [12, 4, 5, 1]) {
      const expected = plainLoss(values, [5, 8, 4], 'tanh', 'softmax', examples, rows(count));
      expect(network.loss(parameters, examples, count)).toBeCloseTo(expected, 6);
    }
  });
});

describe('at the ends of float32', () => {
  /** One weight of 1, no bias: the output is the input. */
  const through = (loss: DenseLoss, inputs: number[][], targets: number[][]) => {
    const [width, count] = [inputs[0]!.length, inputs.length];
    const network = new DenseNetwork({
      widths: [width, width],
      activation: 'relu',
      loss,
      batchSize: count,
      targetWidth: targets[0]!.length,
    });
    const identity = Float32Array.from({ length: width * width }, (_, i) => Number(i % (width + 1) === 0));
    const parameters = [identity, new Float32Array(width)];
    const gradients = parameters.map((parameter) => new Float32Array(parameter.length));
    const examples = { count, inputs: Float32Array.from(inputs.flat()), targets: Float32Array.from(targets.flat()) };
    const rows = Uint32Array.from(inputs, (_, i) => i);
    return { loss: network.lossAndGradients(parameters, gradients, examples, rows), gradients };
  };

  it('losses of confident predictions keep their digits', () => {
    const tiny = Math.log1p(Math.exp(-14) + Math.exp(-16));
    expect(through('softmax', [[14, 0, -2]], [[0]]).loss / tiny).toBeCloseTo(1, 5);
    expect(through('logistic', [[14]], [[1]]).loss / Math.log1p(Math.exp(-14))).toBeCloseTo(1, 5);
    expect(through('logistic', [[-80]], [[0]]).loss / Math.exp(-80)).toBeCloseTo(1, 5);
  });
  it('losses of confident errors are finite', () => {
    expect(through('softmax', [[2000, 0, 5]], [[2]]).loss).toBe(1995);
    expect(through('logistic', [[-3000]], [[1]]).loss).toBe(3000);
  });
  it('equal logits', () => {
    const { loss, gradients } = through('softmax', [[7, 7, 7, 7]], [[1]]);
    expect(loss).toBeCloseTo(Math.log(4), 6);
    expect([...gradients[1]!]).toEqual([0.25, -0.75, 0.25, 0.25]);
  });
  it.each(['softmax', 'squared', 'logistic'] as const)('%s: what is not finite shows in the loss', (loss) => {
    for (const bad of [NaN, Infinity]) {
      const targets = loss === 'softmax' ? [[1]] : [[0, 0]];
      expect(through(loss, [[0, bad]], targets).loss).not.toSatisfy(Number.isFinite);
    }
  });
});

describe('the memory that networks share', () => {
  it('one network does not see what another left', () => {
    const first = problem([5, 8, 4], 'tanh', 'softmax', true, 7);
    const second = problem([300, 64, 64, 3], 'relu', 'softmax', true, 9);
    const run = ({ network, parameters, gradients, examples, rows }: typeof first) => {
      const loss = network.lossAndGradients(parameters, gradients, examples, rows);
      return [loss, ...gradients.flatMap((gradient) => [...gradient])];
    };
    const alone = run(first);
    const other = run(second);
    second.parameters[0]!.fill(NaN);
    expect(run(second)[0]).toBeNaN();
    expect(run(first)).toEqual(alone);
    expect(other.every(Number.isFinite)).toBe(true);
  });
});

describe('initial parameters', () => {
  const options = { activation: 'relu', loss: 'softmax', batchSize: 8, targetWidth: 1 } as const;
  const deviation = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);

  it('have the deviations of the literature, times the scale, and zero biases', () => {
    const network = new DenseNetwork({ ...options, widths: [50, 100, 60] });
    expect(network.shapes).toEqual([[50, 100], [100], [100, 60], [60]]);
    const [first, bias, last] = network.initialParameters(keyOf(1), { scale: 1.5 });
    expect(deviation(first!)).toBeCloseTo(1.5 * Math.sqrt(2 / 50), 1);
    expect(deviation(last!)).toBeCloseTo(1.5 * Math.sqrt(1 / 100), 1);
    expect(deviation(bias!)).toBe(0);
  });
  it('are the same for the same key, others for another, and may end in zeros', () => {
    const network = new DenseNetwork({ ...options, widths: [5, 10, 6] });
    expect(network.initialParameters(keyOf(1))).toEqual(network.initialParameters(keyOf(1)));
    expect(network.initialParameters(derive(keyOf(1), 1))).not.toEqual(network.initialParameters(keyOf(1)));
    const [first, , last] = network.initialParameters(keyOf(1), { zeroOutput: true });
    expect(deviation(last!)).toBe(0);
    expect(deviation(first!)).toBeGreaterThan(0.3);
  });
});

it('refuses what makes no network', () => {
  const sound = { widths: [2, 3], activation: 'relu', loss: 'softmax', batchSize: 4, targetWidth: 1 } as const;
  const bad = [
    { widths: [2] },
    { widths: [2, 0] },
    { widths: [2, 1.5] },
    { batchSize: 0 },
    { activation: 'gelu' as Activation },
    { loss: 'hinge' as DenseLoss },
    { targetWidth: 2 },
    { loss: 'squared' as const },
    { widths: [2, 1] },
  ];
  for (const options of bad) {
    expect(() => new DenseNetwork({ ...sound, ...options }), JSON.stringify(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  }
  const network = new DenseNetwork(sound);
  const examples = { count: 1, inputs: new Float32Array(2), targets: new Float32Array(1) };
  const parameters = network.initialParameters(keyOf(1));
  for (const count of [0, 5]) {
    expect(() => network.lossAndGradients(parameters, [], examples, new Uint32Array(count))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  }
  expect(() => network.loss([new Float32Array(6), new Float32Array(2)], examples)).toThrow(
    expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
  );
});

it('says so where it does not fit into memory', () => {
  const options = { activation: 'tanh', loss: 'squared', targetWidth: 1 } as const;
  expect(() => new DenseNetwork({ ...options, widths: [1, 512, 1], batchSize: 2 ** 22 })).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
  );
});

describe('the committed kernel', () => {
  const committed = readFileSync(new URL('../binaries/dense.ts', import.meta.url), 'utf8');
  it('is what the sources compile to', { timeout: 120_000 }, async () => {
    expect(sourceOf(await compile()) === committed, 'run npm run build:kernels -w @velojs/meta').toBe(true);
  });
  it('imports nothing but a memory', () => {
    const binary = Buffer.from(/'(.*)'/.exec(committed)![1]!, 'base64');
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(binary));
    expect(imports).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  });
});
