/**
 * Runs golden cases: the same inputs through a backend, and everything it computes compared with what the original
 * mathematics gave in double precision.
 */
import {
  type Backend,
  createLossBuffer,
  createVelo,
  type ExportedState,
  factoredAxes,
  fractionFeatures,
  type HostTensor,
  hostLossFeatures,
  type Kernels,
  logMagnitude,
  lossDecays,
  pushHostLoss,
  resolveKernels,
  type Shape,
  sizeOf,
  type Tensor,
  tensorFeatures,
  withKernels,
  withoutKernels,
} from '@velojs/core';
import { deviation, TOLERANCES } from './deviation.ts';
import type { GoldenCase, GoldenUnits } from './golden-files.ts';
import { mulberry32 } from './random.ts';

export { deviation, TOLERANCES } from './deviation.ts';
export {
  type GoldenCase,
  type GoldenUnits,
  loadGoldenCase,
  loadGoldenUnits,
  PACKED_CASES,
  type ReadFile,
  readPackedFile,
} from './golden-files.ts';

/** `composed`: core's definitions. `fused`: the backend's own kernels, and the definition of one that it does not have. */
export type KernelMode = 'composed' | 'fused';

export interface GoldenResult {
  readonly case: string;
  readonly backend: string;
  readonly kernels: KernelMode;
  /** NaN where something is missing or not a number. */
  readonly maxDeviation: number;
  readonly tolerance: number;
  readonly pass: boolean;
  /** What deviated most, for people. */
  readonly worst: string;
}

export interface GoldenOptions {
  readonly kernels: KernelMode;
  /**
   * How the loss is passed: as a number (default) or as a tensor. A tensor keeps the loss buffer on the device in
   * float32, and so does weight decay where the host cannot see the parameters. The rounding shows in the loss features of
   * long trainings (SPEC section 10): then only parameters are compared, with the tolerance of float32.
   */
  readonly loss?: 'host' | 'device';
}

/**
 * Runs one case and compares parameters after every step, the controller's inputs and step factors at every update, and
 * the state at the end.
 *
 * @example
 * ```ts
 * const result = await runGoldenCase(await loadGoldenCase('01-basic'), cpu(), { kernels: 'fused' });
 * result.pass; // true
 * ```
 */
export async function runGoldenCase<T extends Tensor>(
  golden: GoldenCase,
  backend: Backend<T>,
  { kernels: mode, loss: lossKind = 'host' }: GoldenOptions,
): Promise<GoldenResult> {
  const { shapes, steps, updatesAt } = golden;
  const worst = new Worst();
  const trace = traced(mode === 'fused' ? backend : withoutKernels(backend));
  const optimizer = createVelo({
    backend: trace.backend,
    theta: golden.theta,
    parameters: shapes.map((shape, j): HostTensor => ({ shape, data: golden.tensor(`params0.${j}`).data })),
    totalSteps: golden.totalSteps,
    weightDecay: golden.weightDecay,
    maxTrainingSteps: golden.maxTrainingSteps,
    onWarning: () => {},
  });
  const losses = golden.tensor('losses').data;
  const gradients = shapes.map((_, j) => golden.tensor(`grads.${j}`).data as Float32Array);
  const expected = shapes.map((_, j) => golden.tensor(`expect.params.${j}`).data);
  const part = <Data extends Float32Array | Float64Array>(data: Data, index: number, size: number) =>
    data.subarray(index * size, (index + 1) * size) as Data;

  for (let step = 0; step < steps; step++) {
    const loss = lossKind === 'host' ? losses[step]! : backend.tensor([losses[step]!], []);
    optimizer.step(
      gradients.map((gradient, j) => part(gradient, step, sizeOf(shapes[j]!))),
      loss,
    );
    if (typeof loss !== 'number') backend.dispose(loss);

    const parameters = await backend.read(optimizer.parameters);
    for (const [j, values] of parameters.entries()) {
      worst.add(`parameter ${j} after step ${step}`, values, part(expected[j]!, step, sizeOf(shapes[j]!)));
    }
    worst.equal(`updates made by step ${step}`, trace.updates.length, updatesAt.filter((at) => at <= step).length);
  }

  const state = await optimizer.exportState();
  const prefix = 'inner.iteration' in state.values ? 'inner.' : '';
  const lossOnHost = lossKind === 'host' && (state.weightDecay === 0 || backend.peek !== undefined);
  if (lossOnHost) {
    await compareTrace(golden, backend, trace, worst);
    compareState(golden, state, prefix, worst);
  }
  if (updatesAt.length > 0) {
    for (const name of trace.missing()) {
      if (name === 'loss' && lossOnHost) continue;
      worst.note(`the fused kernel "${name}" never ran`, Number.NaN);
    }
  }
  for (const { features, stepFactors } of trace.updates) for (const x of [features, stepFactors]) backend.dispose(x);
  optimizer.dispose();
  return worst.result(golden.name, backend, mode, lossOnHost ? TOLERANCES[backend.arithmetic] : TOLERANCES.float32);
}

/** Compares the parts of the mathematics that have golden values of their own. */
export async function runGoldenUnits<T extends Tensor>(
  units: GoldenUnits,
  backend: Backend<T>,
  { kernels: mode }: Pick<GoldenOptions, 'kernels'>,
): Promise<GoldenResult> {
  const worst = new Worst();
  for (const [seed, outputs] of Object.entries(units.mulberry32)) {
    const next = mulberry32(Number(seed));
    worst.equal(`mulberry32(${seed})`, outputs.map(next), outputs);
  }
  for (const { shape, d1_d0 } of units.factored_axes) worst.equal(`axes of [${shape}]`, factoredAxes(shape), d1_d0);

  const L = units.log_mag;
  const x = backend.tensor(
    L.map(([value]) => value),
    [L.length],
  );
  const y = backend.scope(() => logMagnitude(backend, x));
  worst.add(
    'L',
    (await backend.read([y]))[0]!,
    L.map(([, value]) => value),
  );
  for (const tensor of [x, y]) backend.dispose(tensor);

  for (const [fraction, features] of units.fraction_embedding) {
    worst.add(`training fraction ${fraction}`, fractionFeatures(fraction), features);
  }
  for (const golden of units.loss_buffer) {
    const name = `loss buffer for ${golden.num_steps} steps`;
    let buffer = createLossBuffer(golden.num_steps);
    worst.add(`decays of the ${name}`, buffer.decays, golden.decays);
    for (const [step, loss] of golden.losses.entries()) {
      buffer = pushHostLoss(buffer, loss);
      worst.add(`features of the ${name} at step ${step}`, hostLossFeatures(buffer), golden.features[step]!);
    }
    worst.add(`means of the ${name}`, buffer.means, golden.final_means);
    worst.add(`minima of the ${name}`, buffer.minima, golden.final_running_min);
  }
  return worst.result('units', backend, mode, TOLERANCES[backend.arithmetic]);
}

/** Keeps the largest deviation and what it was of. */
class Worst {
  private deviation = 0;
  private what = 'nothing';

  add(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    this.note(what, deviation(actual, expected));
  }

  equal(what: string, actual: unknown, expected: unknown): void {
    const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (is !== should) this.note(`${what}: ${is}, not ${should}`, Number.NaN);
  }

  note(what: string, found: number): void {
    // NaN stays: nothing can be worse.
    if (Number.isNaN(this.deviation) || !(Number.isNaN(found) || found > this.deviation)) return;
    this.deviation = found;
    this.what = what;
  }

  result(
    name: string,
    { name: backend }: { readonly name: string },
    kernels: KernelMode,
    tolerance: number,
  ): GoldenResult {
    const maxDeviation = this.deviation;
    return { case: name, backend, kernels, maxDeviation, tolerance, pass: maxDeviation <= tolerance, worst: this.what };
  }
}

interface Trace<T extends Tensor> {
  readonly backend: Backend<T>;
  /** `[n, 30]` and `[n, 1]` of every update; to be disposed of. */
  readonly updates: readonly { readonly features: T; readonly stepFactors: T }[];
  /** Kernels of the backend that were never called. */
  missing(): string[];
}

/** The same backend, which notes what goes into and comes out of the controller. */
function traced<T extends Tensor>(backend: Backend<T>): Trace<T> {
  const updates: { features: T; stepFactors: T }[] = [];
  const called = new Set<string>();
  const kernels = resolveKernels(backend);
  const tracing: Kernels<T> = {
    loss(inputs) {
      called.add('loss');
      return kernels.loss(inputs);
    },
    controller(inputs, theta) {
      called.add('controller');
      // Before the call: nothing is promised about inputs afterwards but that they are unchanged.
      const features = backend.keep(tensorFeatures(backend, inputs));
      const outputs = kernels.controller(inputs, theta);
      const last = outputs.mlp.shape[1]!;
      updates.push({ features, stepFactors: backend.keep(backend.slice(outputs.mlp, 1, last - 1, last)) });
      return outputs;
    },
    update(slots, mlp) {
      called.add('update');
      return kernels.update(slots, mlp);
    },
  };
  return {
    backend: withKernels(backend, tracing),
    updates,
    missing: () => Object.keys(backend.kernels ?? {}).filter((name) => !called.has(name)),
  };
}

async function compareTrace<T extends Tensor>(
  golden: GoldenCase,
  backend: Backend<T>,
  { updates }: Trace<T>,
  worst: Worst,
): Promise<void> {
  const features = golden.tensor('expect.features').data;
  const stepFactors = golden.tensor('expect.lr_mult').data;
  const n = golden.shapes.length;
  for (const [u, update] of updates.entries()) {
    const [actualFeatures, actualFactors] = await backend.read([update.features, update.stepFactors]);
    worst.add(`LSTM inputs of update ${u}`, actualFeatures!, features.subarray(u * n * 30, (u + 1) * n * 30));
    worst.add(`step factors of update ${u}`, actualFactors!, stepFactors.subarray(u * n, (u + 1) * n));
  }
}

/** The last state; golden files keep the channels of an accumulator together, velojs keeps planes. */
function compareState(golden: GoldenCase, state: ExportedState, prefix: string, worst: Worst): void {
  const actual = (path: string) => state.tensors[`${prefix}${path}`]?.data ?? new Float32Array();
  const value = (path: string) => state.values[path];
  const compare = (name: string, values: ArrayLike<number>) =>
    worst.add(`${name} at the end`, values, golden.tensor(name).data);

  for (const [j, shape] of golden.shapes.entries()) {
    const planes = (path: string, begin: number, end: number) =>
      channelsLast(
        actual(`accumulators.${j}.${path}`),
        state.tensors[`${prefix}accumulators.${j}.${path}`]?.shape,
        begin,
        end,
      );
    compare(`final.m.${j}`, planes('moments', 0, 3));
    compare(`final.rms.${j}`, planes('moments', 3, 4));
    if (factoredAxes(shape)) {
      compare(`final.v_row.${j}`, planes('rows', 0, 3));
      compare(`final.v_col.${j}`, planes('columns', 0, 3));
    } else {
      compare(`final.v_diag.${j}`, planes('rows', 0, 3));
    }
    if (golden.has(`final.grad_accum.${j}`))
      compare(`final.grad_accum.${j}`, state.tensors[`gradients.${j}`]?.data ?? []);
  }
  compare('final.h', actual('hidden'));
  compare('final.c', actual('cell'));
  const buffer = (path: string) => value(`${prefix}lossBuffer.${path}`) as readonly number[];
  compare('final.loss_means', buffer('means'));
  compare('final.loss_running_min', buffer('minima'));
  compare('final.loss_decays', lossDecays(value(`${prefix}totalSteps`) as number));
  if (golden.has('final.loss_accum')) compare('final.loss_accum', [value('loss') as number]);
}

/** Planes `begin` to `end` of `[channels, size]`, as `[size, end - begin]`. */
function channelsLast(data: Float32Array, shape: Shape | undefined, begin: number, end: number): Float32Array {
  const size = shape?.[1] ?? 0;
  const channels = end - begin;
  return Float32Array.from({ length: size * channels }, (_, i) => {
    const channel = begin + (i % channels);
    return data[channel * size + Math.floor(i / channels)]!;
  });
}
