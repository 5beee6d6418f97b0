/** A loss curve with a bounded number of points, however many steps there are. */
import type { CurvePoints } from './protocol.ts';

/** A point stands for 1/128 of the steps before it: each of the first 255 steps is one, 100,000 steps give 980. */
const STEPS_PER_STEP = 128;

/** Steps that the point which begins with `step` (1, 2, ...) stands for. */
export const pointWidth = (step: number): number => Math.max(1, Math.floor(step / STEPS_PER_STEP));

export interface Curve {
  /**
   * Takes the loss of the next step, measured after `time`. A loss that is not finite belongs to no point.
   *
   * @returns whether it completed a point.
   */
  push(loss: number, time: number): boolean;
  /** The points since the last call. The one that is not complete yet is left out unless it is the `end`. */
  take(end?: boolean): CurvePoints;
}

interface Point {
  readonly step: number;
  readonly time: number;
  readonly loss: number;
  readonly least: number;
  readonly greatest: number;
}

export function createCurve(): Curve {
  let points: Point[] = [];
  let step = 0;
  let last = pointWidth(1);
  let open = { sum: 0, count: 0, least: Infinity, greatest: -Infinity, time: 0 };

  const close = () => {
    const { sum, count, least, greatest, time } = open;
    if (count > 0) points.push({ step, time, loss: sum / count, least, greatest });
    open = { sum: 0, count: 0, least: Infinity, greatest: -Infinity, time: 0 };
    last = step + pointWidth(step + 1);
  };
  return {
    push(loss, time) {
      step++;
      if (Number.isFinite(loss)) {
        open.sum += loss;
        open.count++;
        open.least = Math.min(open.least, loss);
        open.greatest = Math.max(open.greatest, loss);
        open.time = time;
      }
      if (step < last) return false;
      close();
      return true;
    },
    take(end = false) {
      if (end && step < last) close();
      const taken = points;
      points = [];
      const column = (key: keyof Point) => Float64Array.from(taken, (point) => point[key]);
      return {
        step: column('step'),
        time: column('time'),
        loss: column('loss'),
        least: column('least'),
        greatest: column('greatest'),
      };
    },
  };
}
