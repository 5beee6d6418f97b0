import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from './data/dataset.ts';
import { oneHot } from './data/dataset.ts';
import type { Kind } from './data/table.ts';
import { type Jax, loadJax } from './jax.ts';
import { createModel, type HostParameters, initialParameters, type Model } from './model.ts';
import { createRandom } from './random.ts';

const LAYERS = [3, 5, 2];
const random = createRandom(0, 'data');

function randomDataset(count: number, kind: Kind): Dataset {
  const classes = Uint8Array.from({ length: count }, () => Math.floor(random.uniform(0, 2)));
  return {
    count,
    inputSize: 3,
    outputSize: 2,
    inputs: Float32Array.from({ length: 3 * count }, () => random.normal()),
    targets:
      kind === 'classification' ? oneHot(classes, 2) : Float32Array.from({ length: 2 * count }, () => random.normal()),
  };
}

/** The network written out in doubles. */
function outputsOf(parameters: Record<string, { data: ArrayLike<number> }>, x: ArrayLike<number>): number[] {
  const dense = (input: ArrayLike<number>, layer: number, size: number) =>
    Array.from({ length: size }, (_, j) => {
      let sum = parameters[`bias${layer}`]!.data[j]!;
      for (let i = 0; i < input.length; i++) sum += input[i]! * parameters[`weight${layer}`]!.data[i * size + j]!;
      return sum;
    });
  return dense(
    dense(x, 1, 5).map((value) => Math.max(0, value)),
    2,
    2,
  );
}

function expectedLoss(
  parameters: Record<string, { data: ArrayLike<number> }>,
  { count, inputs, targets }: Dataset,
  kind: Kind,
) {
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const outputs = outputsOf(parameters, inputs.subarray(3 * i, 3 * i + 3));
    const target = targets.subarray(2 * i, 2 * i + 2);
    const logSum = Math.log(outputs.reduce((sum, y) => sum + Math.exp(y), 0));
    loss +=
      kind === 'classification'
        ? outputs.reduce((sum, y, j) => sum - target[j]! * (y - logSum), 0) / count
        : outputs.reduce((sum, y, j) => sum + (y - target[j]!) ** 2, 0) / (2 * count);
  }
  return loss;
}

let jax: Jax;
beforeAll(async () => {
  jax = await loadJax();
});

describe.each<Kind>(['classification', 'regression'])('%s', (kind) => {
  let model: Model;
  let parameters: HostParameters;
  const batch = randomDataset(8, kind);
  beforeAll(() => {
    model = createModel(jax, LAYERS, kind);
    parameters = initialParameters(LAYERS, createRandom(1, 'weights'));
  });

  it('has the loss that its formula says', () => {
    expect(model.lossAndGradients(parameters, batch).loss).toBeCloseTo(expectedLoss(parameters, batch, kind), 5);
  });

  it('has the gradients that finite differences say', () => {
    const { gradients } = model.lossAndGradients(parameters, batch);
    for (const [name, { data }] of Object.entries(parameters)) {
      data.forEach((value, i) => {
        const at = (shifted: number) =>
          expectedLoss({ ...parameters, [name]: { data: Float64Array.from(data).with(i, shifted) } }, batch, kind);
        expect(gradients[name]![i]).toBeCloseTo((at(value + 1e-5) - at(value - 1e-5)) / 2e-5, 5);
      });
    }
  });

  it('evaluates more examples than fit into one call', () => {
    const dataset = randomDataset(1300, kind);
    const { loss, accuracy } = model.evaluate(parameters, dataset);
    expect(loss).toBeCloseTo(expectedLoss(parameters, dataset, kind), 5);
    if (kind === 'regression') {
      expect(accuracy).toBeNull();
      return;
    }
    const correct = Array.from({ length: dataset.count }, (_, i) => {
      const [first, second] = outputsOf(parameters, dataset.inputs.subarray(3 * i, 3 * i + 3)) as [number, number];
      return dataset.targets[2 * i + (second > first ? 1 : 0)]!;
    });
    expect(accuracy).toBe(correct.reduce((sum, one) => sum + one, 0) / dataset.count);
  });
});

it('starts from the same weights for the same seed', () => {
  const [a, b, c] = [0, 0, 1].map((seed) => initialParameters(LAYERS, createRandom(seed, 'weights')));
  expect(a).toEqual(b);
  expect(a).not.toEqual(c);
});
