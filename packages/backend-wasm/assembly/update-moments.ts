/** The second pass: moments advance, and the network's inputs are squared and summed (SPEC sections 9 and 11). */
import {
  chunkEnd,
  chunkStart,
  chunkSumsOf,
  gradientOf,
  isFactored,
  momentsOf,
  parameterOf,
  rowsOf,
  sizeOf,
} from './update-job';
import {
  CLIP_SQUARE,
  FACTORED_GRADIENT_SQUARE,
  FACTORED_MOMENTUM_SQUARE,
  GRADIENT_SQUARE,
  INVERSE_SECOND_MOMENT,
  MOMENTUM,
  MOMENTUM_SQUARE,
  ofDecay,
  PARAMETER_SQUARE,
  SCALED_GRADIENT_SQUARE,
  SCALED_MOMENTUM_SQUARE,
  SECOND_MOMENT,
  SECOND_MOMENT_SQUARE,
  V_INVERSE,
  V_SQUARE,
} from './update-sums';
import {
  CLIP,
  constant,
  copyExactly,
  copyPadded,
  DECAYS,
  factorsAt,
  FEATURES,
  INVERSE_EPSILON,
  LIMIT,
  locateFactors,
  MINUS_CLIP,
  MINUS_LIMIT,
  ONE,
  prepareTile,
  RSQRT_EPSILON,
  SECOND_EPSILON,
  SQUARE_EPSILON,
  stage,
  TILE_FACTORS,
  tileLength,
  WEIGHTS,
} from './update-tile';
import { accumulate, clamp, firstLanes, madd } from './vector-math';

/** Tiles within a run are longer in this pass, which has few planes: memory is read and written in longer pieces. */
const LONG_TILE: i32 = 512;
/** Planes of the tile: the clipped gradient, and q = 1 / (r + 1e-6). */
const GRADIENT: usize = FEATURES;
const INVERSE: usize = FEATURES + 4 * <usize>LONG_TILE + 16;

export function advanceMoments(job: usize, chunk: i32, tile: usize): void {
  const end = chunkEnd(job, chunk);
  const sums = chunkSumsOf(job, chunk);
  const factored = isFactored(job);
  prepareTile(tile);
  for (let entry = chunkStart(job, chunk); entry < end; ) {
    const n = tileLength(job, entry, end - entry, LONG_TILE);
    if (factored) locateFactors(job, entry, n, tile, false);
    advanceTile(job, <usize>entry << 2, n, tile, sums, factored);
    entry += n;
  }
}

/** Where a tile ends inside eight entries, its own planes stand in for the tensor: nothing is written beyond that. */
function advanceTile(job: usize, offset: usize, n: i32, tile: usize, sums: usize, factored: bool): void {
  const ragged = (n & 7) != 0;
  let gradient = gradientOf(job) + offset;
  let r = momentsOf(job, 3) + offset;
  if (ragged) {
    copyPadded(stage(tile, 0), gradient, n);
    copyPadded(stage(tile, 1), r, n);
    gradient = stage(tile, 0);
    r = stage(tile, 1);
  }
  const bytes = <usize>(n & -8) << 2;
  advanceSecondMoment(gradient, r, tile, 0, bytes, 8, sums);
  if (ragged) {
    advanceSecondMoment(gradient, r, tile, bytes, bytes + 32, n & 7, sums);
    copyExactly(momentsOf(job, 3) + offset, r, n);
  }
  const roundedBytes = <usize>((n + 7) & -8) << 2;
  let parameter = parameterOf(job) + offset;
  if (ragged) {
    copyPadded(stage(tile, 1), parameter, n);
    parameter = stage(tile, 1);
  }
  sumInputSquares(parameter, tile, roundedBytes, sums);
  for (let k = 0; k < 3; k++) {
    const place = momentsOf(job, k) + offset;
    let m = place;
    if (ragged) {
      m = stage(tile, 0);
      copyPadded(m, place, n);
    }
    if (factored) {
      advanceMomentum(m, tile, k, roundedBytes, sums + ofDecay(k));
    } else {
      const placeOfV = rowsOf(job) + (<usize>k * <usize>sizeOf(job) << 2) + offset;
      let v = placeOfV;
      if (ragged) {
        v = stage(tile, 1);
        copyPadded(v, placeOfV, n);
      }
      advanceVectorMomentum(m, v, tile, k, roundedBytes, sums + ofDecay(k));
      if (ragged) copyExactly(placeOfV, v, n);
    }
    if (ragged) copyExactly(place, m, n);
  }
}

/**
 * r = 0.999 r + (1 - 0.999) g^2. Leaves clipped g and q in the tile; of every eight entries the first `valid` count, q
 * is 0 in the others.
 */
function advanceSecondMoment(
  gradient: usize,
  r: usize,
  tile: usize,
  begin: usize,
  end: usize,
  valid: i32,
  sums: usize,
): void {
  const decay = constant(tile, DECAYS + 8);
  const weight = constant(tile, WEIGHTS + 8);
  const low = constant(tile, MINUS_LIMIT);
  const high = constant(tile, LIMIT);
  const epsilon = constant(tile, SECOND_EPSILON);
  const one0 = v128.and(constant(tile, ONE), firstLanes(valid));
  const one1 = v128.and(constant(tile, ONE), firstLanes(valid - 4));
  let sum = f32x4.splat(0);
  let square = f32x4.splat(0);
  let inverse = f32x4.splat(0);
  let scaledGradient = f32x4.splat(0);
  for (let at = begin; at < end; at += 32) {
    let g = clamp(v128.load(gradient + at), low, high);
    let g2 = f32x4.mul(g, g);
    let next = madd(v128.load(r + at), decay, f32x4.mul(g2, weight));
    let q = f32x4.div(one0, f32x4.add(next, epsilon));
    v128.store(tile + at, g, GRADIENT);
    v128.store(r + at, next);
    v128.store(tile + at, q, INVERSE);
    sum = f32x4.add(sum, next);
    square = madd(next, next, square);
    inverse = f32x4.add(inverse, q);
    scaledGradient = madd(g2, q, scaledGradient);
    g = clamp(v128.load(gradient + at, 16), low, high);
    g2 = f32x4.mul(g, g);
    next = madd(v128.load(r + at, 16), decay, f32x4.mul(g2, weight));
    q = f32x4.div(one1, f32x4.add(next, epsilon));
    v128.store(tile + at, g, GRADIENT + 16);
    v128.store(r + at, next, 16);
    v128.store(tile + at, q, INVERSE + 16);
    sum = f32x4.add(sum, next);
    square = madd(next, next, square);
    inverse = f32x4.add(inverse, q);
    scaledGradient = madd(g2, q, scaledGradient);
  }
  accumulate(sums + SECOND_MOMENT, sum);
  accumulate(sums + SECOND_MOMENT_SQUARE, square);
  accumulate(sums + INVERSE_SECOND_MOMENT, inverse);
  accumulate(sums + SCALED_GRADIENT_SQUARE, scaledGradient);
}

/** m = B m + (1 - B) g, B being decay `k`. */
function advanceMomentum(m: usize, tile: usize, k: i32, bytes: usize, sums: usize): void {
  const B = constant(tile + (<usize>k << 2), DECAYS);
  const weight = constant(tile + (<usize>k << 2), WEIGHTS);
  const factors = factorsAt(tile, k);
  let sum = f32x4.splat(0);
  let square = f32x4.splat(0);
  let scaled = f32x4.splat(0);
  let factored = f32x4.splat(0);
  let factoredGradient = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 32) {
    let g = v128.load(tile + at, GRADIENT);
    let next = madd(v128.load(m + at), B, f32x4.mul(g, weight));
    v128.store(m + at, next);
    sum = f32x4.add(sum, next);
    let next2 = f32x4.mul(next, next);
    square = f32x4.add(square, next2);
    scaled = madd(next2, v128.load(tile + at, INVERSE), scaled);
    let factor = v128.load(factors + at);
    let factor2 = f32x4.mul(factor, factor);
    factored = madd(next2, factor2, factored);
    factoredGradient = madd(f32x4.mul(g, g), factor2, factoredGradient);
    g = v128.load(tile + at, GRADIENT + 16);
    next = madd(v128.load(m + at, 16), B, f32x4.mul(g, weight));
    v128.store(m + at, next, 16);
    sum = f32x4.add(sum, next);
    next2 = f32x4.mul(next, next);
    square = f32x4.add(square, next2);
    scaled = madd(next2, v128.load(tile + at, INVERSE + 16), scaled);
    factor = v128.load(factors + at, 16);
    factor2 = f32x4.mul(factor, factor);
    factored = madd(next2, factor2, factored);
    factoredGradient = madd(f32x4.mul(g, g), factor2, factoredGradient);
  }
  const common = constant(tile + (<usize>k << 2), TILE_FACTORS);
  const common2 = f32x4.mul(common, common);
  accumulate(sums + MOMENTUM, sum);
  accumulate(sums + MOMENTUM_SQUARE, square);
  accumulate(sums + SCALED_MOMENTUM_SQUARE, scaled);
  accumulate(sums + FACTORED_MOMENTUM_SQUARE, f32x4.mul(factored, common2));
  accumulate(sums + FACTORED_GRADIENT_SQUARE, f32x4.mul(factoredGradient, common2));
}

function sumInputSquares(parameter: usize, tile: usize, bytes: usize, sums: usize): void {
  const low = constant(tile, MINUS_CLIP);
  const high = constant(tile, CLIP);
  let square = f32x4.splat(0);
  let clip = f32x4.splat(0);
  let parameters = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    const g = v128.load(tile + at, GRADIENT);
    const c = clamp(g, low, high);
    const p = v128.load(parameter + at);
    square = madd(g, g, square);
    clip = madd(c, c, clip);
    parameters = madd(p, p, parameters);
  }
  accumulate(sums + GRADIENT_SQUARE, square);
  accumulate(sums + CLIP_SQUARE, clip);
  accumulate(sums + PARAMETER_SQUARE, parameters);
}

/**
 * Momentum and v of a tensor of rank < 2, whose v is not factored: v = B v + (1 - B) (g^2 + 1e-30).
 *
 * fac_g = g / sqrt(v + 1e-9). Quirk: fac_m = m / sqrt(v), with neither floor nor epsilon.
 */
function advanceVectorMomentum(m: usize, v: usize, tile: usize, k: i32, bytes: usize, sums: usize): void {
  const B = constant(tile + (<usize>k << 2), DECAYS);
  const weight = constant(tile + (<usize>k << 2), WEIGHTS);
  const one = constant(tile, ONE);
  const squareEpsilon = constant(tile, SQUARE_EPSILON);
  const rsqrtEpsilon = constant(tile, RSQRT_EPSILON);
  const inverseEpsilon = constant(tile, INVERSE_EPSILON);
  let sum = f32x4.splat(0);
  let square = f32x4.splat(0);
  let scaled = f32x4.splat(0);
  let factored = f32x4.splat(0);
  let factoredGradient = f32x4.splat(0);
  let vSquare = f32x4.splat(0);
  let vInverse = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    const g = v128.load(tile + at, GRADIENT);
    const next = madd(v128.load(m + at), B, f32x4.mul(g, weight));
    v128.store(m + at, next);
    sum = f32x4.add(sum, next);
    const next2 = f32x4.mul(next, next);
    square = f32x4.add(square, next2);
    const q = v128.load(tile + at, INVERSE);
    scaled = madd(next2, q, scaled);
    const g2 = f32x4.mul(g, g);
    const nextV = madd(v128.load(v + at), B, f32x4.mul(f32x4.add(g2, squareEpsilon), weight));
    v128.store(v + at, nextV);
    factored = f32x4.add(factored, f32x4.div(next2, nextV));
    factoredGradient = f32x4.add(factoredGradient, f32x4.div(g2, f32x4.add(nextV, rsqrtEpsilon)));
    // q is 0 beyond the tensor, where v is 1e-30 or less, and nowhere else.
    const valid = f32x4.gt(q, f32x4.splat(0));
    vSquare = madd(nextV, nextV, vSquare);
    vInverse = f32x4.add(vInverse, v128.and(f32x4.div(one, f32x4.add(nextV, inverseEpsilon)), valid));
  }
  accumulate(sums + MOMENTUM, sum);
  accumulate(sums + MOMENTUM_SQUARE, square);
  accumulate(sums + SCALED_MOMENTUM_SQUARE, scaled);
  accumulate(sums + FACTORED_MOMENTUM_SQUARE, factored);
  accumulate(sums + FACTORED_GRADIENT_SQUARE, factoredGradient);
  accumulate(sums + V_SQUARE, vSquare);
  accumulate(sums + V_INVERSE, vInverse);
}
