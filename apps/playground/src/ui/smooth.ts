/**
 * A running mean of a curve in which a point `span` steps back weighs 1/e of the last one. Points that stand for many
 * steps weigh as many; the beginning is not drawn towards anything.
 *
 * @param steps last step of each point, rising.
 * @param span in steps; 0 leaves the curve as it is.
 */
export function smooth(steps: Float64Array, values: Float64Array, span: number): Float64Array {
  if (span <= 0) return values;
  const smoothed = new Float64Array(values.length);
  let sum = 0;
  let weight = 0;
  let before = 0;
  for (let i = 0; i < values.length; i++) {
    const kept = Math.exp((before - steps[i]!) / span);
    before = steps[i]!;
    sum = kept * sum + (1 - kept) * values[i]!;
    weight = kept * weight + (1 - kept);
    smoothed[i] = sum / weight;
  }
  return smoothed;
}
