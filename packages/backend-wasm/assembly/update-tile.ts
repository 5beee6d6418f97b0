/** A thread's own memory for one tile of entries, and how tiles are filled. */
import {
  alongLength,
  alongPlanes,
  axisF,
  axisI,
  axisM,
  fixedLength,
  fixedPlanes,
  isFactored,
  planeBytes,
  runLength,
  SHARE,
  TILE,
} from './update-job';
import { clear, firstLanes } from './vector-math';

/** Bytes of a plane: a tile, and room for what unaligned stores write beyond their run. */
export const PLANE: usize = 4 * <usize>TILE + 16;

/** Weights of the first layer, four times over each, `[24, 4]`; of the last layers, `[30]`. */
export const FIRST_LAYER: usize = 0;
export const LAST_LAYERS: usize = 1536;

// Numbers that loops load rather than have in their code: V8 makes a constant anew at every use, in three instructions,
// and moves what is computed from a parameter into the loop that uses it.
const CONSTANTS: usize = 2048;
export const MINUS_LIMIT: usize = CONSTANTS;
export const LIMIT: usize = CONSTANTS + 4;
export const MINUS_CLIP: usize = CONSTANTS + 8;
export const CLIP: usize = CONSTANTS + 12;
export const ONE: usize = CONSTANTS + 16;
export const SECOND_EPSILON: usize = CONSTANTS + 24;
export const SQUARE_EPSILON: usize = CONSTANTS + 28;
export const RSQRT_EPSILON: usize = CONSTANTS + 32;
export const INVERSE_EPSILON: usize = CONSTANTS + 36;
/** 0.9, 0.99, 0.999; the same less than 1. */
export const DECAYS: usize = CONSTANTS + 40;
export const WEIGHTS: usize = CONSTANTS + 52;
export const HALF: usize = CONSTANTS + 64;
export const SIXTH: usize = CONSTANTS + 68;
export const TWENTY_FOURTH: usize = CONSTANTS + 72;
export const HUNDRED_TWENTIETH: usize = CONSTANTS + 76;

// Where the tile's factors are, see `locateFactors`.
const PLACES: usize = CONSTANTS + 96;
/** Three factors and four shares of the hidden units that hold for the whole tile. */
export const TILE_FACTORS: usize = PLACES;
export const TILE_SHARES: usize = PLACES + 12;
/** Addresses of three and four planes with what differs from entry to entry, each with the bytes between planes. */
const FACTORS_AT: usize = PLACES + 28;
const FACTORS_STRIDE: usize = PLACES + 32;
const SHARES_AT: usize = PLACES + 36;
const SHARES_STRIDE: usize = PLACES + 40;

/** 24 planes: the network's inputs, then what its layers make of them. */
export const FEATURES: usize = 2304;
/** 4 planes: the first layer's sums, before and after. */
export const HIDDEN: usize = FEATURES + 24 * PLANE;
/** 3 planes: products of the row's and the column's factor. */
const FACTORS: usize = HIDDEN + 4 * PLANE;
/** 7 planes that stand in for the tensor's memory where a tile ends inside eight entries. */
const STAGE: usize = FACTORS + 3 * PLANE;
/** A plane of zeros. */
const ZEROS: usize = STAGE + 7 * PLANE;
export const TILE_BYTES: i32 = <i32>(ZEROS + PLANE + 255) & -256;

/** To be called before tiles are worked on. */
export function prepareTile(tile: usize): void {
  store<f32>(tile, -1000, MINUS_LIMIT);
  store<f32>(tile, 1000, LIMIT);
  store<f32>(tile, -0.1, MINUS_CLIP);
  store<f32>(tile, 0.1, CLIP);
  store<f32>(tile, 1, ONE);
  store<f32>(tile, 1e-6, SECOND_EPSILON);
  store<f32>(tile, 1e-30, SQUARE_EPSILON);
  store<f32>(tile, 1e-9, RSQRT_EPSILON);
  store<f32>(tile, 1e-8, INVERSE_EPSILON);
  storeDecay(tile, 0, 0.9);
  storeDecay(tile, 1, 0.99);
  storeDecay(tile, 2, 0.999);
  store<f32>(tile, 1.0 / 2, HALF);
  store<f32>(tile, 1.0 / 6, SIXTH);
  store<f32>(tile, 1.0 / 24, TWENTY_FOURTH);
  store<f32>(tile, 1.0 / 120, HUNDRED_TWENTIETH);
  clear(tile + ZEROS, PLANE);
}

@inline
function storeDecay(tile: usize, k: usize, decay: f32): void {
  store<f32>(tile + 4 * k, decay, DECAYS);
  store<f32>(tile + 4 * k, <f32>1 - decay, WEIGHTS);
}

/** Four times the number at `offset`. */
@inline
export function constant(tile: usize, offset: usize): v128 {
  return v128.load32_splat(tile + offset);
}

/** Address of what the tile's entries have as factor `k`, to be multiplied by number `k` of `TILE_FACTORS`. */
@inline
export function factorsAt(tile: usize, k: i32): usize {
  return load<usize>(tile, FACTORS_AT) + <usize>k * load<usize>(tile, FACTORS_STRIDE);
}
/** Address of what the tile's entries have as share of hidden unit `unit`, to be added to that of `TILE_SHARES`. */
@inline
export function sharesAt(tile: usize, unit: i32): usize {
  return load<usize>(tile, SHARES_AT) + <usize>unit * load<usize>(tile, SHARES_STRIDE);
}

@inline
export function stage(tile: usize, index: usize): usize {
  return tile + STAGE + index * PLANE;
}

/** Copies `n` entries and fills up the last eight with zeros. */
export function copyPadded(to: usize, from: usize, n: i32): void {
  for (; n > 0; n -= 8, to += 32, from += 32) {
    v128.store(to, v128.and(v128.load(from), firstLanes(n)));
    v128.store(to, v128.and(v128.load(from, 16), firstLanes(n - 4)), 16);
  }
}

/** Copies `n` entries and not one more. */
export function copyExactly(to: usize, from: usize, n: i32): void {
  for (; n >= 4; n -= 4, to += 16, from += 16) v128.store(to, v128.load(from));
  for (; n > 0; n--, to += 4, from += 4) store<f32>(to, load<f32>(from));
}

/** Zeroes what of the last eight entries of a plane is beyond `n`. */
export function clearTail(plane: usize, n: i32): void {
  const rest = n & 7;
  if (rest == 0) return;
  const last = plane + (<usize>(n - rest) << 2);
  v128.store(last, v128.and(v128.load(last), firstLanes(rest)));
  v128.store(last, v128.and(v128.load(last, 16), firstLanes(rest - 4)), 16);
}

/** Whether tiles are cut so that each lies within a run, whose factors then are numbers. */
@inline
function tilesAreInRuns(job: usize): bool {
  const run = runLength(job);
  return axisI(job) == 1 && run >= SHORT_RUN && (run & 7) == 0;
}
const SHORT_RUN: i32 = 32;

/** Length of the tile that begins at `entry`, `left` entries before its chunk's end; within a run at most `longest`. */
export function tileLength(job: usize, entry: i32, left: i32, longest: i32): i32 {
  if (!isFactored(job) || !tilesAreInRuns(job)) return min(TILE, left);
  const run = runLength(job);
  const leftOfRun = min(left, run - (entry % run));
  // Tiles of like lengths rather than full ones and a short one.
  const tiles = (leftOfRun + longest - 1) / longest;
  return min(leftOfRun, (leftOfRun / tiles + 7) & -8);
}

/** Finds factors and shares of a tile: where they are if the tile lies within a run, else they are put together. */
export function locateFactors(job: usize, entry: i32, n: i32, tile: usize, shares: bool): void {
  if (tilesAreInRuns(job)) return locateInRun(job, entry, tile);
  v128.store(tile, f32x4.splat(1), TILE_FACTORS);
  v128.store(tile, f32x4.splat(0), TILE_SHARES);
  store<usize>(tile, tile + FACTORS, FACTORS_AT);
  store<usize>(tile, PLANE, FACTORS_STRIDE);
  store<usize>(tile, tile + HIDDEN, SHARES_AT);
  store<usize>(tile, PLANE, SHARES_STRIDE);
  spreadFactors(job, entry, n, tile, shares);
  for (let k: usize = 0; k < 3; k++) clearTail(tile + FACTORS + k * PLANE, n);
  if (!shares) return;
  for (let unit: usize = 0; unit < 4; unit++) clearTail(tile + HIDDEN + unit * PLANE, n);
}

function locateInRun(job: usize, entry: i32, tile: usize): void {
  const M = axisM(job);
  const length = runLength(job);
  const run = entry / length;
  const o = run / M / axisF(job);
  const fixedPlane = planeBytes(fixedLength(job));
  let fixed = fixedPlanes(job) + (<usize>run << 2);
  for (let plane: usize = 0; plane < 7; plane++, fixed += fixedPlane) {
    store<f32>(tile + 4 * plane, load<f32>(fixed), TILE_FACTORS);
  }
  const alongPlane = planeBytes(alongLength(job));
  const along = alongPlanes(job) + (<usize>((o * M + (run % M)) * length + (entry - run * length)) << 2);
  store<usize>(tile, along, FACTORS_AT);
  store<usize>(tile, alongPlane, FACTORS_STRIDE);
  store<usize>(tile, along + SHARE * alongPlane, SHARES_AT);
  store<usize>(tile, alongPlane, SHARES_STRIDE);
}

/** Rank < 2 has no factors; `shares` are four numbers. */
export function locateShares(tile: usize, shares: usize): void {
  v128.store(tile, v128.load(shares), TILE_SHARES);
  store<usize>(tile, tile + ZEROS, SHARES_AT);
  store<usize>(tile, 0, SHARES_STRIDE);
}

/**
 * Products R_k C_k of `n` entries from `entry` to the tile's `FACTORS`; with `shares`, the sums of row's and column's
 * share to `HIDDEN`.
 *
 * Stores are of four entries and may reach into the run that follows, which is written after; beyond the tile there is
 * room.
 */
function spreadFactors(job: usize, entry: i32, n: i32, tile: usize, shares: bool): void {
  const M = axisM(job);
  const F = axisF(job);
  const I = axisI(job);
  const length = runLength(job);
  const fixedPlane = planeBytes(fixedLength(job));
  const alongPlane = planeBytes(alongLength(job));
  const firstFixed = fixedPlanes(job);
  const firstAlong = alongPlanes(job);
  let run = entry / length;
  let from = entry - run * length;
  let m = run % M;
  let f = (run / M) % F;
  let o = run / M / F;
  let to = tile;
  for (let left = n; left > 0; ) {
    const count = min(length - from, left);
    const fixed = firstFixed + (<usize>(run * I) << 2);
    const along = firstAlong + (<usize>((o * M + m) * length + from) << 2);
    if (I == 1) {
      spreadRun(fixed, fixedPlane, along, alongPlane, count, to);
      if (shares) spreadShares(fixed, fixedPlane, along, alongPlane, count, to);
    } else {
      spreadPeriods(fixed, fixedPlane, along, alongPlane, I, from % I, count, to, shares);
    }
    to += <usize>count << 2;
    left -= count;
    from = 0;
    run++;
    if (++m == M) {
      m = 0;
      if (++f == F) {
        f = 0;
        o++;
      }
    }
  }
}

function spreadRun(fixed: usize, fixedPlane: usize, along: usize, alongPlane: usize, n: i32, to: usize): void {
  const r0 = v128.load32_splat(fixed);
  const r1 = v128.load32_splat(fixed + fixedPlane);
  const r2 = v128.load32_splat(fixed + 2 * fixedPlane);
  const end = to + (<usize>n << 2);
  let along1 = along + alongPlane;
  let along2 = along1 + alongPlane;
  for (; to < end; to += 16, along += 16, along1 += 16, along2 += 16) {
    v128.store(to, f32x4.mul(r0, v128.load(along)), FACTORS);
    v128.store(to, f32x4.mul(r1, v128.load(along1)), FACTORS + PLANE);
    v128.store(to, f32x4.mul(r2, v128.load(along2)), FACTORS + 2 * PLANE);
  }
}

function spreadShares(fixed: usize, fixedPlane: usize, along: usize, alongPlane: usize, n: i32, to: usize): void {
  fixed += SHARE * fixedPlane;
  const a0 = v128.load32_splat(fixed);
  const a1 = v128.load32_splat(fixed + fixedPlane);
  const a2 = v128.load32_splat(fixed + 2 * fixedPlane);
  const a3 = v128.load32_splat(fixed + 3 * fixedPlane);
  const end = to + (<usize>n << 2);
  let along0 = along + SHARE * alongPlane;
  let along1 = along0 + alongPlane;
  let along2 = along1 + alongPlane;
  let along3 = along2 + alongPlane;
  for (; to < end; to += 16, along0 += 16, along1 += 16, along2 += 16, along3 += 16) {
    v128.store(to, f32x4.add(a0, v128.load(along0)), HIDDEN);
    v128.store(to, f32x4.add(a1, v128.load(along1)), HIDDEN + PLANE);
    v128.store(to, f32x4.add(a2, v128.load(along2)), HIDDEN + 2 * PLANE);
    v128.store(to, f32x4.add(a3, v128.load(along3)), HIDDEN + 3 * PLANE);
  }
}

/** A run where `fixed` has I entries, which repeat; `i` is the first one's place. */
function spreadPeriods(
  fixed: usize,
  fixedPlane: usize,
  along: usize,
  alongPlane: usize,
  I: i32,
  i: i32,
  n: i32,
  to: usize,
  shares: bool,
): void {
  while (n > 0) {
    const count = min(I - i, n);
    for (let at: usize = 0; at < <usize>count << 2; at += 16) {
      const x = fixed + (<usize>i << 2) + at;
      const y = along + at;
      const z = to + at;
      v128.store(z, f32x4.mul(v128.load(x), v128.load(y)), FACTORS);
      v128.store(z, f32x4.mul(v128.load(x + fixedPlane), v128.load(y + alongPlane)), FACTORS + PLANE);
      v128.store(z, f32x4.mul(v128.load(x + 2 * fixedPlane), v128.load(y + 2 * alongPlane)), FACTORS + 2 * PLANE);
      if (!shares) continue;
      const a = x + SHARE * fixedPlane;
      const b = y + SHARE * alongPlane;
      v128.store(z, f32x4.add(v128.load(a), v128.load(b)), HIDDEN);
      v128.store(z, f32x4.add(v128.load(a + fixedPlane), v128.load(b + alongPlane)), HIDDEN + PLANE);
      v128.store(z, f32x4.add(v128.load(a + 2 * fixedPlane), v128.load(b + 2 * alongPlane)), HIDDEN + 2 * PLANE);
      v128.store(z, f32x4.add(v128.load(a + 3 * fixedPlane), v128.load(b + 3 * alongPlane)), HIDDEN + 3 * PLANE);
    }
    to += <usize>count << 2;
    along += <usize>count << 2;
    n -= count;
    i = 0;
  }
}
