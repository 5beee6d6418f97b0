/**
 * The cross-entropy of the softmax of `logits` with the class `label`, in nats.
 *
 * @param slopes gets the gradient times `weight`; may be `logits`.
 */
export function softmaxCrossEntropy(logits: Float64Array, label: number, slopes: Float64Array, weight: number): number {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
  const right = logits[label]! - largest;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const exponential = Math.exp(logits[i]! - largest);
    slopes[i] = exponential;
    sum += exponential;
  }
  for (let i = 0; i < logits.length; i++) slopes[i] = (weight * slopes[i]!) / sum;
  slopes[label]! -= weight;
  return Math.log(sum) - right;
}
