/** VeLO as an optimizer of tfjs: `model.compile({ optimizer: new VeloOptimizer({ totalSteps }) })`. */
import * as tf from '@tensorflow/tfjs-core';
import {
  accumulationSteps,
  type VeloOptions as CoreOptions,
  checkTotalSteps,
  createVelo,
  type ExportedState,
  type GradientInput,
  MAX_TRAINING_STEPS,
  type ParameterInput,
  type Theta,
  thetaChecksum,
  type Velo,
  VeloError,
} from '@velojs/core';
import { veloMini } from '@velojs/weights';
import { type TfjsBackend, tfjs } from './backend.ts';
import { type NamedTensor, stateFromTensors, tensorsFromState, withoutParameters } from './optimizer-weights.ts';

type Parameters = Readonly<Record<string, ParameterInput<tf.Tensor>>>;

export interface VeloOptimizerOptions
  extends Omit<CoreOptions<tf.Tensor, Parameters>, 'backend' | 'parameters' | 'state' | 'theta'> {
  /**
   * The weights of the optimizer, such as `await loadTheta('velo')`; default `veloMini()`, small and part of the package.
   */
  readonly theta?: Theta;
}

const OPTIONS: Readonly<Record<keyof VeloOptimizerOptions, true>> = {
  totalSteps: true,
  theta: true,
  weightDecay: true,
  maxTrainingSteps: true,
  onWarning: true,
};

/** What the first step fixes. */
interface Training {
  readonly backend: TfjsBackend;
  readonly velo: Velo<tf.Tensor, Parameters>;
  /** In the order of the first step, which is the order of a saved state. */
  readonly variables: readonly tf.Variable[];
  /** What messages call them. */
  readonly labels: readonly string[];
  /** Whose values they had after the latest step: tfjs's `assign` exchanges them. */
  readonly values: object[];
}

/**
 * VeLO where tfjs takes an optimizer: `compile`, `minimize`. It has no learning rate.
 *
 * Its variables are those of its first step; later steps may leave some out (frozen layers), and name them in any order.
 * Where tfjs runs on memory of the host, losses are read and bad input throws before anything is written. On `webgl` and
 * `webgpu` nothing is read within a step: a bad loss or gradient stops all writing, and one of the next steps,
 * `synchronize` or `getWeights` throws `NON_FINITE`.
 *
 * @param options.totalSteps how many steps training will take: batches per epoch, times epochs; see `stepsFor`.
 * @throws VeloError `INVALID_ARGUMENT`
 * @see arXiv 2211.09760
 * @example
 * ```ts
 * const totalSteps = stepsFor({ examples: 60_000, batchSize: 128, epochs: 5 });
 * model.compile({ optimizer: new VeloOptimizer({ totalSteps }), loss: 'categoricalCrossentropy' });
 * await model.fit(images, labels, { batchSize: 128, epochs: 5 });
 * ```
 */
export class VeloOptimizer extends tf.Optimizer {
  /** The name in saved models. */
  static get className(): string {
    return 'VeloOptimizer';
  }

  #totalSteps: number;
  readonly #weightDecay: number;
  readonly #maxTrainingSteps: number;
  readonly #onWarning: ((message: string) => void) | undefined;
  /** None in an optimizer of a saved model whose theta is not the default. */
  #theta: Theta | undefined;
  #checksum: string;
  #training: Training | undefined;
  /** Restored before the variables are known. */
  #pending: ExportedState | undefined;
  /** Of the latest `computeGradients`, for the `applyGradients` that follows. */
  #loss: tf.Scalar | undefined;
  /** What `getWeights` gave last, more than one where models are saved at the same time. */
  readonly #weights: tf.Tensor[] = [];
  /** Of a step that a device found bad, until a call can throw it. */
  #report: VeloError | undefined;
  #watching: Promise<void> | undefined;
  #isDisposed = false;

  constructor(options: VeloOptimizerOptions) {
    super();
    checkOptions(options);
    const { totalSteps, theta = veloMini(), weightDecay = 0, maxTrainingSteps = MAX_TRAINING_STEPS } = options;
    accumulationSteps(checkTotalSteps(totalSteps), maxTrainingSteps);
    if (!(Number.isFinite(weightDecay) && weightDecay >= 0)) {
      throw new VeloError('INVALID_ARGUMENT', `weightDecay must be a finite number >= 0; got ${weightDecay}.`);
    }
    this.#totalSteps = totalSteps;
    this.#weightDecay = weightDecay;
    this.#maxTrainingSteps = maxTrainingSteps;
    this.#onWarning = options.onWarning;
    this.#theta = theta;
    this.#checksum = thetaChecksum(theta);
  }

  /** Steps taken. */
  override get iterations(): number {
    return this.#training?.velo.stepsTaken ?? this.#pending?.stepsTaken ?? 0;
  }

  get totalSteps(): number {
    return this.#training?.velo.totalSteps ?? this.#totalSteps;
  }

  /** Another length of training, in the middle of it. @throws VeloError `INVALID_ARGUMENT`, `DISPOSED` */
  setTotalSteps(totalSteps: number): void {
    this.#alive();
    checkTotalSteps(totalSteps);
    this.#training?.velo.setTotalSteps(totalSteps);
    this.#totalSteps = totalSteps;
  }

  override computeGradients(
    f: () => tf.Scalar,
    varList?: tf.Variable[],
  ): { value: tf.Scalar; grads: tf.NamedTensorMap } {
    this.#alive();
    this.#throwReport();
    // Where it is not ready, tfjs would throw an error of its own.
    if (!this.#training) tfjs();
    this.#loss = undefined;
    const result = super.computeGradients(f, varList);
    this.#loss = result.value;
    return result;
  }

  /** As that of every tfjs optimizer. @throws VeloError as `applyGradientsWithLoss` */
  override minimize(f: () => tf.Scalar, returnCost = false, varList?: tf.Variable[]): tf.Scalar | null {
    const { value, grads } = this.computeGradients(f, varList);
    try {
      this.applyGradients(varList ? varList.map(({ name }) => ({ name, tensor: grads[name]! })) : grads);
    } catch (error) {
      value.dispose();
      throw error;
    } finally {
      this.#loss = undefined;
      tf.dispose(grads);
    }
    if (returnCost) return value;
    value.dispose();
    return null;
  }

  /**
   * Applies gradients with the loss of the `computeGradients` before it, once.
   *
   * @throws VeloError `LOSS_REQUIRED` where there was none; else as `applyGradientsWithLoss`.
   */
  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    this.#alive();
    const loss = this.#loss;
    this.#loss = undefined;
    if (!loss || loss.isDisposed) {
      const why = loss ? ', and that of computeGradients() was disposed of' : '';
      throw new VeloError(
        'LOSS_REQUIRED',
        `VeLO needs the loss of every step${why}: use minimize(), or applyGradientsWithLoss(gradients, loss).`,
      );
    }
    this.applyGradientsWithLoss(gradients, loss);
  }

  /**
   * One step of training, for gradients that were computed or changed elsewhere.
   *
   * @param gradients by the names of the variables, in their shapes; without a tensor, or left out, a variable stays as it is.
   * @param loss at the variables as they are now, on the batch of the gradients: a number or a tensor of one entry.
   * @throws VeloError `LOSS_REQUIRED`, `NON_FINITE`, `SHAPE_MISMATCH`, `GRADIENT_UNKNOWN`, `STATE_INVALID`, `EMPTY_TENSOR`,
   *   `INVALID_ARGUMENT`, `BACKEND_UNAVAILABLE`, `DISPOSED`; variables and state are then as they were.
   * @example
   * ```ts
   * const { value, grads } = tf.variableGrads(loss);
   * optimizer.applyGradientsWithLoss(grads, value);
   * ```
   */
  applyGradientsWithLoss(gradients: tf.NamedTensorMap | NamedTensor[], loss: number | tf.Tensor): void {
    this.#alive();
    this.#throwReport();
    const given = byVariable(gradients);
    if (!this.#training) {
      const trainable = [...given.keys()].filter(({ dtype }) => dtype === 'float32');
      const training = this.#start(trainable, this.#pending);
      try {
        this.#step(training, given, loss);
      } catch (error) {
        training.velo.dispose();
        throw error;
      }
      this.#training = training;
      this.#pending = undefined;
    } else this.#step(this.#training, given, loss);
    this.#watch(this.#training);
  }

  /** Resolves when the device has done all steps. @throws VeloError `NON_FINITE`, of the first step with such input */
  async synchronize(): Promise<void> {
    this.#alive();
    await this.#settled((velo) => velo.synchronize());
  }

  /**
   * The number of steps and all of the state except the variables' values, as `model.save({ includeOptimizer: true })` wants
   * it: bits of numbers as integers, so that training goes on exactly where it was. The tensors are the optimizer's:
   * they live until the next `getWeights` begins, or `dispose`.
   *
   * @throws VeloError `NON_FINITE`, `DISPOSED`
   */
  override async getWeights(): Promise<NamedTensor[]> {
    this.#alive();
    tf.dispose(this.#weights.splice(0));
    const exported = await this.#settled((velo) => velo.exportState());
    this.#alive();
    const weights = tensorsFromState(exported ? withoutParameters(exported) : this.#pending);
    this.#weights.push(...weights.map(({ tensor }) => tensor));
    return weights;
  }

  /**
   * Goes on from what `getWeights` gave. Before the first step it is kept for the variables of that step, which is
   * where a state of another model is refused.
   *
   * @throws VeloError `STATE_INVALID`, `DISPOSED`; everything is then as it was.
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const state = await stateFromTensors(weights);
    this.#alive();
    if (state && state.theta.checksum !== this.#checksum) {
      throw new VeloError(
        'STATE_INVALID',
        `This state belongs to the theta with checksum ${state.theta.checksum}, the optimizer has ${this.#checksum}: ` +
          'set it in a `new VeloOptimizer({ totalSteps, theta })` with the theta it was made with.',
      );
    }
    // A bad step that a device has not reported yet would undo what follows; it does not matter any more.
    await this.#settled((velo) => velo.synchronize()).catch(() => {});
    this.#alive();
    if (this.#training) this.#training = this.#start(this.#training.variables, state);
    else this.#pending = state;
  }

  /** For JSON, so theta is only named, by its checksum. */
  getConfig(): tf.serialization.ConfigDict {
    return {
      totalSteps: this.totalSteps,
      weightDecay: this.#weightDecay,
      maxTrainingSteps: this.#maxTrainingSteps,
      theta: this.#checksum,
    };
  }

  /**
   * What `tf.loadLayersModel` calls. An optimizer that was saved with another theta than the default loads, too,
   * but cannot train: its first step throws an error that says how to give it its theta.
   *
   * @nocollapse
   */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    // tfjs adds entries of its own.
    const { totalSteps, weightDecay, maxTrainingSteps, theta } = config;
    const made = new cls({ totalSteps, weightDecay, maxTrainingSteps });
    const optimizer = made as tf.serialization.Serializable as VeloOptimizer;
    if (typeof theta === 'string' && theta !== optimizer.#checksum) {
      optimizer.#theta = undefined;
      optimizer.#checksum = theta;
    }
    return made;
  }

  /** Gives back the memory of the optimizer; the variables stay. */
  override dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#training?.velo.dispose();
    tf.dispose(this.#weights.splice(0));
    this.#training = this.#pending = this.#loss = undefined;
  }

  /** Begins with these variables, or begins again. */
  #start(variables: readonly tf.Variable[], state: ExportedState | undefined): Training {
    if (!this.#theta) {
      throw new VeloError(
        'STATE_INVALID',
        `The model was saved with a theta (checksum ${this.#checksum}) that is not part of its file. Give it to another optimizer: ` +
          'const optimizer = new VeloOptimizer({ totalSteps, theta }); ' +
          'await optimizer.setWeights(await model.optimizer.getWeights()); model.compile({ optimizer, loss }).',
      );
    }
    const backend = this.#listening();
    // Names that are whole numbers, as tfjs gives them, would come in another order.
    const labels = variables.map(({ name }) => `variable ${name}`);
    const velo = createVelo<tf.Tensor, Parameters>({
      backend,
      theta: this.#theta,
      parameters: Object.fromEntries(labels.map((label, i) => [label, variables[i]!])),
      totalSteps: this.totalSteps,
      weightDecay: this.#weightDecay,
      maxTrainingSteps: this.#maxTrainingSteps,
      ...(state && { state }),
      ...(this.#onWarning && { onWarning: this.#onWarning }),
    });
    this.#training?.velo.dispose();
    return { backend, velo, variables, labels, values: variables.map(({ dataId }) => dataId) };
  }

  #step(
    { backend, velo, variables, labels, values }: Training,
    given: ReadonlyMap<tf.Variable, tf.Tensor | null>,
    loss: number | tf.Tensor,
  ): void {
    if (`tfjs-${tf.getBackend()}` !== backend.name) {
      throw new VeloError(
        'INVALID_ARGUMENT',
        `This training began on ${backend.name} and tfjs is on ${tf.getBackend()} now: go back with tf.setBackend(), or go on ` +
          'with another VeloOptimizer after `await other.setWeights(await optimizer.getWeights())`.',
      );
    }
    checkVariables(given, variables);
    const gradients: Record<string, GradientInput<tf.Tensor>> = {};
    for (const [i, label] of labels.entries()) gradients[label] = given.get(variables[i]!) ?? null;
    // Others have written to them, `model.setWeights()` for instance. A device would have to be waited for.
    if (!backend.check && variables.some(({ dataId }, i) => dataId !== values[i])) {
      velo.setParameters(velo.parameters).catch((error: VeloError) => {
        this.#report = error;
      });
    }
    tf.tidy(() => velo.step(gradients, lossFor(backend, loss)));
    values.splice(0, values.length, ...variables.map(({ dataId }) => dataId));
  }

  /** Asks the device about bad steps, one question at a time, without waiting for the answer: the backend below hears it. */
  #watch({ backend, velo }: Training): void {
    if (!backend.check || this.#watching) return;
    this.#watching = velo
      .synchronize()
      .catch(() => {})
      .finally(() => {
        this.#watching = undefined;
      });
  }

  /** tfjs's backend with an ear for the steps that are undone, in the moment that they are. */
  #listening(): TfjsBackend {
    const backend = tfjs();
    const { check } = backend;
    if (!check) return backend;
    return {
      ...backend,
      check: (gradients, loss, undo) =>
        check(gradients, loss, () => {
          const error = undo() as VeloError;
          this.#report = error;
          return error;
        }),
    };
  }

  /** What `ask` tells, or the report of a bad step. */
  async #settled<Answer>(ask: (velo: Training['velo']) => Promise<Answer>): Promise<Answer | undefined> {
    await this.#watching;
    this.#throwReport();
    try {
      return await (this.#training && ask(this.#training.velo));
    } finally {
      // It is thrown now.
      this.#throwReport();
    }
  }

  #throwReport(): void {
    const report = this.#report;
    this.#report = undefined;
    if (report) throw report;
  }

  #alive(): void {
    if (this.#isDisposed) throw new VeloError('DISPOSED', 'This optimizer was disposed of: create another one.');
  }
}

// What `tf.loadLayersModel` finds it by.
tf.serialization.registerClass(VeloOptimizer);

/** A misspelt option would be lost without a word, and a number is likely to be a learning rate. */
function checkOptions(options: VeloOptimizerOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `It is new VeloOptimizer({ totalSteps }); got ${options}. VeLO has no learning rate.`,
    );
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined) {
    const hint = /rate|^lr$/i.test(unknown) ? ' VeLO has no learning rate.' : '';
    throw new VeloError(
      'INVALID_ARGUMENT',
      `There is no option "${unknown}"; there are ${Object.keys(OPTIONS).join(', ')}.${hint}`,
    );
  }
  const { theta } = options;
  if (theta !== undefined && typeof theta?.leaves !== 'object') {
    const hint = typeof (theta as { then?: unknown } | null)?.then === 'function' ? ' It is a promise: await it.' : '';
    throw new VeloError('INVALID_ARGUMENT', `theta must be a Theta, such as veloMini().${hint}`);
  }
}

/** @throws VeloError `GRADIENT_UNKNOWN` */
function byVariable(gradients: tf.NamedTensorMap | NamedTensor[]): Map<tf.Variable, tf.Tensor | null> {
  const entries = Array.isArray(gradients)
    ? gradients.map(({ name, tensor }): [string, tf.Tensor | null] => [name, tensor])
    : Object.entries(gradients ?? {});
  const { registeredVariables } = tf.engine();
  return new Map(
    entries.map(([name, tensor]) => {
      const variable = registeredVariables[name];
      if (!variable) throw new VeloError('GRADIENT_UNKNOWN', `There is a gradient of "${name}", and no such variable.`);
      return [variable, tensor ?? null];
    }),
  );
}

/** @throws VeloError `SHAPE_MISMATCH`, `GRADIENT_UNKNOWN` where there are others than those of the first step. */
function checkVariables(given: ReadonlyMap<tf.Variable, tf.Tensor | null>, variables: readonly tf.Variable[]): void {
  const list = [...given.keys()];
  const unknown = list.find((variable) => given.get(variable) && !variables.includes(variable));
  if (!unknown) return;
  const advice =
    'An optimizer trains the variables of its first step: use a new VeloOptimizer, or give minimize() all variables ' +
    'from the first step on.';
  const before = list.length === variables.length ? variables[list.indexOf(unknown)]! : undefined;
  if (before && `${before.shape}` !== `${unknown.shape}`) {
    throw new VeloError(
      'SHAPE_MISMATCH',
      `"${unknown.name}" has shape [${unknown.shape}], "${before.name}" in its place had [${before.shape}]. ${advice}`,
    );
  }
  throw new VeloError('GRADIENT_UNKNOWN', `"${unknown.name}" was not among ${variables.length} variables. ${advice}`);
}

/** A number where reading costs nothing, so that VeLO's averages are doubles; a tensor where it would wait for the device. */
function lossFor(backend: TfjsBackend, loss: number | tf.Tensor): number | tf.Tensor {
  if (typeof loss === 'number') return backend.peek ? loss : tf.scalar(loss);
  if (!backend.isTensor(loss) || !backend.peek) return loss;
  if (loss.size !== 1) {
    throw new VeloError('SHAPE_MISMATCH', `The loss has shape [${loss.shape}]; it must be a scalar.`);
  }
  return backend.peek(loss)[0]!;
}
