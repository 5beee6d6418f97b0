/** What the network that VeLO generated for a tensor answers to a gradient. */
import {
  type AdvancedAccumulators,
  advanceAccumulators,
  type Backend,
  type ExportedState,
  factorScales,
  geometryOf,
  inputScales,
  mlpInputs,
  mlpStep,
  parameterScale,
  planeAxes,
  type Tensor,
} from '@velojs/core';
import type { Response } from './protocol.ts';

/** Gradients that are tried: so many, from -3 to 3 root mean squares of the tensor's. */
const PROBES = 61;
const REACH = 3;

/**
 * The update of one entry as a function of its gradient: a slice through the 30 inputs of the network. The entry stands for
 * its tensor: its value and all of its moving averages are the means over the tensor, and its inputs are normalised as the
 * next step will do it if the tensor's gradients are the same again.
 *
 * @param backend where it is computed.
 * @param state of VeLO, after at least one step.
 * @param tensor index of the parameter.
 * @param gradient of that parameter, in the last step.
 */
export async function mlpResponse<T extends Tensor>(
  backend: Backend<T>,
  state: ExportedState,
  tensor: number,
  gradient: Float32Array,
): Promise<Omit<Response, 'type' | 'tensor' | 'step'>> {
  // Where gradients are accumulated, VeLO's state lies within another's.
  const mlpPath = Object.keys(state.tensors).find((path) => /(^|\.)mlp$/.test(path))!;
  const stored = (path: string) => state.tensors[mlpPath.replace(/mlp$/, path)]!;
  const { shape, data } = stored(`parameters.${tensor}`);
  const geometry = geometryOf(shape);
  const gradientScale = rootMeanSquare(gradient);
  // Where all gradients are 0, there is no scale to take.
  const reach = REACH * (gradientScale || 1);
  const gradients = Float32Array.from({ length: PROBES }, (_, i) => reach * ((2 * i) / (PROBES - 1) - 1));

  const update = backend.scope(() => {
    const load = (path: string) => backend.tensor(stored(path).data, stored(path).shape);
    const path = `accumulators.${tensor}`;
    const accumulators = {
      moments: load(`${path}.moments`),
      rows: load(`${path}.rows`),
      columns: geometry.factored && load(`${path}.columns`),
    };
    const plane = (values: Float32Array) => backend.tensor(values, [1, ...planeAxes(geometry)]);
    const advanced = advanceAccumulators(backend, geometry, accumulators, plane(gradient));
    const scales = inputScales(backend, mlpInputs(backend, plane(data), plane(gradient), advanced, geometry.size));

    // The probes as a vector; what is factored of the tensor is factored of them.
    const row = (value: T) => backend.expand(value, [value.shape[0]!, PROBES]);
    const g = backend.tensor(gradients, [1, PROBES]);
    const probes = advanceAccumulators(
      backend,
      geometryOf([PROBES]),
      {
        moments: row(means(backend, accumulators.moments)),
        rows: row(means(backend, accumulators.rows)),
        columns: null,
      },
      g,
    );
    const p = row(means(backend, backend.tensor(data, [1, geometry.size])));
    const x = mlpInputs(backend, p, g, geometry.factored ? factored(backend, probes, advanced, g) : probes, PROBES);
    const mlp = backend.slice(load('mlp'), 0, tensor, tensor + 1);
    const scale = parameterScale(backend, backend.tensor(data, [1, geometry.size]));
    return backend.binary('mul', mlpStep(backend, backend.binary('mul', x, scales), mlp, scale), -1);
  });
  const [values] = await backend.read([update]);
  backend.dispose(update);
  return {
    gradient: gradients,
    update: values!,
    gradientScale,
    parameterScale: rootMeanSquare(data),
  };
}

/** The averages over rows and columns are the tensor's: one entry hardly moves them. */
function factored<T extends Tensor>(
  backend: Backend<T>,
  probes: AdvancedAccumulators<T>,
  tensor: AdvancedAccumulators<T>,
  g: T,
): AdvancedAccumulators<T> {
  const [row, column] = [means(backend, tensor.row), means(backend, tensor.column)];
  const { R, C } = factorScales(backend, row, column, 1);
  const scaled = (x: T) => backend.binary('mul', backend.binary('mul', x, R), C);
  return {
    ...probes,
    row: backend.expand(row, [3, PROBES]),
    column: backend.expand(column, [3, PROBES]),
    factoredGradient: scaled(g),
    factoredMomentum: scaled(probes.m),
  };
}

/** Of every plane: `[n, ...] -> [n, 1]`. */
function means<T extends Tensor>(backend: Backend<T>, x: T): T {
  const axes = x.shape.map((_, axis) => axis).slice(1);
  return backend.reshape(backend.reduce('mean', x, axes), [x.shape[0]!, 1]);
}

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
