/** What meta-training minimises: how far a training has brought the loss down, on a scale that all tasks share. */

/** A training that ends at ten times its initial loss is as bad as one that leaves the finite. */
const WORST = 10;

/**
 * ln(floor + loss / initial), where going on below `floor` counts for little. With 0.003: from -5.8 (solved) over 0.003 (no
 * progress) to 2.3 (diverged: any loss that is not finite). NaN for a task that has no initial loss to compare with.
 */
export function score(loss: number, initialLoss: number, floor: number): number {
  if (!(initialLoss > 0 && initialLoss < Infinity)) return Number.NaN;
  const ratio = loss / initialLoss;
  return Math.log(floor + (ratio <= WORST ? Math.max(0, ratio) : WORST));
}
