/** VeLO with state: the object that a training loop holds. */
import type { Backend, Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
import { withGradientAccumulation } from './gradient-accumulation.ts';
import {
  checkLoss,
  checkNames,
  checkShape,
  type GradientInput,
  type Like,
  namesOf,
  nonFinite,
  type ParameterInput,
  uploadGradients,
  uploadParameter,
  valuesOf,
} from './inputs.ts';
import type { LossKind, Optimizer } from './optimizer.ts';
import { checkHeader, type ExportedState, flatten, invalid, thetaChecksum, unflatten } from './state.ts';
import { STATISTICS, STATISTICS_LENGTH } from './statistics.ts';
import { type DeviceTheta, MLP_LAYOUT, MLP_ROW, type Theta, uploadTheta } from './theta.ts';
import { accumulationSteps, checkTotalSteps, MAX_TRAINING_STEPS } from './total-steps.ts';
import { keepTree, mapTree, replaceTree, tensorsOf, withHostValues } from './tree.ts';
import { type VeloState, velo } from './velo.ts';
import { withWeightDecay } from './weight-decay.ts';

// Every platform has it, though no type library of the language does.
declare const console: { warn(message: string): void };

export interface VeloOptions<T extends Tensor, P extends Like<P, ParameterInput<T>>> {
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
  /**
   * Goes on from this state, bit for bit, with the values of `parameters` instead of its own, which may be left out of it.
   * As `importState`, but at once; `totalSteps` may be another.
   */
  readonly state?: ExportedState;
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

export interface Velo<T extends Tensor, P extends Like<P, ParameterInput<T>> = Record<string, ParameterInput<T>>> {
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
   * @throws VeloError `LOSS_REQUIRED`, `LOSS_KIND_CHANGED`, `NON_FINITE`, `SHAPE_MISMATCH`, `INVALID_ARGUMENT`,
   *   `GRADIENT_MISSING`, `GRADIENT_UNKNOWN`, `DISPOSED`; nothing has changed then. On devices `NON_FINITE` comes from the next read.
   */
  step(gradients: Like<P, GradientInput<T>>, loss: number | T): void;
  /** Another length of training, in the middle of it. On a device, a bad step not yet reported undoes it. @throws VeloError `INVALID_ARGUMENT` */
  setTotalSteps(totalSteps: number): void;
  /**
   * Other parameter values, for instance averaged ones; momentum and everything else stay. Also the way to tell the
   * optimizer that you have written to wrapped memory: `setParameters(velo.parameters)`.
   *
   * @throws VeloError `PARAMETER_MISSING`, `PARAMETER_UNKNOWN`, `SHAPE_MISMATCH`, `INVALID_ARGUMENT`, `NON_FINITE`
   */
  setParameters(parameters: Like<P, ParameterInput<T>>): Promise<void>;
  /** What the last update of each tensor did. Off the path of `step`: it waits for the device. */
  inspect(): Promise<TensorInspection[]>;
  /** All there is to know for going on later, elsewhere or on another backend. */
  exportState(): Promise<ExportedState>;
  /**
   * Goes on from `state`, bit for bit where it came from the same backend.
   *
   * @throws VeloError `STATE_INVALID` where it belongs to other parameters, another theta or other options.
   */
  importState(state: ExportedState): Promise<void>;
  /** Resolves when the device has done all steps. @throws VeloError `NON_FINITE`, of the first step with such input */
  synchronize(): Promise<void>;
  /** Gives back what the optimizer holds on the device, parameters included unless they were wrapped. */
  dispose(): void;
}

/**
 * Creates an optimizer for one training.
 *
 * @throws VeloError `INVALID_ARGUMENT`, `WEIGHTS_INVALID`, `EMPTY_TENSOR`, `SHAPE_MISMATCH`, `NON_FINITE`, `STATE_INVALID`
 * @see arXiv 2211.09760
 * @example
 * ```ts
 * const velo = createVelo({ backend: cpu(), theta: starterTheta(), parameters: { w: Float32Array.of(0.1, 0.2) }, totalSteps: 500 });
 * for (let i = 0; i < 500; i++) {
 *   const { loss, gradient } = lossAndGradient(velo.parameters.w.data);
 *   velo.step({ w: gradient }, loss);
 * }
 * ```
 */
export function createVelo<T extends Tensor, const P extends Like<P, ParameterInput<T>>>(
  options: VeloOptions<T, P>,
): Velo<T, P> {
  const { backend, theta, parameters: initial, weightDecay = 0, maxTrainingSteps = MAX_TRAINING_STEPS } = options;
  checkOptions(options);
  const warn = options.onWarning ?? ((message: string) => console.warn(message));
  let totalSteps = checkTotalSteps(options.totalSteps);
  const every = accumulationSteps(totalSteps, maxTrainingSteps);
  const names = namesOf(initial);
  const shapes: (readonly number[])[] = [];
  /** Handles that stay their owner's. */
  const wrapped = new Set<T>();

  /** @throws VeloError `STATE_INVALID` where an exported state does not fit, as far as its header says. */
  const checkState = (exported: ExportedState) => {
    checkHeader(exported, theta);
    if (exported.weightDecay !== weightDecay) throw invalid(`its weightDecay is ${exported.weightDecay}`);
    if (accumulationSteps(exported.totalSteps, exported.maxTrainingSteps) !== every) {
      throw invalid(`its totalSteps and maxTrainingSteps do not average ${every} gradients per update`);
    }
    if (`${exported.names}` !== `${names}` && `${[...exported.names].sort()}` === `${[...names].sort()}`) {
      throw invalid(`its parameters come in another order: ${exported.names.join(', ')}`);
    }
  };
  /** What was exported, as a state of the optimizer. @throws VeloError `STATE_INVALID` */
  const restored = (exported: ExportedState, parameters: readonly T[], parametersStay: boolean): Tree<T> => {
    const { totalSteps: total, stepsTaken: steps } = exported;
    const updates = Math.floor(steps / every);
    const counts = {
      iteration: updates,
      'lossBuffer.count': updates,
      count: steps % every,
      totalSteps: Math.floor(total / every),
    };
    const template = optimizer.withTotalSteps(optimizer.init(parameters), total);
    return unflatten(backend, template, exported, counts, parametersStay);
  };
  const { state: given } = options;
  if (given !== undefined) checkState(given);

  let deviceTheta!: DeviceTheta<T>;
  let optimizer!: Optimizer<T, Tree<T>>;
  let state!: Tree<T>;
  backend.scope(() => {
    const parameters = valuesOf<ParameterInput<T>>(initial, names).map((value, j) =>
      uploadParameter(backend, value, names[j]!),
    );
    shapes.push(...parameters.map(({ shape }) => [...shape]));
    deviceTheta = uploadTheta(backend, theta);
    optimizer = compose(
      velo({ backend, theta: deviceTheta, totalSteps: Math.floor(totalSteps / every) }),
      every,
      weightDecay,
    );
    let initialState = given ? restored(given, parameters, true) : optimizer.init(parameters);
    // Even the same length would round the means anew.
    if (given && given.totalSteps !== totalSteps) initialState = optimizer.withTotalSteps(initialState, totalSteps);
    state = mapTree(backend, initialState, (node) => {
      if (!backend.isTensor(node)) return node;
      const own = backend.own(node);
      if (own === node) {
        if (wrapped.has(node)) {
          throw new VeloError('INVALID_ARGUMENT', 'A wrapped tensor stands for two parameters: give it once.');
        }
        wrapped.add(node);
      }
      return own;
    });
    const held = [deviceTheta as unknown as Tree<T>, state];
    try {
      keepTree(backend, held);
    } catch (error) {
      // Memory ran out: what was kept already is out of the scope's reach.
      for (const tensor of tensorsOf(backend, held)) if (!wrapped.has(tensor)) backend.dispose(tensor);
      throw error;
    }
  });
  let stepsTaken = given?.stepsTaken ?? 0;
  /** Fixed by the first step, here or after `importState`. */
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
  /** What changes from here on is undone where a device finds a bad value, here or before (`Backend.check`). */
  const check = (gradients: readonly T[], loss: T | undefined) => {
    const before = { state, stepsTaken, totalSteps };
    backend.check?.(gradients, loss, () => {
      state = withHostValues(backend, state, before.state);
      ({ stepsTaken, totalSteps } = before);
      return nonFinite(`Step ${stepsTaken} had a NaN gradient or a loss that is not finite`, stepsTaken);
    });
  };
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
        check(
          tensors.filter((gradient) => gradient !== null),
          typeof loss === 'number' ? undefined : loss,
        );
        state = replaceTree(backend, state, optimizer.update(state, tensors, loss));
      });
      stepsTaken++;
      if (stepsTaken > totalSteps && !warnedPastEnd) {
        warnedPastEnd = true;
        warn(
          `Training goes on past its ${totalSteps} steps: VeLO's step sizes are made for that length. setTotalSteps() extends it.`,
        );
      }
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
      backend.scope(() => {
        // Nothing here can be bad, but a step before it, whoever's.
        check([], undefined);
        state = replaceTree(backend, state, optimizer.withTotalSteps(state, steps));
      });
      totalSteps = steps;
      warnedPastEnd = false;
    },

    async setParameters(parameters) {
      alive();
      checkNames(parameters, names, 'parameter');
      // Where nothing can be left unreported, it is done when this returns, and nobody has to wait.
      if (backend.check) await backend.synchronize();
      backend.scope(() => {
        const tensors = valuesOf<ParameterInput<T>>(parameters, names).map((value, j) => {
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
      const header = { totalSteps, stepsTaken };
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

    async importState(exported) {
      alive();
      checkState(exported);
      // A bad step that a device has not reported yet would undo what follows; it does not matter any more.
      if (backend.check) await backend.synchronize().catch(() => {});
      backend.scope(() => {
        state = replaceTree(backend, state, restored(exported, optimizer.parametersOf(state), false));
      });
      [totalSteps, stepsTaken, lossKind, warnedPastEnd] = [exported.totalSteps, exported.stepsTaken, null, false];
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

const OPTIONS: Readonly<Record<keyof VeloOptions<Tensor, object>, true>> = {
  backend: true,
  theta: true,
  parameters: true,
  totalSteps: true,
  weightDecay: true,
  maxTrainingSteps: true,
  state: true,
  onWarning: true,
};

/** A misspelt option would be lost without a word. */
function checkOptions(options: object): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown === undefined) return;
  const hint = /rate|^lr$/i.test(unknown) ? ' VeLO has no learning rate.' : '';
  throw new VeloError(
    'INVALID_ARGUMENT',
    `There is no option "${unknown}"; there are ${Object.keys(OPTIONS).join(', ')}.${hint}`,
  );
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
