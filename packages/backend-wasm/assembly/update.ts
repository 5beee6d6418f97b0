/**
 * The kernel `update` (SPEC sections 9 and 11) in three passes; no fewer, because sums over a whole tensor are needed in
 * between. Rank >= 2:
 *
 *   sums     g^2 along and across runs, from which the factored second moments advance
 *   moments  momentum and second moment advance, mean squares of the network's inputs
 *   step     network, step and statistics
 *
 * Rank < 2 has nothing to do in the first. A pass does its chunks in any order, on any thread, each thread with a `tile`
 * of its own of `TILE_BYTES`; what comes `after` it, once, is serial.
 */
import { advanceFactors } from './update-factors';
import { chunkCount, isFactored, JOB_BYTES, mlpOf, networkOf } from './update-job';
import { advanceMoments } from './update-moments';
import { foldColumn, foldOutput } from './update-network';
import { joinSquares, sumSquares } from './update-squares';
import { applyNetwork } from './update-step';
import {
  addUpChunks,
  chooseCenters,
  CLIP_SQUARE,
  clearSumsOfFirstPass,
  clearSumsOfSecondPass,
  clearSumsOfThirdPass,
  FACTORED_GRADIENT_SQUARE,
  FACTORED_MOMENTUM_SQUARE,
  GRADIENT_SQUARE,
  INVERSE_SECOND_MOMENT,
  mean,
  meanSquareOfPlane,
  ofDecay,
  PARAMETER_SQUARE,
  SCALED_GRADIENT_SQUARE,
  SCALED_MOMENTUM_SQUARE,
  V_INVERSE,
  V_SQUARE,
  writeStatistics,
} from './update-sums';

export { firstNaN } from './first-nan';
export { chunkCount, jobScratchBytes } from './update-job';
export { TILE_BYTES } from './update-tile';

/** All passes of `count` jobs, on this thread. */
export function update(jobs: usize, count: i32, tile: usize): void {
  const end = jobs + <usize>count * JOB_BYTES;
  for (let job = jobs; job < end; job += JOB_BYTES) {
    const chunks = chunkCount(job);
    for (let chunk = 0; chunk < chunks; chunk++) phaseSums(job, chunk, tile);
    afterSums(job);
    for (let chunk = 0; chunk < chunks; chunk++) phaseMoments(job, chunk, tile);
    afterMoments(job);
    for (let chunk = 0; chunk < chunks; chunk++) phaseStep(job, chunk, tile);
    afterStep(job);
  }
}

export function phaseSums(job: usize, chunk: i32, tile: usize): void {
  clearSumsOfFirstPass(job, chunk);
  if (isFactored(job)) sumSquares(job, chunk, tile);
}

export function afterSums(job: usize): void {
  if (!isFactored(job)) return;
  joinSquares(job);
  advanceFactors(job);
}

export function phaseMoments(job: usize, chunk: i32, tile: usize): void {
  clearSumsOfSecondPass(job, chunk);
  advanceMoments(job, chunk, tile);
}

/** Folds the network; columns 15 to 26 of a tensor of rank >= 2 are folded already. */
export function afterMoments(job: usize): void {
  addUpChunks(job);
  chooseCenters(job);
  fold(job, 0, mean(job, GRADIENT_SQUARE));
  fold(job, 1, mean(job, CLIP_SQUARE));
  fold(job, 2, mean(job, PARAMETER_SQUARE));
  fold(job, 6, meanSquareOfPlane(job, 3));
  fold(job, 10, mean(job, INVERSE_SECOND_MOMENT));
  fold(job, 14, mean(job, SCALED_GRADIENT_SQUARE));
  for (let k = 0; k < 3; k++) {
    fold(job, 3 + k, meanSquareOfPlane(job, k));
    fold(job, 7 + k, mean(job, SCALED_MOMENTUM_SQUARE + ofDecay(k)));
    fold(job, 11 + k, mean(job, FACTORED_GRADIENT_SQUARE + ofDecay(k)));
    fold(job, 27 + k, mean(job, FACTORED_MOMENTUM_SQUARE + ofDecay(k)));
    if (isFactored(job)) continue;
    // v is both row and column.
    fold(job, 15 + k, mean(job, V_SQUARE + ofDecay(k)));
    fold(job, 18 + k, mean(job, V_SQUARE + ofDecay(k)));
    fold(job, 21 + k, mean(job, V_INVERSE + ofDecay(k)));
    fold(job, 24 + k, mean(job, V_INVERSE + ofDecay(k)));
  }
  foldOutput(job, mean(job, PARAMETER_SQUARE));
}

@inline
function fold(job: usize, column: i32, meanSquare: f64): void {
  foldColumn(networkOf(job), mlpOf(job), column, meanSquare);
}

export function phaseStep(job: usize, chunk: i32, tile: usize): void {
  clearSumsOfThirdPass(job, chunk);
  applyNetwork(job, chunk, tile);
}

export function afterStep(job: usize): void {
  addUpChunks(job);
  writeStatistics(job);
}
