/**
 * The record of one tensor's update, 16 words, and what follows from it: how the tensor is cut, where things lie in the
 * job's scratch memory.
 *
 * A tensor of rank >= 2 is seen as `[O, F, M, S, I]` (core/src/geometry.ts); F and S are its two largest axes. Of its
 * two factored second moments one lacks S ("fixed": it does not change along S), the other lacks F ("along").
 *
 *     line   all entries that share O and F: M * S * I of them, contiguous, as is `along` over a line
 *     run    all entries that share O, F and M: S * I of them, contiguous; `fixed` has I entries per run, which repeat
 *
 * Any view is computed rightly. One kind is slow, and is better passed in another form, with the axis of the rows (word
 * 7) exchanged, 1 for 3:
 *
 *     S = 1:  [O, F, M, 1, I] is [O, 1, 1, F, M * I]
 */

export const JOB_BYTES: usize = 64;

/** Entries that the passes take at a time, so that what goes between their loops stays in the first-level cache. */
export const TILE: i32 = 128;
/** Tensors up to this size are one chunk. */
const ONE_CHUNK: i32 = 65536;
const CHUNK: i32 = 32768;

@inline
function word(job: usize, index: i32): i32 {
  return load<i32>(job + (<usize>index << 2));
}
@inline
export function isFactored(job: usize): bool {
  return word(job, 0) != 0;
}
@inline
export function sizeOf(job: usize): i32 {
  return word(job, 1);
}
@inline
export function axisO(job: usize): i32 {
  return word(job, 2);
}
@inline
export function axisF(job: usize): i32 {
  return word(job, 3);
}
@inline
export function axisM(job: usize): i32 {
  return word(job, 4);
}
@inline
export function axisS(job: usize): i32 {
  return word(job, 5);
}
@inline
export function axisI(job: usize): i32 {
  return word(job, 6);
}
/** Whether the rows of SPEC section 9 are the fixed moments; else they are those along a line. */
@inline
export function rowsAreFixed(job: usize): bool {
  return word(job, 7) == 1;
}
@inline
export function parameterOf(job: usize): usize {
  return word(job, 8);
}
@inline
export function gradientOf(job: usize): usize {
  return word(job, 9);
}
/** Plane 0 to 2: momentum; plane 3: second moment. */
export function momentsOf(job: usize, plane: i32): usize {
  return <usize>word(job, 10) + (<usize>plane * <usize>sizeOf(job) << 2);
}
@inline
export function rowsOf(job: usize): usize {
  return word(job, 11);
}
@inline
export function columnsOf(job: usize): usize {
  return word(job, 12);
}
@inline
export function mlpOf(job: usize): usize {
  return word(job, 13);
}
@inline
export function statisticsOf(job: usize): usize {
  return word(job, 14);
}
@inline
function scratchOf(job: usize): usize {
  return word(job, 15);
}

export function lineLength(job: usize): i32 {
  return axisM(job) * runLength(job);
}

export function runLength(job: usize): i32 {
  return axisS(job) * axisI(job);
}
/** Entries of a plane of the fixed moments. */
export function fixedLength(job: usize): i32 {
  return axisO(job) * axisF(job) * axisM(job) * axisI(job);
}
/** Entries of a plane of the moments along lines. */
export function alongLength(job: usize): i32 {
  return axisO(job) * lineLength(job);
}

// Chunks: parts of a tensor that threads work on at the same time. Each is one range of memory: of several lines, or of
// a piece of a line. They depend on the shape alone, as the order of all sums does.

/** In how many chunks the job comes. */
export function chunkCount(job: usize): i32 {
  const size = sizeOf(job);
  if (size <= ONE_CHUNK) return 1;
  if (!isFactored(job)) return ceilDiv(size, CHUNK);
  return linesAreWhole(job)
    ? ceilDiv(axisO(job) * axisF(job), linesPerChunk(job))
    : axisO(job) * axisF(job) * piecesPerLine(job);
}

function ceilDiv(a: i32, b: i32): i32 {
  return (a - 1) / b + 1;
}

export function linesAreWhole(job: usize): bool {
  return sizeOf(job) <= ONE_CHUNK || lineLength(job) <= CHUNK;
}

function linesPerChunk(job: usize): i32 {
  return sizeOf(job) <= ONE_CHUNK ? axisO(job) * axisF(job) : CHUNK / lineLength(job);
}
/** Whether chunks end inside runs. */
export function runsAreCut(job: usize): bool {
  return !linesAreWhole(job) && axisM(job) == 1 && axisI(job) == 1;
}
/** Runs stay whole, except where there is nothing else to cut. */
function pieceLength(job: usize): i32 {
  if (runsAreCut(job)) return CHUNK;
  const run = runLength(job);
  return max(1, CHUNK / run) * run;
}

export function piecesPerLine(job: usize): i32 {
  return ceilDiv(lineLength(job), pieceLength(job));
}

/** The first entry of a chunk. `chunk` may be their number: then the size. */
export function chunkStart(job: usize, chunk: i32): i32 {
  const size = sizeOf(job);
  if (!isFactored(job)) return min(size, chunk * CHUNK);
  const line = lineLength(job);
  if (linesAreWhole(job)) return min(axisO(job) * axisF(job), chunk * linesPerChunk(job)) * line;
  const pieces = piecesPerLine(job);
  return (chunk / pieces) * line + (chunk % pieces) * pieceLength(job);
}

export function chunkEnd(job: usize, chunk: i32): i32 {
  return chunk + 1 == chunkCount(job) ? sizeOf(job) : chunkStart(job, chunk + 1);
}

// Scratch memory: the folded network, sums of all chunks, then for rank >= 2 the fixed factors and those along lines.

const NETWORK_BYTES: usize = 1024;
/** Sums are two float64 each, see `update-sums.ts`. */
export const SUMS_BYTES: usize = 45 * 16;

@inline
export function networkOf(job: usize): usize {
  return scratchOf(job);
}
@inline
export function totalsOf(job: usize): usize {
  return scratchOf(job) + NETWORK_BYTES;
}

export function chunkSumsOf(job: usize, chunk: i32): usize {
  return totalsOf(job) + <usize>(chunk + 1) * SUMS_BYTES;
}

/** A factor array has a float64 sum of g^2 per entry and `FACTOR_PLANES` planes of float32. */
export const FACTOR_PLANES: usize = 7;
/** Planes that follow the three factors: shares of the four hidden units. */
export const SHARE: usize = 3;

/** Bytes of a plane of float32, with room to write four entries from any. */
export function planeBytes(length: i32): usize {
  return (<usize>length * 4 + 31) & ~15;
}

function factorBytes(length: i32): usize {
  return planeBytes(length) * (2 + FACTOR_PLANES);
}

export function fixedSquares(job: usize): usize {
  return chunkSumsOf(job, chunkCount(job));
}

export function fixedPlanes(job: usize): usize {
  return fixedSquares(job) + 2 * planeBytes(fixedLength(job));
}

export function alongSquares(job: usize): usize {
  return fixedSquares(job) + factorBytes(fixedLength(job));
}

export function alongPlanes(job: usize): usize {
  return alongSquares(job) + 2 * planeBytes(alongLength(job));
}

/** A chunk's own sums of g^2 along lines. With one chunk they are the sums. */
export function chunkAlongSquares(job: usize, chunk: i32): usize {
  const along = alongSquares(job);
  if (chunkCount(job) == 1) return along;
  return along + factorBytes(alongLength(job)) + <usize>chunk * 2 * planeBytes(chunkAlongLength(job));
}
/** The most entries along lines that one chunk meets. */
function chunkAlongLength(job: usize): i32 {
  if (!linesAreWhole(job)) return pieceLength(job);
  return min(axisO(job), linesPerChunk(job) / axisF(job) + 2) * lineLength(job);
}

/** Bytes of scratch that the job needs. */
export function jobScratchBytes(job: usize): usize {
  const chunks = chunkCount(job);
  const sums = NETWORK_BYTES + <usize>(chunks + 1) * SUMS_BYTES;
  if (!isFactored(job)) return sums;
  const factors = factorBytes(fixedLength(job)) + factorBytes(alongLength(job));
  return sums + factors + (chunks > 1 ? <usize>chunks * 2 * planeBytes(chunkAlongLength(job)) : 0);
}
