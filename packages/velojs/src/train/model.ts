/** A network of dense layers, its loss and its gradients, by jax-js. */
import type { Array as JaxArray } from '@jax-js/jax';
import { type Dataset, sliceExamples } from './data/dataset.ts';
import type { Kind } from './data/table.ts';
import type { Jax } from './jax.ts';
import type { Random } from './random.ts';

export interface HostParameter {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
/** `weight1`, `bias1`, `weight2`, ... ; weights are `[inputs, outputs]`. */
export type HostParameters = Readonly<Record<string, HostParameter>>;

export interface Evaluation {
  /** Mean over the data set: cross-entropy of classes, else mean squared error. */
  readonly loss: number;
  /** Share of examples whose largest output is at their class; `null` for a regression. */
  readonly accuracy: number | null;
}

export interface Model {
  lossAndGradients(
    parameters: HostParameters,
    batch: Dataset,
  ): { loss: number; gradients: Record<string, Float32Array> };
  evaluate(parameters: HostParameters, dataset: Dataset): Evaluation;
  /** The outputs, `[count, outputs]`, for `inputs` `[count, inputs]`. Compiled anew for every count. */
  predict(parameters: HostParameters, inputs: Float32Array): Float32Array;
}

/** Examples per evaluation call: bounds the memory, and keeps the number of compiled shapes at two per data set. */
const EVALUATION_CHUNK = 1000;

export function createModel(jax: Jax, layers: readonly number[], kind: Kind): Model {
  const { numpy, nn, jit, valueAndGrad } = jax;
  type Arrays = Record<string, JaxArray>;

  const predict = (parameters: Arrays, inputs: JaxArray): JaxArray => {
    let activations = inputs;
    for (let layer = 1; layer < layers.length; layer++) {
      activations = numpy.matmul(activations, parameters[`weight${layer}`]!).add(parameters[`bias${layer}`]!);
      if (layer < layers.length - 1) activations = nn.relu(activations);
    }
    return activations;
  };
  const lossOf = (outputs: JaxArray, targets: JaxArray): JaxArray =>
    kind === 'classification'
      ? nn.logSoftmax(outputs, -1).mul(targets).sum(-1).mean().mul(-1)
      : numpy.square(outputs.sub(targets)).mean();

  const lossAndGradients = jit(
    valueAndGrad((parameters: Arrays, inputs: JaxArray, targets: JaxArray) =>
      lossOf(predict(parameters, inputs), targets),
    ),
  );
  const lossAndOutputs = jit((parameters: Arrays, inputs: JaxArray, targets: JaxArray): [JaxArray, JaxArray] => {
    const outputs = predict(parameters, inputs);
    return [lossOf(outputs.ref, targets), outputs];
  });

  const outputsOf = jit(predict);

  const upload = (data: Float32Array, shape: readonly number[]) =>
    numpy.array(data as Float32Array<ArrayBuffer>, { shape: [...shape] });
  const uploadParameters = (parameters: HostParameters): Arrays =>
    Object.fromEntries(Object.entries(parameters).map(([name, { data, shape }]) => [name, upload(data, shape)]));
  const uploadAll = (parameters: HostParameters, { count, inputSize, outputSize, inputs, targets }: Dataset) =>
    [uploadParameters(parameters), upload(inputs, [count, inputSize]), upload(targets, [count, outputSize])] as const;
  const download = (array: JaxArray) => array.dataSync() as Float32Array;

  return {
    lossAndGradients(parameters, batch) {
      const [loss, gradients] = lossAndGradients(...uploadAll(parameters, batch));
      return {
        loss: download(loss)[0]!,
        gradients: Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, download(gradient)])),
      };
    },
    evaluate(parameters, dataset) {
      let loss = 0;
      let correct = 0;
      for (let begin = 0; begin < dataset.count; begin += EVALUATION_CHUNK) {
        const chunk = sliceExamples(dataset, begin, Math.min(begin + EVALUATION_CHUNK, dataset.count));
        const [chunkLoss, outputs] = lossAndOutputs(...uploadAll(parameters, chunk));
        loss += (download(chunkLoss)[0]! * chunk.count) / dataset.count;
        correct += countCorrect(download(outputs), chunk);
      }
      return { loss, accuracy: kind === 'classification' ? correct / dataset.count : null };
    },
    predict(parameters, inputs) {
      const shape = [inputs.length / layers[0]!, layers[0]!];
      return download(outputsOf(uploadParameters(parameters), upload(inputs, shape)));
    },
  };
}

/**
 * Random initial parameters: normal weights of deviation `sqrt(2 / inputs)` (He et al. 2015), `sqrt(1 / inputs)` in the
 * last layer, which no relu follows; zero biases.
 */
export function initialParameters(layers: readonly number[], random: Random): HostParameters {
  const parameters: Record<string, HostParameter> = {};
  for (let layer = 1; layer < layers.length; layer++) {
    const [inputs, outputs] = [layers[layer - 1]!, layers[layer]!];
    const deviation = Math.sqrt((layer < layers.length - 1 ? 2 : 1) / inputs);
    const weights = Float32Array.from({ length: inputs * outputs }, () => deviation * random.normal());
    parameters[`weight${layer}`] = { shape: [inputs, outputs], data: weights };
    parameters[`bias${layer}`] = { shape: [outputs], data: new Float32Array(outputs) };
  }
  return parameters;
}

function countCorrect(outputs: Float32Array, { count, outputSize, targets }: Dataset): number {
  let correct = 0;
  for (let i = 0; i < count; i++) {
    const row = outputs.subarray(i * outputSize, (i + 1) * outputSize);
    if (targets[i * outputSize + row.indexOf(row.reduce((a, b) => Math.max(a, b)))] === 1) correct++;
  }
  return correct;
}
