/** What meta-training minimises: how far a training has brought the loss down, on a scale that all tasks share. */

/** Below a hundredth of the initial loss, going on counts for little. */
const OFFSET = 0.01;
/** A training that ends at ten times its initial loss is as bad as one that leaves the finite. */
const WORST = 10;

/** ln(0.01 + loss / initial), from -4.6 (solved) over 0.01 (no progress) to 2.3 (diverged). */
export function score(loss: number, initialLoss: number): number {
  const ratio = loss / initialLoss;
  return Math.log(OFFSET + (ratio <= WORST ? Math.max(0, ratio) : WORST));
}
