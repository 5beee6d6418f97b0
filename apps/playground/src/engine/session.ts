/** One session: every run from the same weights on the same batches, a step of each in turn. */
import { cpu } from '@velojs/backend-cpu';
import { type ExportedState, VeloError } from '@velojs/core';
import { encodeState } from '@velojs/weights';
import {
  type HostParameters,
  loadJax,
  type Model,
  type OptimizerSpec,
  optimizerLabel,
  startTraining,
  type Training,
} from 'velojs/training';
import { type OpenBackend, openBackend } from './backends.ts';
import { type Curve, createCurve } from './curve.ts';
import { type OpenedTask, openTask } from './data-files.ts';
import { faultOf } from './fault.ts';
import { createInspections } from './inspections.ts';
import type {
  FullCurves,
  RunEvaluation,
  RunProgress,
  RunResult,
  SessionConfig,
  SessionMessage,
  StateFile,
  TimeShares,
} from './protocol.ts';
import { mlpResponse } from './response.ts';
import { createPainter, type Painter } from './scene.ts';
import { openTheta } from './theta.ts';

/**
 * How long a command may have to wait, a step of one run aside. Where others want the processor, whoever posts a message or
 * gives way waits for the next turn: the longer that took, the later it is done again.
 */
const [SHORTEST_SLICE, LONGEST_SLICE] = [50, 1000];
const SLICE_PER_WAIT = 40;
/** Between messages about progress. */
const PROGRESS_EVERY = 150;
/** Between pictures, and between answers of the watched tensor's network, at least. */
const PICTURE_EVERY = 250;
/** Of the time of training, what each may take. Together with giving way that leaves training nine tenths of all. */
const PICTURE_SHARE = 0.03;
const INSPECTION_SHARE = 0.015;
const RESPONSE_SHARE = 0.01;
/** The first steps are looked at all the same. */
const FREE_INSPECTION = 10;

export interface Session {
  pause(): void;
  resume(): void;
  step(count: number): void;
  stop(): void;
  /** Ends it without another word. */
  abandon(): void;
  watch(tensor: number | null): void;
  exportState(): Promise<StateFile>;
  exportCurves(): FullCurves;
  /** Resolves when it was abandoned, or has failed. */
  readonly done: Promise<void>;
}

interface Run {
  readonly index: number;
  readonly label: string;
  readonly optimizer: OptimizerSpec;
  readonly training: Training;
  readonly curve: Curve;
  readonly tests: { step: number; testLoss: number; testAccuracy: number | null }[];
  /** Trained so far, in milliseconds. */
  time: number;
  reported: number;
  /** By an error. */
  ended: boolean;
}

/**
 * Starts a session; what happens is posted.
 *
 * @param giveWay resolves when messages that have arrived were dealt with.
 */
export function startSession(
  config: SessionConfig,
  post: (message: SessionMessage) => void,
  giveWay: () => Promise<void>,
): Session {
  const control = createControl(config.paused ?? false);
  let live: Live | undefined;
  const done = (async () => {
    try {
      live = await prepare(config, post, control);
      if (!control.abandoned) await trainAll(live, post, control, giveWay);
    } catch (error) {
      if (!control.abandoned) post({ type: 'fault', fault: faultOf(error) });
    } finally {
      live?.close();
    }
  })();
  const started = () => {
    if (live) return live;
    throw new Error('Nothing is being trained yet.');
  };
  return {
    pause: () => control.set({ paused: true, budget: 0 }),
    resume: () => control.set({ paused: false, budget: 0 }),
    step: (count) => control.set({ paused: true, budget: control.budget + count }),
    stop: () => control.set({ stopped: true }),
    abandon: () => control.set({ stopped: true, abandoned: true }),
    watch: (tensor) => control.set({ tensor, respond: true }),
    async exportState() {
      const { runs, task } = started();
      const { training } = runs[0]!;
      const state = await training.optimizer.velo!.exportState();
      return { name: `${fileName(task.name)}-${training.stepsTaken}.velo`, bytes: encodeState(state) };
    },
    exportCurves() {
      return { runs: started().runs.map(curvesOf) };
    },
    done,
  };
}

const fileName = (name: string): string => name.replace(/\W+/g, '-');

function curvesOf({ label, training, tests }: Run): FullCurves['runs'][number] {
  let time = 0;
  return {
    label,
    loss: Float32Array.from(training.losses),
    time: training.stepTimes.map((milliseconds) => {
      time += milliseconds;
      return time;
    }),
    tests: [...tests],
  };
}

/** What commands have said, and a way to wait for the next one. */
interface Control {
  paused: boolean;
  /** Steps to make although it is paused. */
  budget: number;
  stopped: boolean;
  abandoned: boolean;
  /** Ends a download, with the first `stopped`. */
  readonly ending: AbortController;
  tensor: number | null;
  /** The answer of the watched tensor's network is asked for. */
  respond: boolean;
  set(change: Partial<Omit<Control, 'set' | 'changed' | 'ending'>>): void;
  /** Resolves with the next `set`. */
  changed(): Promise<void>;
}

function createControl(paused: boolean): Control {
  let wake = () => {};
  const control: Control = {
    paused,
    budget: 0,
    stopped: false,
    abandoned: false,
    ending: new AbortController(),
    tensor: null,
    respond: false,
    set(change) {
      Object.assign(control, change);
      if (control.stopped) control.ending.abort(new Error('Stopped before it had started.'));
      wake();
    },
    changed: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
  };
  return control;
}

/** A session that is ready to train. */
interface Live {
  readonly task: OpenedTask['task'];
  readonly model: Model;
  readonly painter: Painter;
  readonly runs: readonly Run[];
  readonly tensors: readonly { readonly name: string }[];
  close(): void;
}

async function prepare(
  config: SessionConfig,
  post: (message: SessionMessage) => void,
  control: Control,
): Promise<Live> {
  const say = (text: string) => {
    if (!control.abandoned) post({ type: 'starting', text });
  };
  const { seed, steps, batchSize, hidden } = config;
  say('Preparing the data');
  const opened = await openTask(config.task, { seed, steps, batchSize, hidden });
  const { task } = opened;
  const theta = await openTheta(config.theta, say, control.ending.signal);
  say(`Starting ${config.backend}`);
  const device: OpenBackend = await openBackend(config.backend);
  try {
    say('Loading jax-js');
    const { createModel } = await import('velojs/training');
    const model = createModel(await loadJax(), task.layers, task.kind);
    const painter = createPainter(opened);

    const optimizers: OptimizerSpec[] = [{ name: 'velo' }, ...config.opponents];
    const runs: Run[] = [];
    for (const [index, optimizer] of optimizers.entries()) {
      const velo = { backend: device.backend, ...(theta.theta && { theta: theta.theta }) };
      const training = await startTraining({ task, model, optimizer, seed, velo });
      runs.push({
        index,
        label: optimizerLabel(optimizer),
        optimizer,
        training,
        curve: createCurve(),
        tests: [],
        time: 0,
        reported: 0,
        ended: false,
      });
    }
    const { parameters, velo } = runs[0]!.training.optimizer;
    say('Compiling');
    const state = await velo!.exportState();
    await compile(model, painter, parameters, state, task);
    const tensors = Object.entries(parameters).map(([name, { shape }]) => ({ name, shape: [...shape] }));
    const { hiddenSize, bankSize } = state.theta;
    if (!control.abandoned) {
      post({
        type: 'started',
        task: {
          name: task.name,
          title: task.title,
          kind: task.kind,
          layers: task.layers,
          parameterCount: Object.values(parameters).reduce((sum, { data }) => sum + data.length, 0),
          trainCount: task.train.count,
          testCount: task.test.count,
          batchSize: task.batchSize,
          steps: task.steps,
        },
        seed,
        backend: device.state,
        theta: { name: theta.name, hiddenSize, bankSize },
        runs: runs.map(({ label, optimizer }) => ({ label, optimizer })),
        tensors,
        scene: painter.scene,
      });
    }
    return {
      task,
      model,
      painter,
      runs,
      tensors,
      close() {
        quietly(() => velo!.dispose());
        quietly(device.close);
      },
    };
  } catch (error) {
    quietly(device.close);
    throw error;
  }
}

/** Before the clock runs: what the first use compiles is no part of anybody's training. */
async function compile(
  model: Model,
  painter: Painter,
  parameters: HostParameters,
  state: ExportedState,
  task: Live['task'],
): Promise<void> {
  const { inputSize, outputSize, inputs, targets } = task.train;
  const count = task.batchSize;
  const { gradients } = model.lossAndGradients(parameters, {
    count,
    inputSize,
    outputSize,
    inputs: inputs.slice(0, count * inputSize),
    targets: targets.slice(0, count * outputSize),
  });
  painter.evaluate(model, parameters);
  // The smallest is enough for that.
  const sizes = Object.values(parameters).map(({ data }) => data.length);
  const smallest = sizes.indexOf(Math.min(...sizes));
  await mlpResponse(cpu(), state, smallest, gradients[Object.keys(parameters)[smallest]!]!);
}

async function trainAll(
  live: Live,
  post: (message: SessionMessage) => void,
  control: Control,
  giveWay: () => Promise<void>,
): Promise<void> {
  const { runs, model, painter } = live;
  const velo = runs[0]!;
  const clock = { start: performance.now(), training: 0, evaluation: 0, inspection: 0, paused: 0 };
  /** Resolves with the time that it took. */
  const timed = async (part: 'evaluation' | 'inspection', body: () => void | Promise<void>): Promise<number> => {
    const begin = performance.now();
    await body();
    const time = performance.now() - begin;
    clock[part] += time;
    return time;
  };
  const inspected = createInspections();
  /** What looking at all tensors has cost: as often as the quickest of it, for others may have had the processor meanwhile. */
  let [inspecting, inspections, quickest] = [0, 0, Infinity];
  /** What answers of the watched tensor's network have cost. */
  let responding = 0;
  let lastProgress = performance.now();
  let lastPicture = -Infinity;
  let lastResponse = -Infinity;
  /** How long the last of them took, and the next one probably will. */
  let [pictureTime, responseTime] = [0, 0];
  let sliceEnd = performance.now() + SHORTEST_SLICE;
  const goesOn = ({ training, ended }: Run) => training.goesOn && !ended;

  const endRun = (run: Run, error: unknown) => {
    if (run.ended) return;
    run.ended = true;
    post({ type: 'runFault', run: run.index, step: run.training.stepsTaken, fault: faultOf(error) });
  };
  /** Its device may be lost then as well as in a step. */
  const lookInside = (look: (run: Run, inside: NonNullable<Training['optimizer']['velo']>) => Promise<void>) =>
    timed('inspection', async () => {
      try {
        await look(velo, velo.training.optimizer.velo!);
      } catch (error) {
        if (!(error instanceof VeloError)) throw error;
        endRun(velo, error);
      }
    });
  const advance = async (run: Run) => {
    const begin = performance.now();
    try {
      await run.training.step();
    } catch (error) {
      endRun(run, error);
      return;
    } finally {
      clock.training += performance.now() - begin;
    }
    const { training, curve } = run;
    run.time += training.stepTimes.at(-1)!;
    const complete = curve.push(training.losses.at(-1)!, run.time);
    if (!training.finite) {
      post({
        type: 'runFault',
        run: run.index,
        step: training.stepsTaken,
        fault: {
          code: 'NON_FINITE',
          message: `The loss of ${run.label} is not a finite number any more: it has diverged.`,
        },
      });
    } else if (run === velo && complete && inspecting < INSPECTION_SHARE * clock.training + FREE_INSPECTION) {
      const time = await lookInside(async ({ training }, inside) =>
        inspected.push(training.stepsTaken, await inside.inspect()),
      );
      quickest = Math.min(quickest, time);
      inspecting = ++inspections * quickest;
    }
  };

  const report = (end = false) => {
    lastProgress = performance.now();
    const moved = runs.filter(({ training, reported }) => training.stepsTaken > reported || end);
    if (moved.length === 0) return;
    post({
      type: 'progress',
      runs: moved.map((run): RunProgress => {
        const { index, training, curve, time } = run;
        run.reported = training.stepsTaken;
        return {
          run: index,
          steps: training.stepsTaken,
          loss: training.losses.at(-1) ?? Number.NaN,
          time,
          points: curve.take(end),
        };
      }),
      shares: sharesOf(clock),
    });
    const inspection = inspected.take();
    if (inspection) post({ type: 'inspection', ...inspection });
  };

  const paint = async () => {
    lastPicture = performance.now();
    pictureTime = await timed('evaluation', () => {
      const evaluations = runs.flatMap((run): RunEvaluation[] => {
        const { training, index, tests } = run;
        const { stepsTaken: step } = training;
        // What has left the finite has no picture; what was shown of it stays.
        if (!training.finite || tests.at(-1)?.step === step) return [];
        try {
          const evaluation = painter.evaluate(model, training.optimizer.parameters);
          tests.push({ step, testLoss: evaluation.testLoss, testAccuracy: evaluation.testAccuracy });
          return [{ run: index, step, ...evaluation }];
        } catch (error) {
          endRun(run, error);
          return [];
        }
      });
      if (evaluations.length > 0) post({ type: 'evaluation', runs: evaluations });
    });
  };
  const respond = async () => {
    control.respond = false;
    const { tensor } = control;
    const { training, ended } = velo;
    if (tensor === null || training.stepsTaken === 0 || !training.finite || ended) return;
    const gradient = training.gradients[live.tensors[tensor]!.name]!;
    lastResponse = performance.now();
    responseTime = await lookInside(async ({ training }, inside) => {
      const state = await inside.exportState();
      post({
        type: 'response',
        tensor,
        step: training.stepsTaken,
        ...(await mlpResponse(cpu(), state, tensor, gradient)),
      });
    });
    responding += responseTime;
  };
  /** As often as their share of the time allows. */
  const showNowAndThen = async () => {
    const { training, evaluation } = clock;
    const now = performance.now();
    if (now - lastPicture > PICTURE_EVERY && evaluation + pictureTime < PICTURE_SHARE * training) await paint();
    const affordable = responding + responseTime < RESPONSE_SHARE * training;
    if (control.respond || (now - lastResponse > PICTURE_EVERY && affordable)) await respond();
  };
  const showAll = async () => {
    report();
    await paint();
    await respond();
  };
  /** While nothing is trained. */
  const nextWish = () => (control.respond ? respond() : control.changed());
  /** Between steps: says how it stands, and lets commands in. */
  const attend = async () => {
    if (performance.now() < sliceEnd) return;
    await showNowAndThen();
    const begin = performance.now();
    if (begin - lastProgress > PROGRESS_EVERY) report();
    await giveWay();
    const now = performance.now();
    sliceEnd = now + Math.min(LONGEST_SLICE, Math.max(SHORTEST_SLICE, SLICE_PER_WAIT * (now - begin)));
  };

  await paint();
  Object.assign(clock, { start: performance.now(), evaluation: 0 });
  while (runs.some(goesOn) && !control.stopped) {
    if (control.paused && control.budget === 0) {
      const begin = performance.now();
      const { evaluation, inspection } = clock;
      await showAll();
      post({ type: 'paused', paused: true });
      while (control.paused && control.budget === 0 && !control.stopped) {
        await nextWish();
      }
      // What was looked at meanwhile took nobody's time.
      Object.assign(clock, { evaluation, inspection, paused: clock.paused + performance.now() - begin });
      if (!control.paused) post({ type: 'paused', paused: false });
      continue;
    }
    for (const run of runs) {
      if (!goesOn(run)) continue;
      await advance(run);
      await attend();
      if (control.stopped) break;
    }
    if (control.paused) control.budget = Math.max(0, control.budget - 1);
  }
  if (control.abandoned) return;
  const complete = !control.stopped;
  const shares = sharesOf(clock);
  report(true);
  await showAll();
  const results: RunResult[] = [];
  for (const run of runs) {
    // A large training set takes seconds.
    await giveWay();
    if (control.abandoned) return;
    results.push(resultOf(run));
  }
  post({ type: 'finished', complete, runs: results, shares });
  // Its state may be asked for afterwards too, and the watched tensor changed.
  while (!control.abandoned) {
    await nextWish();
  }
}

/** What was lost with a device cannot be measured any more. */
function resultOf({ index, training, ended }: Run): RunResult {
  const { trainLoss, testLoss, testAccuracy, time } = ended
    ? { trainLoss: Infinity, testLoss: Infinity, testAccuracy: null, time: { step: Number.NaN, optimizer: Number.NaN } }
    : training.result();
  return { run: index, steps: training.stepsTaken, trainLoss, testLoss, testAccuracy, time };
}

interface Clock {
  readonly start: number;
  readonly training: number;
  readonly evaluation: number;
  readonly inspection: number;
  readonly paused: number;
}

function sharesOf({ start, training, evaluation, inspection, paused }: Clock): TimeShares {
  const total = performance.now() - start - paused;
  const share = (time: number) => (total > 0 ? time / total : 0);
  return {
    training: share(training),
    evaluation: share(evaluation),
    inspection: share(inspection),
    other: share(total - training - evaluation - inspection),
  };
}

/** What has been lost with its device cannot be given back to it. */
function quietly(body: () => void): void {
  try {
    body();
  } catch {}
}
