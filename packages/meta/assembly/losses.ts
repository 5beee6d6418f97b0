/**
 * The sum of a batch's losses and the gradient of their mean, four examples at a time: one example per column.
 * Outputs and gradients are `[outputs, examples]`, targets too; rows are `stride` bytes long.
 */
import { expOfNegative, logOnePlus, madd, sigmoid } from './functions';

/** Cross-entropy of the softmax of the outputs. Targets: one row with the number of the class, or one per class. */
export function softmaxLoss(
  outputs: usize,
  targets: usize,
  gradients: usize,
  stride: usize,
  classes: i32,
  indices: bool,
  examples: i32,
): f64 {
  const share = f32x4.splat(1 / <f32>examples);
  const one = f32x4.splat(1);
  const bytes = <usize>classes * stride;
  let sum: f64 = 0;
  for (let example = 0; example < examples; example += 4) {
    const end = outputs + bytes;
    let highest = v128.load(outputs);
    for (let at = outputs + stride; at < end; at += stride) highest = f32x4.pmax(highest, v128.load(at));
    // The sum of e^(x - highest) is 1 + others: kept apart, so that losses near 0 keep their digits.
    let others = f32x4.splat(0);
    let highests = f32x4.splat(0);
    let gradient = gradients;
    for (let at = outputs; at < end; at += stride) {
      const x = v128.load(at);
      const isHighest = f32x4.eq(x, highest);
      const e = expOfNegative(f32x4.sub(x, highest));
      others = f32x4.add(others, v128.andnot(e, isHighest));
      highests = f32x4.add(highests, v128.and(one, isHighest));
      v128.store(gradient, e);
      gradient += stride;
    }
    others = f32x4.add(others, f32x4.sub(highests, one));
    const logSum = logOnePlus(others);
    const scale = f32x4.div(share, f32x4.add(others, one));
    let loss = f32x4.splat(0);
    gradient = gradients;
    let target = targets;
    let number = f32x4.splat(0);
    for (let at = outputs; at < end; at += stride) {
      let wanted = v128.load(target);
      if (indices) {
        wanted = v128.and(f32x4.eq(wanted, number), one);
        number = f32x4.add(number, one);
      } else {
        target += stride;
      }
      const surprise = f32x4.add(f32x4.sub(highest, v128.load(at)), logSum);
      loss = madd(wanted, surprise, loss);
      v128.store(gradient, f32x4.sub(f32x4.mul(v128.load(gradient), scale), f32x4.mul(wanted, share)));
      gradient += stride;
    }
    sum += sumOfLanes(loss, examples - example);
    outputs += 16;
    targets += 16;
    gradients += 16;
  }
  return sum;
}

/** Squared differences, meant over the outputs. */
export function squaredLoss(
  outputs: usize,
  targets: usize,
  gradients: usize,
  stride: usize,
  rows: i32,
  examples: i32,
): f64 {
  const slope = f32x4.splat(2 / (<f32>rows * <f32>examples));
  let sum: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const next = outputs + stride;
    for (let example = 0; example < examples; example += 4) {
      const difference = f32x4.sub(v128.load(outputs), v128.load(targets));
      v128.store(gradients, f32x4.mul(difference, slope));
      sum += sumOfLanes(f32x4.mul(difference, difference), examples - example);
      outputs += 16;
      targets += 16;
      gradients += 16;
    }
    targets += next - outputs;
    gradients += next - outputs;
    outputs = next;
  }
  return sum / rows;
}

/** Binary cross-entropy of the logistic function of each output, meant over the outputs; targets from 0 to 1. */
export function logisticLoss(
  outputs: usize,
  targets: usize,
  gradients: usize,
  stride: usize,
  rows: i32,
  examples: i32,
): f64 {
  const share = f32x4.splat(1 / (<f32>rows * <f32>examples));
  const zero = f32x4.splat(0);
  let sum: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const next = outputs + stride;
    for (let example = 0; example < examples; example += 4) {
      const x = v128.load(outputs);
      const wanted = v128.load(targets);
      // ln(1 + e^x) - wanted x, written so that it neither overflows nor loses digits where the prediction is right:
      // with u = |x|, ln(1 + e^-u) + u (1 - wanted if x > 0, else wanted)
      const size = f32x4.abs(x);
      const tail = logOnePlus(expOfNegative(f32x4.neg(size)));
      const wrong = v128.bitselect(f32x4.sub(f32x4.splat(1), wanted), wanted, f32x4.gt(x, zero));
      sum += sumOfLanes(madd(size, wrong, tail), examples - example);
      v128.store(gradients, f32x4.mul(f32x4.sub(sigmoid(x), wanted), share));
      outputs += 16;
      targets += 16;
      gradients += 16;
    }
    targets += next - outputs;
    gradients += next - outputs;
    outputs = next;
  }
  return sum / rows;
}

/** The sum of the first `count` lanes, of all four from 4 on. */
@inline
function sumOfLanes(x: v128, count: i32): f64 {
  const real = v128.and(x, i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3)));
  const low = f64x2.promote_low_f32x4(real);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(real, real, 1, 0));
  const pair = f64x2.add(low, high);
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}
