/** VeLO with state: the object that a training loop holds. */
import type { Backend, Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
import { geometryOf, sizeOf } from './geometry.ts';
import { withGradientAccumulation } from './gradient-accumulation.ts';
import type { LossKind, Optimizer } from './optimizer.ts';
import { checkHeader, type ExportedState, flatten, invalid, thetaChecksum, unflatten } from './state.ts';
import { STATISTICS, STATISTICS_LENGTH } from './statistics.ts';
import { type DeviceTheta, type HostTensor, MLP_LAYOUT, MLP_ROW, type Theta, uploadTheta } from './theta.ts';
import { keepTree, mapTree, replaceTree, tensorsOf, withHostValues } from './tree.ts';
import { checkTotalSteps, type VeloState, velo } from './velo.ts';
import { withWeightDecay } from './weight-decay.ts';

// Every platform has it, though no type library of the language does.
declare const console: { warn(message: string): void };

/** A tensor of the backend, an array with its shape, or a vector. */
export type ParameterInput<T extends Tensor> = T | HostTensor | Float32Array;
/** As a parameter; a `Float32Array` may have any shape, only its length must fit. `null` skips the tensor this time. */
export type GradientInput<T extends Tensor> = T | HostTensor | Float32Array | null;
/** Values by name or by position. */
export type Structure<Value> = Readonly<Record<string, Value>> | readonly Value[];
/** The structure of `P` with other values. */
export type Like<P, Value> = P extends readonly unknown[] ? readonly Value[] : { readonly [Name in keyof P]: Value };

/** VeLO was trained for up to about this many updates; longer trainings accumulate gradients. */
export const MAX_TRAINING_STEPS = 150_000;

export interface VeloOptions<T extends Tensor, P extends Structure<ParameterInput<T>>> {
  readonly backend: Backend<T>;
  readonly theta: Theta;
  /** Initial values, by name or as a list; any rank from 0. They are copied, unless the backend has wrapped them. */
  readonly parameters: P;
  /** How often `step` will be called in this training: the one thing VeLO must be told. See `stepsFor`. */
  readonly totalSteps: number;
  /** L2, in gradient and loss; default 0. VeLO's authors suggest about 1e-6. */
  readonly weightDecay?: number;
  /** Beyond it gradients are accumulated (`withGradientAccumulation`); default 150,000. */
  readonly maxTrainingSteps?: number;
  /** Default `console.warn`. */
  readonly onWarning?: (message: string) => void;
}

/** What VeLO did to one tensor in the last update. */
export interface TensorInspection {
  readonly name: string;
  /** s: may be negative; 0 before the first update. */
  readonly stepFactor: number;
  /** Root mean square of the update over that of the parameter. */
  readonly relativeUpdate: number;
  /** The network that made the update; weights row-major, (outputs, inputs). */
  readonly mlp: {
    readonly weights: readonly [Float32Array, Float32Array, Float32Array];
    readonly biases: readonly [Float32Array, Float32Array, Float32Array];
  };
}

export interface Velo<T extends Tensor, P extends Structure<ParameterInput<T>> = Record<string, ParameterInput<T>>> {
  readonly backend: Backend<T>;
  /** The parameters as they are now, in the structure they were given in. The handles belong to the optimizer. */
  readonly parameters: Like<P, T>;
  /** How often `step` was called. */
  readonly stepsTaken: number;
  readonly totalSteps: number;
  /**
   * One step of training. Never waits for the device.
   *
   * @param gradients in the structure of the parameters; `null` skips a tensor. Infinite entries are clipped.
   * @param loss measured at the current parameters, on the batch of the gradients: a number, or a tensor of one entry.
   *   The first step fixes which.
   * @throws VeloError `LOSS_REQUIRED`, `LOSS_KIND_CHANGED`, `NON_FINITE`, `SHAPE_MISMATCH`, `GRADIENT_MISSING`,
   *   `GRADIENT_UNKNOWN`, `DISPOSED`; nothing has changed then. On devices `NON_FINITE` comes from the next read.
   */
  step(gradients: Like<P, GradientInput<T>>, loss: number | T): void;
  /** Another length of training, in the middle of it. @throws VeloError `INVALID_ARGUMENT` */
  setTotalSteps(totalSteps: number): void;
  /** Other parameter values, for instance averaged ones; momentum and everything else stay. */
  setParameters(parameters: Like<P, ParameterInput<T>>): void;
  /** What the last update did, tensor by tensor. Off the path of `step`: it waits for the device. */
  inspect(): Promise<TensorInspection[]>;
  /** All there is to know for going on later, elsewhere or on another backend. */
  exportState(): Promise<ExportedState>;
  /**
   * Goes on from `state`, bit for bit where it came from the same backend.
   *
   * @throws VeloError `STATE_INVALID` where it belongs to other parameters, another theta or other options.
   */
  importState(state: ExportedState): void;
  /** Resolves when the device has done all steps. @throws VeloError `NON_FINITE`, of the first step with such input */
  synchronize(): Promise<void>;
  /** Gives back what the optimizer holds on the device, parameters included unless they were wrapped. */
  dispose(): void;
}

/**
 * Creates an optimizer for one training.
 *
 * @throws VeloError `INVALID_ARGUMENT`, `EMPTY_TENSOR`, `SHAPE_MISMATCH`, `NON_FINITE`
 * @see arXiv 2211.09760
 * @example
 * ```ts
 * const velo = createVelo({ backend: cpu(), theta: starterTheta(), parameters: { w: new Float32Array(3) }, totalSteps: 500 });
 * for (let i = 0; i < 500; i++) {
 *   const { loss, gradient } = lossAndGradient(velo.parameters.w.data);
 *   velo.step({ w: gradient }, loss);
 * }
 * ```
 */
export function createVelo<T extends Tensor, P extends Structure<ParameterInput<T>>>(
  options: VeloOptions<T, P>,
): Velo<T, P> {
  const { backend, theta, parameters: initial, weightDecay = 0, maxTrainingSteps = MAX_TRAINING_STEPS } = options;
  const warn = options.onWarning ?? ((message: string) => console.warn(message));
  let totalSteps = checkTotalSteps(options.totalSteps);
  const every = accumulationSteps(totalSteps, maxTrainingSteps);
  const names = namesOf(initial);
  const shapes: (readonly number[])[] = [];
  /** Handles that stay their owner's. */
  const wrapped = new Set<T>();

  let deviceTheta!: DeviceTheta<T>;
  let optimizer!: Optimizer<T, Tree<T>>;
  let state!: Tree<T>;
  backend.scope(() => {
    const parameters = valuesOf(initial, names).map((value, j) => uploadParameter(backend, value, names[j]!));
    shapes.push(...parameters.map(({ shape }) => [...shape]));
    deviceTheta = uploadTheta(backend, theta);
    optimizer = compose(
      velo({ backend, theta: deviceTheta, totalSteps: Math.floor(totalSteps / every) }),
      every,
      weightDecay,
    );
    state = mapTree(backend, optimizer.init(parameters), (node) => {
      if (!backend.isTensor(node)) return node;
      const own = backend.own(node);
      if (own === node) wrapped.add(node);
      return own;
    });
    keepTree(backend, [deviceTheta as unknown as Tree<T>, state]);
  });
  let stepsTaken = 0;
  let lossKind: LossKind | null = null;
  let disposed = false;
  let warnedPastEnd = false;
  if (every > 1) {
    warn(
      `${totalSteps} steps are more than VeLO was trained for (${maxTrainingSteps}): ` +
        `every update will average the gradients of ${every} steps.`,
    );
  }

  const structured = (tensors: readonly T[]): Like<P, T> =>
    (Array.isArray(initial) ? [...tensors] : Object.fromEntries(names.map((name, j) => [name, tensors[j]!]))) as Like<
      P,
      T
    >;
  const alive = () => {
    if (disposed) throw new VeloError('DISPOSED', 'This optimizer was disposed of: create another one.');
  };

  return {
    backend,
    get parameters() {
      alive();
      return structured(optimizer.parametersOf(state));
    },
    get stepsTaken() {
      return stepsTaken;
    },
    get totalSteps() {
      return totalSteps;
    },

    step(gradients, loss) {
      alive();
      backend.scope(() => {
        const kind = checkLoss(backend, loss, lossKind);
        const tensors = uploadGradients(backend, gradients, names, shapes);
        if (lossKind === null) {
          state = replaceTree(backend, state, optimizer.withLossKind(state, kind));
          lossKind = kind;
        }
        const before = state;
        const step = stepsTaken;
        backend.check?.(
          tensors.filter((gradient) => gradient !== null),
          typeof loss === 'number' ? undefined : loss,
          () => {
            state = withHostValues(backend, state, before);
            stepsTaken = step;
            return nonFinite(`Step ${step} had a NaN gradient or a loss that is not finite`, step);
          },
        );
        state = replaceTree(backend, state, optimizer.update(state, tensors, loss));
      });
      if (stepsTaken === totalSteps && !warnedPastEnd) {
        warnedPastEnd = true;
        warn(
          `Training goes on past its ${totalSteps} steps: VeLO's step sizes are made for that length. setTotalSteps() extends it.`,
        );
      }
      stepsTaken++;
    },

    setTotalSteps(steps) {
      alive();
      checkTotalSteps(steps);
      if (accumulationSteps(steps, maxTrainingSteps) !== every) {
        throw new VeloError(
          'INVALID_ARGUMENT',
          `${steps} steps would average ${accumulationSteps(steps, maxTrainingSteps)} gradients per update, ` +
            `${totalSteps} average ${every}: that cannot change in mid-training. Choose a length on the same side of a multiple of ${maxTrainingSteps}.`,
        );
      }
      state = backend.scope(() => replaceTree(backend, state, optimizer.withTotalSteps(state, steps)));
      totalSteps = steps;
      warnedPastEnd = false;
    },

    setParameters(parameters) {
      alive();
      checkNames(parameters, names, 'parameter');
      backend.scope(() => {
        const tensors = valuesOf(parameters as Structure<ParameterInput<T>>, names).map((value, j) => {
          const tensor = uploadParameter(backend, value, names[j]!);
          checkShape(tensor.shape, shapes[j]!, `Parameter "${names[j]}"`);
          // A copy, because `replace` takes what it is given.
          return backend.isTensor(value) ? backend.binary('mul', tensor, 1) : tensor;
        });
        state = replaceTree(backend, state, optimizer.withParameters(state, tensors));
      });
    },

    async inspect() {
      alive();
      const { mlp, statistics } = optimizer.innerState(state);
      const [networks, rows] = (await backend.read([mlp, statistics])) as [Float32Array, Float32Array];
      return names.map((name, j) => {
        const network = networks.subarray(j * MLP_ROW, (j + 1) * MLP_ROW);
        const part = ({ begin, end }: { begin: number; end: number }) => network.slice(begin, end);
        const statistic = ({ begin }: { begin: number }) => rows[j * STATISTICS_LENGTH + begin]!;
        const { weight0, weight1, weight2, bias0, bias1, bias2, stepFactor } = MLP_LAYOUT;
        const parameterSquare = statistic(STATISTICS.parameterSquare);
        return {
          name,
          stepFactor: network[stepFactor.begin]!,
          relativeUpdate: parameterSquare > 0 ? Math.sqrt(statistic(STATISTICS.updateSquare) / parameterSquare) : 0,
          mlp: {
            weights: [part(weight0), part(weight1), part(weight2)],
            biases: [part(bias0), part(bias1), part(bias2)],
          },
        };
      });
    },

    async exportState() {
      alive();
      // The host values of now: the tensors are read as they are when the device gets here.
      const header = { totalSteps, stepsTaken, lossKind };
      const leaves = await flatten(backend, state);
      return {
        format: 'velo-state',
        version: 1,
        theta: { hiddenSize: theta.hiddenSize, bankSize: theta.bankSize, checksum: thetaChecksum(theta) },
        ...header,
        weightDecay,
        maxTrainingSteps,
        names,
        ...leaves,
      };
    },

    importState(exported) {
      alive();
      checkHeader(exported, theta);
      if (exported.weightDecay !== weightDecay) throw invalid(`its weightDecay is ${exported.weightDecay}`);
      if (accumulationSteps(exported.totalSteps, exported.maxTrainingSteps) !== every) {
        throw invalid(`its totalSteps and maxTrainingSteps do not average ${every} gradients per update`);
      }
      backend.scope(() => {
        const fresh = optimizer.init(optimizer.parametersOf(state));
        const template = exported.lossKind === null ? fresh : optimizer.withLossKind(fresh, exported.lossKind);
        state = replaceTree(backend, state, unflatten(backend, template, exported));
      });
      ({ totalSteps, stepsTaken, lossKind } = exported);
    },

    synchronize() {
      alive();
      return backend.synchronize();
    },

    dispose() {
      alive();
      disposed = true;
      for (const tensor of tensorsOf(backend, [state, deviceTheta as unknown as Tree<T>])) {
        if (!wrapped.has(tensor)) backend.dispose(tensor);
      }
    },
  };
}

/**
 * How often `step` will be called: what `totalSteps` wants to know. The last batch of an epoch may be smaller.
 *
 * @throws VeloError `INVALID_ARGUMENT` unless all three are whole numbers >= 1.
 * @example
 * ```ts
 * stepsFor({ examples: 60_000, batchSize: 128, epochs: 10 }); // 4690
 * ```
 */
export function stepsFor(options: { examples: number; batchSize: number; epochs: number }): number {
  for (const [name, value] of Object.entries(options)) {
    if (!(Number.isSafeInteger(value) && value >= 1)) {
      throw new VeloError('INVALID_ARGUMENT', `${name} must be a whole number >= 1; got ${value}.`);
    }
  }
  return Math.ceil(options.examples / options.batchSize) * options.epochs;
}

/** The prefab optimizer: weight decay around accumulation around VeLO (SPEC section 11). */
function compose<T extends Tensor>(
  inner: Optimizer<T, VeloState<T>>,
  every: number,
  weightDecay: number,
): Optimizer<T, Tree<T>> {
  const plain = inner as unknown as Optimizer<T, Tree<T>>;
  const accumulated = every > 1 ? (withGradientAccumulation(plain, every) as unknown as Optimizer<T, Tree<T>>) : plain;
  return weightDecay === 0 ? accumulated : withWeightDecay(accumulated, weightDecay);
}

function accumulationSteps(totalSteps: number, maxTrainingSteps: number): number {
  if (!(Number.isSafeInteger(maxTrainingSteps) && maxTrainingSteps >= 1)) {
    throw new VeloError('INVALID_ARGUMENT', `maxTrainingSteps must be a whole number >= 1; got ${maxTrainingSteps}.`);
  }
  return Math.ceil(totalSteps / maxTrainingSteps);
}

function namesOf(parameters: Structure<unknown>): string[] {
  const names = Object.keys(parameters);
  if (names.length === 0) throw new VeloError('EMPTY_TENSOR', 'There are no parameters to train: give at least one.');
  return names;
}

const valuesOf = <Value>(structure: Structure<Value>, names: readonly string[]): Value[] =>
  names.map((name) => (structure as Readonly<Record<string, Value>>)[name]!);

/** Every name must be there, and no other. */
function checkNames(given: unknown, names: readonly string[], what: 'gradient' | 'parameter'): void {
  const structure: object = typeof given === 'object' && given !== null ? given : {};
  for (const name of names) {
    if (!Object.hasOwn(structure, name) || (structure as Record<string, unknown>)[name] === undefined) {
      const hint = what === 'gradient' ? ' null skips a parameter.' : '';
      throw new VeloError('GRADIENT_MISSING', `There is no ${what} for "${name}".${hint}`);
    }
  }
  const unknown = Object.keys(structure).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new VeloError('GRADIENT_UNKNOWN', `"${unknown}" is not among the parameters (${names.join(', ')}).`);
  }
}

const isHostTensor = (value: unknown): value is HostTensor =>
  typeof value === 'object' && value !== null && 'shape' in value && 'data' in value && isArrayLike(value.data);
const isArrayLike = (data: unknown): data is ArrayLike<number> => ArrayBuffer.isView(data) || Array.isArray(data);

function uploadParameter<T extends Tensor>(backend: Backend<T>, value: ParameterInput<T>, name: string): T {
  const what = `Parameter "${name}"`;
  if (backend.isTensor(value)) {
    geometryOf(value.shape);
    if (backend.peek) checkFinite(backend.peek(value), what);
    return value;
  }
  const tensor = value instanceof Float32Array ? { shape: [value.length], data: value } : value;
  if (!isHostTensor(tensor)) {
    throw new VeloError(
      'SHAPE_MISMATCH',
      `${what} must be a tensor of the backend, { shape, data } or a Float32Array.`,
    );
  }
  const { shape, data } = tensor;
  checkLength(data, geometryOf(shape).size, `${what} of shape [${shape}]`);
  checkFinite(data, what);
  return backend.tensor(data, shape);
}

/** Gradients in the order of the parameters, checked, on the backend. */
function uploadGradients<T extends Tensor>(
  backend: Backend<T>,
  gradients: Structure<GradientInput<T>>,
  names: readonly string[],
  shapes: readonly (readonly number[])[],
): (T | null)[] {
  checkNames(gradients, names, 'gradient');
  return valuesOf(gradients, names).map((value, j) => {
    if (value === null) return null;
    const what = `The gradient of "${names[j]}"`;
    const shape = shapes[j]!;
    if (backend.isTensor(value)) {
      checkShape(value.shape, shape, what);
      if (backend.peek) checkNumbers(backend.peek(value), what);
      return value;
    }
    if (!(value instanceof Float32Array)) {
      if (!isHostTensor(value)) {
        throw new VeloError(
          'SHAPE_MISMATCH',
          `${what} must be a tensor of the backend, { shape, data }, a Float32Array or null.`,
        );
      }
      checkShape(value.shape, shape, what);
    }
    const data = value instanceof Float32Array ? value : value.data;
    checkLength(data, sizeOf(shape), what);
    checkNumbers(data, what);
    return backend.borrow && data instanceof Float32Array ? backend.borrow(data, shape) : backend.tensor(data, shape);
  });
}

function checkLoss<T extends Tensor>(backend: Backend<T>, loss: number | T, previous: LossKind | null): LossKind {
  if (loss === undefined || loss === null) {
    throw new VeloError('LOSS_REQUIRED', 'VeLO needs the loss of every step: step(gradients, loss).');
  }
  const kind = typeof loss === 'number' ? 'host' : 'device';
  if (kind === 'device' && !backend.isTensor(loss)) {
    throw new VeloError('LOSS_REQUIRED', `The loss must be a number or a tensor of the backend; got ${typeof loss}.`);
  }
  if (previous !== null && kind !== previous) {
    throw new VeloError(
      'LOSS_KIND_CHANGED',
      `The loss must stay ${previous === 'host' ? 'a number' : 'a tensor'}, as it was in the first step.`,
    );
  }
  if (typeof loss !== 'number') checkLength({ length: sizeOf(loss.shape) }, 1, 'The loss');
  const value = typeof loss === 'number' ? loss : backend.peek?.(loss)[0];
  if (value !== undefined && !Number.isFinite(value)) throw nonFinite(`The loss is ${value}`);
  return kind;
}

function checkShape(shape: readonly number[], expected: readonly number[], what: string): void {
  if (`${shape}` !== `${expected}`) {
    throw new VeloError('SHAPE_MISMATCH', `${what} has shape [${shape}]; it must be [${expected}].`);
  }
}

function checkLength(data: { readonly length: number }, expected: number, what: string): void {
  if (data.length !== expected) {
    throw new VeloError('SHAPE_MISMATCH', `${what} has ${data.length} values; it must have ${expected}.`);
  }
}

function checkFinite(data: ArrayLike<number>, what: string): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw nonFinite(`${what} has ${data[i]} at index ${i}`);
  }
}

/** Gradients may be infinite: they are clipped. */
function checkNumbers(data: ArrayLike<number>, what: string): void {
  const bad = data instanceof Float32Array ? firstNaN(data) : Array.prototype.findIndex.call(data, Number.isNaN);
  if (bad >= 0) throw nonFinite(`${what} has NaN at index ${bad}`);
}

// On the path of every step, so a loop of its own for the one kind of array that it meets there.
function firstNaN(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i])) return i;
  }
  return -1;
}

const nonFinite = (what: string, step?: number): VeloError =>
  new VeloError(
    'NON_FINITE',
    `${what}. The optimizer is as it was before that step: skip the batch, or look for the cause in the model.`,
    step === undefined ? {} : { step },
  );
