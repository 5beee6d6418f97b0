/**
 * What the page and the worker that trains say to each other. Types only; the page speaks through `client.ts`.
 *
 * Steps count from 1: the loss of step t was measured before update t. Times are milliseconds.
 */
import type { VeloErrorCode } from '@velojs/core';
import type { ColumnSummary, OptimizerSpec, TableOptions } from 'velojs/training';

/** `wasm-threads` needs a cross-origin isolated page. */
export type BackendId = 'wasm' | 'wasm-threads' | 'cpu' | 'webgpu';

export interface BackendState {
  readonly id: BackendId;
  readonly available: boolean;
  /** Where it is available: what it is (SIMD, threads, the name of the GPU). Else why it is not, as a sentence. */
  readonly note: string;
}

/** The opponents: Adam, or SGD with momentum, at a learning rate. */
export type OpponentSpec = Exclude<OptimizerSpec, { readonly name: 'velo' }>;

/**
 * What is trained. Files travel with it, so that a worker that was started anew can go on. `test` is what to hold out: a
 * share below 1 or a number of examples; default a fifth.
 */
export type TaskSource =
  | { readonly kind: 'made'; readonly name: string }
  | { readonly kind: 'csv'; readonly file: File; readonly options: TableOptions; readonly test?: number | undefined }
  | { readonly kind: 'idx'; readonly images: File; readonly labels: File; readonly test?: number | undefined };

/** `default`: what `createVelo` takes when nothing is said. `files`: one, or PyLO's two. `known`: by its name, downloaded where it is not yet kept. */
export type ThetaSource =
  | { readonly kind: 'default' }
  | { readonly kind: 'files'; readonly files: readonly File[] }
  | { readonly kind: 'known'; readonly name: string };

export interface SessionConfig {
  readonly task: TaskSource;
  /** Widths of the hidden layers; the task's own if undefined. */
  readonly hidden?: readonly number[] | undefined;
  readonly steps: number;
  /** The task's own if undefined. */
  readonly batchSize?: number | undefined;
  readonly seed: number;
  /** VeLO's; the opponents run in JavaScript, gradients on jax-js's WebAssembly device. */
  readonly backend: BackendId;
  readonly theta: ThetaSource;
  readonly opponents: readonly OpponentSpec[];
  /** Starts paused, for going step by step from the first one. */
  readonly paused?: boolean;
}

/** Page to worker. `id` comes back in the reply. */
export type Command =
  | { readonly type: 'start'; readonly session: number; readonly config: SessionConfig }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  /** So many steps of every run, then paused. */
  | { readonly type: 'step'; readonly count: number }
  /** Ends the session early: `finished` comes with what there is. */
  | { readonly type: 'stop' }
  /** The tensor whose generated network is shown: its index in `Started.tensors`; null for none. */
  | { readonly type: 'watch'; readonly tensor: number | null }
  | { readonly type: 'ping' }
  /** First of all, where memory can be shared: `[commands sent]`, so that the worker need not look for them. */
  | { readonly type: 'counter'; readonly sent: Int32Array }
  | { readonly type: 'examine'; readonly id: number; readonly files: readonly File[] }
  | { readonly type: 'exportState'; readonly id: number }
  | { readonly type: 'exportCurves'; readonly id: number }
  | { readonly type: 'bench'; readonly id: number; readonly options: BenchOptions }
  | { readonly type: 'stopBench' };

/** Worker to page. Those of a session carry its number, so that none of an earlier one is taken for it. */
export type Message =
  | { readonly type: 'ready'; readonly backends: readonly BackendState[] }
  | { readonly type: 'pong' }
  | ({ readonly session: number } & SessionMessage)
  | { readonly type: 'benchProgress'; readonly id: number; readonly text: string; readonly share: number }
  | { readonly type: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly fault: Fault };

export type SessionMessage =
  | Starting
  | Started
  | Progress
  | EvaluationMessage
  | Inspection
  | Response
  | Paused
  | Finished
  | RunFault
  | SessionFault;

export interface Fault {
  /** `UNEXPECTED` for what velojs has no code for. */
  readonly code: VeloErrorCode | 'UNEXPECTED';
  /** Complete sentences for the person at the page. */
  readonly message: string;
}

export interface Starting {
  readonly type: 'starting';
  /** `Reading data`, `Loading jax-js`, `Downloading velo: 3.1 of 9.3 MB`, ... */
  readonly text: string;
}

export interface Started {
  readonly type: 'started';
  readonly task: {
    readonly name: string;
    readonly title: string;
    readonly kind: 'classification' | 'regression';
    readonly layers: readonly number[];
    readonly parameterCount: number;
    readonly trainCount: number;
    readonly testCount: number;
    readonly batchSize: number;
    readonly steps: number;
  };
  readonly seed: number;
  readonly backend: BackendState;
  readonly theta: { readonly name: string; readonly hiddenSize: number; readonly bankSize: number };
  /** VeLO is run 0; then the opponents in the order of the configuration. */
  readonly runs: readonly { readonly label: string; readonly optimizer: OptimizerSpec }[];
  /** Of the model, in VeLO's order. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** What the task's picture is drawn on; it does not change while training. */
  readonly scene: Scene;
}

export type Scene =
  /** Points of the plane and their classes; boundaries come as `grid` over [-extent, extent] squared. */
  | { readonly kind: 'plane'; readonly extent: number; readonly points: Float32Array; readonly classes: Uint8Array }
  /** Grey images of `height` x `width`: those that are misclassified come as `mistakes`. */
  | { readonly kind: 'images'; readonly height: number; readonly width: number; readonly classes: readonly string[] }
  /** A function of several inputs: lines through the centre of the inputs' cube, along one input each. */
  | { readonly kind: 'slices'; readonly slices: readonly Slice[] }
  | { readonly kind: 'table'; readonly target: string; readonly classes: readonly string[] | null };

export interface Slice {
  readonly input: string;
  /** Where the line is drawn; as many `truth` values: the function without its noise. */
  readonly x: Float32Array;
  readonly truth: Float32Array;
}

/** Points of a loss curve. Later ones stand for more and more steps, so that their number stays bounded (`curve.ts`). */
export interface CurvePoints {
  /** Last step of each point. */
  readonly step: Float64Array;
  /** Time that this run had trained by then: gradients and optimizer, nothing else. */
  readonly time: Float64Array;
  /** Of the batches: mean, least and greatest over the steps since the last point. */
  readonly loss: Float64Array;
  readonly least: Float64Array;
  readonly greatest: Float64Array;
}

export interface RunProgress {
  readonly run: number;
  readonly steps: number;
  readonly loss: number;
  readonly time: number;
  /** New since the last message: append them. */
  readonly points: CurvePoints;
}

/** At most ten a second. */
export interface Progress {
  readonly type: 'progress';
  /** Those that went on since the last message. */
  readonly runs: readonly RunProgress[];
  readonly shares: TimeShares;
}

/** How the worker's time was spent since the start, pauses left out: shares of 1. */
export interface TimeShares {
  /** Batches, gradients and updates. */
  readonly training: number;
  /** Loss and score on held-out data, pictures. */
  readonly evaluation: number;
  /** Looking inside VeLO. */
  readonly inspection: number;
  /** Messages, and giving way to them. */
  readonly other: number;
}

/** The task's picture now; as often as a small share of the time allows, and after every single step and at the end. */
export interface EvaluationMessage {
  readonly type: 'evaluation';
  readonly runs: readonly RunEvaluation[];
}

export interface RunEvaluation {
  readonly run: number;
  readonly step: number;
  /** Over held-out examples, the first 500 at most. */
  readonly testLoss: number;
  /** Share that is classified correctly; null for a regression. */
  readonly testAccuracy: number | null;
  readonly picture: Picture;
}

export type Picture =
  /** Probability of class 1 in 0..255, row by row from the top (y = extent) left to right. */
  | { readonly kind: 'plane'; readonly side: number; readonly grid: Uint8Array }
  /** The first misclassified held-out images, at most 32: pixels 0..255, one image after another. */
  | {
      readonly kind: 'images';
      readonly mistakes: number;
      readonly examples: number;
      readonly pixels: Uint8Array;
      readonly actual: Uint16Array;
      readonly predicted: Uint16Array;
    }
  /** Predictions along each of the scene's slices, and for held-out examples in the units of the target. */
  | {
      readonly kind: 'slices';
      readonly predictions: readonly Float32Array[];
      readonly actual: Float32Array;
      readonly predicted: Float32Array;
    }
  /** Held-out examples in the units of the target. */
  | { readonly kind: 'table'; readonly actual: Float32Array; readonly predicted: Float32Array }
  /** `counts[actual * classes + predicted]` of held-out examples. */
  | { readonly kind: 'confusion'; readonly classes: number; readonly counts: Uint32Array };

/** What VeLO did in some steps, new since the last message; one row of `tensors` numbers per step. */
export interface Inspection {
  readonly type: 'inspection';
  readonly step: Float64Array;
  /** `[steps, tensors]`: may be negative. */
  readonly stepFactor: Float32Array;
  /** `[steps, tensors]`: root mean square of the update over that of the parameter. */
  readonly relativeUpdate: Float32Array;
}

/**
 * What the network that VeLO generated for a tensor answers to gradients: the update of one entry, everything else that
 * the network reads held at its mean over the tensor (`response.ts`).
 */
export interface Response {
  readonly type: 'response';
  readonly tensor: number;
  readonly step: number;
  readonly gradient: Float32Array;
  /** The change of the parameter. */
  readonly update: Float32Array;
  /** Root mean squares over the tensor now: where its gradients lie, and how large its entries are. */
  readonly gradientScale: number;
  readonly parameterScale: number;
}

export interface Paused {
  readonly type: 'paused';
  readonly paused: boolean;
}

/** This run is over before its time: its loss or its device. The others go on. */
export interface RunFault {
  readonly type: 'runFault';
  readonly run: number;
  readonly step: number;
  readonly fault: Fault;
}

/** Nothing was started, or nothing goes on. */
export interface SessionFault {
  readonly type: 'fault';
  readonly fault: Fault;
}

export interface Finished {
  readonly type: 'finished';
  /** False where it was stopped. */
  readonly complete: boolean;
  readonly runs: readonly RunResult[];
  readonly shares: TimeShares;
}

export interface RunResult {
  readonly run: number;
  readonly steps: number;
  /** Over the whole training and held-out sets; infinite where training diverged or was cut off by a fault. */
  readonly trainLoss: number;
  readonly testLoss: number;
  readonly testAccuracy: number | null;
  /** Medians. */
  readonly time: { readonly step: number; readonly optimizer: number };
}

/** Reply to `examine`. */
export type DataSummary =
  | {
      readonly kind: 'csv';
      readonly file: File;
      readonly rows: number;
      readonly columns: readonly ColumnSummary[];
    }
  | {
      readonly kind: 'idx';
      readonly images: File;
      readonly labels: File;
      readonly count: number;
      readonly height: number;
      readonly width: number;
      readonly classes: number;
    };

/** Reply to `exportCurves`: every step of every run. */
export interface FullCurves {
  readonly runs: readonly {
    readonly label: string;
    /** `[steps]`: loss of the batch. */
    readonly loss: Float32Array;
    /** `[steps]`: time trained after it. */
    readonly time: Float64Array;
    readonly tests: readonly {
      readonly step: number;
      readonly testLoss: number;
      readonly testAccuracy: number | null;
    }[];
  }[];
}

/** Reply to `exportState`: a file for `decodeState` and `importState`. */
export interface StateFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface BenchOptions {
  readonly backends: readonly BenchBackendId[];
  /** Names of `BENCH_WORKLOADS`. */
  readonly workloads: readonly string[];
  readonly theta: 'default' | 'released size';
  /** Time to measure each for, in milliseconds. */
  readonly budget: number;
}
/** `webgl` through TensorFlow.js, which is loaded for it. */
export type BenchBackendId = BackendId | 'webgl';

/** Reply to `bench`; also the file that is saved. */
export interface BenchResults {
  readonly format: 'velojs-browser-bench';
  readonly version: 1;
  readonly date: string;
  readonly environment: {
    readonly userAgent: string;
    readonly hardwareConcurrency: number;
    readonly crossOriginIsolated: boolean;
    readonly adapter: { readonly vendor: string; readonly architecture: string; readonly description: string } | null;
  };
  readonly theta: { readonly name: string; readonly hiddenSize: number; readonly bankSize: number };
  /** False where it was stopped before all was measured. */
  readonly complete: boolean;
  readonly rows: readonly BenchRow[];
}

export interface BenchRow {
  readonly workload: string;
  readonly title: string;
  readonly parameters: number;
  readonly tensors: number;
  /** Adam in JavaScript is the yardstick: `backend` null. */
  readonly optimizer: 'velo' | 'adam';
  readonly backend: BenchBackendId | null;
  /** One step: median, quartiles, in milliseconds, and how many samples they are of; null where it failed. */
  readonly time: {
    readonly median: number;
    readonly low: number;
    readonly high: number;
    readonly samples: number;
  } | null;
  /** Why there is no time. */
  readonly fault: string | null;
}
