/**
 * The kernel `update` (SPEC sections 9 and 11) in three passes; no fewer, because sums over a whole tensor are needed
 * in between. Rank >= 2:
 *
 *   sums     g^2 along and across runs, from which the factored second moments advance
 *   moments  momentum and second moment advance, mean squares of the network's inputs
 *   step     network, step and statistics
 *
 * Rank < 2 has nothing to do in the first. A pass does its chunks in any order, on any thread, each thread with a
 * `tile` of its own of `TILE_BYTES`; what comes `after` it, once, is serial.
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
  clearSumsOfSecondPass,
  clearSumsOfThirdPass,
  meanSquareOf,
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

/** Folds the network. Columns 15 to 26, of rows and columns, are folded already where there are such. */
export function afterMoments(job: usize): void {
  addUpChunks(job);
  chooseCenters(job);
  for (let column = 0; column < 30; column++) {
    let summed = column;
    if (column >= 15 && column < 27) {
      if (isFactored(job)) continue;
      // v is both row and column: 18 to 20 are as 15 to 17, 24 to 26 as 21 to 23.
      if ((column >= 18 && column < 21) || column >= 24) summed -= 3;
    }
    foldColumn(networkOf(job), mlpOf(job), column, meanSquareOf(job, summed));
  }
  foldOutput(job, meanSquareOf(job, 2));
}

export function phaseStep(job: usize, chunk: i32, tile: usize): void {
  clearSumsOfThirdPass(job, chunk);
  applyNetwork(job, chunk, tile);
}

export function afterStep(job: usize): void {
  addUpChunks(job);
  writeStatistics(job);
}
