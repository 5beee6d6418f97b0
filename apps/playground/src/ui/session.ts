/** What the page knows of the session that runs, or ran last: everything the worker said of it. */
import type {
  CurvePoints,
  Fault,
  Inspection,
  Response,
  RunEvaluation,
  RunResult,
  Started,
  TimeShares,
} from '../engine/protocol.ts';
import { Numbers } from './numbers.ts';

export interface RunCurve {
  readonly step: Numbers;
  readonly time: Numbers;
  readonly loss: Numbers;
  readonly least: Numbers;
  readonly greatest: Numbers;
}

export interface RunState {
  readonly label: string;
  readonly curve: RunCurve;
  steps: number;
  /** Of the last batch. */
  loss: number;
  time: number;
  evaluation: RunEvaluation | null;
  result: RunResult | null;
  fault: Fault | null;
}

/** Rows that are kept of what VeLO did; beyond it every second one goes. */
const MOST_INSPECTIONS = 1200;
/** Responses that are kept to be drawn behind the present one. */
const MOST_RESPONSES = 8;

export class Session {
  readonly started: Started;
  readonly runs: readonly RunState[];
  shares: TimeShares | null = null;
  readonly inspection: { readonly step: Numbers; readonly stepFactor: Numbers[]; readonly relativeUpdate: Numbers[] };
  /** Of the watched tensor, the oldest first. */
  responses: Response[] = [];

  constructor(started: Started) {
    this.started = started;
    this.runs = started.runs.map(({ label }) => ({
      label,
      curve: {
        step: new Numbers(),
        time: new Numbers(),
        loss: new Numbers(),
        least: new Numbers(),
        greatest: new Numbers(),
      },
      steps: 0,
      loss: Number.NaN,
      time: 0,
      evaluation: null,
      result: null,
      fault: null,
    }));
    this.inspection = {
      step: new Numbers(),
      stepFactor: started.tensors.map(() => new Numbers()),
      relativeUpdate: started.tensors.map(() => new Numbers()),
    };
  }

  addPoints(run: RunState, points: CurvePoints): void {
    for (const key of ['step', 'time', 'loss', 'least', 'greatest'] as const) run.curve[key].append(points[key]);
  }

  addInspection({ step, stepFactor, relativeUpdate }: Inspection): void {
    const tensors = this.started.tensors.length;
    const column = (values: Float32Array, tensor: number) =>
      Float64Array.from(step, (_, row) => values[row * tensors + tensor]!);
    this.inspection.step.append(step);
    for (let tensor = 0; tensor < tensors; tensor++) {
      this.inspection.stepFactor[tensor]!.append(column(stepFactor, tensor));
      this.inspection.relativeUpdate[tensor]!.append(column(relativeUpdate, tensor));
    }
    if (this.inspection.step.length > MOST_INSPECTIONS) {
      const all = [this.inspection.step, ...this.inspection.stepFactor, ...this.inspection.relativeUpdate];
      for (const numbers of all) numbers.halve();
    }
  }

  addResponse(response: Response): void {
    if (this.responses[0]?.tensor !== response.tensor) this.responses = [];
    this.responses.push(response);
    // The oldest and those evenly between stay, so that the whole way can be seen.
    if (this.responses.length > MOST_RESPONSES)
      this.responses = this.responses.filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
  }

  /** Steps of the run that got farthest. */
  get steps(): number {
    return Math.max(...this.runs.map(({ steps }) => steps));
  }
}
