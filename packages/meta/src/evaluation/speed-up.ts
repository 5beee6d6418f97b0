/** How many steps tuned Adam needs for what an optimizer reached. */

export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
}

/**
 * The lowest that any of several curves has reached so far: what one gets who chooses the best learning rate for every
 * number of steps.
 *
 * @param steps of the points, the same for all curves; those of a diverged one end early.
 */
export function envelope(steps: readonly number[], curves: readonly (readonly number[])[]): CurvePoint[] {
  let lowest = Infinity;
  return steps.map((step, i) => {
    for (const curve of curves) lowest = Math.min(lowest, curve[i] ?? Infinity);
    return { step, loss: lowest };
  });
}

/**
 * The first step at which a falling curve is at `loss` or below, interpolated between points on logarithmic axes; infinite
 * where it never is.
 */
export function stepsToReach(curve: readonly CurvePoint[], loss: number): number {
  const i = curve.findIndex((point) => point.loss <= loss);
  if (i < 0) return Infinity;
  const after = curve[i]!;
  const before = curve[i - 1];
  if (!before || !Number.isFinite(before.loss) || after.loss <= 0) return after.step;
  const share = Math.log(before.loss / loss) / Math.log(before.loss / after.loss);
  return before.step * (after.step / before.step) ** share;
}

/**
 * The steps that Adam needs for the loss that an optimizer reached in `steps` steps, over `steps`: above 1 where the
 * optimizer was faster. 0 where it diverged or ended no lower than it began; `cap` where Adam does not get there within
 * `cap` x `steps`.
 */
export function speedUp(
  adam: readonly CurvePoint[],
  { reached, initialLoss, steps, cap }: { reached: number | null; initialLoss: number; steps: number; cap: number },
): number {
  if (reached === null || reached >= initialLoss) return 0;
  return Math.min(cap, stepsToReach(adam, reached) / steps);
}
