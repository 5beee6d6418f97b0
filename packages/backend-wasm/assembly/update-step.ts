/** The third pass: the network per parameter, the step, statistics of what it leaves (SPEC section 11). */
import { exp } from './functions';
import {
  chunkEnd,
  chunkStart,
  chunkSumsOf,
  gradientOf,
  isFactored,
  mlpOf,
  momentsOf,
  networkOf,
  parameterOf,
  rowsOf,
  sizeOf,
  TILE,
} from './update-job';
import { biasesOf, INPUT_BYTES, spreadInput, spreadInputOfTwo, spreadLastLayers, UNIT_BYTES } from './update-network';
import {
  centerOf,
  DEVIATION,
  DEVIATION_SQUARE,
  isCentered,
  NEXT_PARAMETER_SQUARE,
  ofDecay,
  UPDATE_SQUARE,
} from './update-sums';
import {
  clearTail,
  CLIP as CLIP_LIMIT,
  constant,
  copyExactly,
  copyPadded,
  factorsAt,
  FEATURES,
  FIRST_LAYER,
  HALF,
  HIDDEN,
  HUNDRED_TWENTIETH,
  INVERSE_EPSILON,
  LAST_LAYERS,
  LIMIT,
  locateFactors,
  locateShares,
  MINUS_CLIP,
  MINUS_LIMIT,
  ONE,
  PLANE,
  prepareTile,
  RSQRT_EPSILON,
  SECOND_EPSILON,
  sharesAt,
  SIXTH,
  stage,
  TILE_FACTORS,
  TILE_SHARES,
  tileLength,
  TWENTY_FOURTH,
} from './update-tile';
import { accumulate, clamp, firstLanes, madd, relu } from './vector-math';

// Planes of the tile's features. Of tensors of rank >= 2 there are 18, the other 12 of the 30 inputs being in `HIDDEN`
// already. Those of rank < 2 have 24: v_k is row and column at once.
const G: usize = FEATURES;
const CLIP: usize = FEATURES + PLANE;
const P: usize = FEATURES + 2 * PLANE;
const R: usize = FEATURES + 3 * PLANE;
const RS: usize = FEATURES + 4 * PLANE; // rsqrt(r + 1e-6)
const G_RS: usize = FEATURES + 5 * PLANE;
const M: usize = FEATURES + 6 * PLANE;
const M_RS: usize = FEATURES + 9 * PLANE;
const FACTORED_G: usize = FEATURES + 12 * PLANE;
const FACTORED_M: usize = FEATURES + 15 * PLANE;
const V: usize = FEATURES + 18 * PLANE;
const V_INVERSE: usize = FEATURES + 21 * PLANE;

const FACTORED_INPUTS: i32 = 18;
const VECTOR_INPUTS: i32 = 24;

// Later contents of the same planes.
const SECOND: usize = FEATURES;
const DIRECTION: usize = FEATURES + 4 * PLANE;
const MAGNITUDE: usize = FEATURES + 5 * PLANE;

/** Which of the 30 columns the first 18 features are. */
function columnOf(feature: i32): i32 {
  if (feature < 3) return feature;
  if (feature < 6) return 4 * feature - 6; // 6, 10, 14
  if (feature < 9) return feature - 3; // 3, 4, 5
  if (feature < 12) return feature - 2; // 7, 8, 9
  if (feature < 15) return feature - 1; // 11, 12, 13
  return feature + 12; // 27, 28, 29
}

function spreadNetwork(job: usize, tile: usize): void {
  const network = networkOf(job);
  for (let feature = 0; feature < 18; feature++) spreadInput(tile + FIRST_LAYER, feature, network, columnOf(feature));
  if (!isFactored(job)) {
    for (let k = 0; k < 3; k++) {
      spreadInputOfTwo(tile + FIRST_LAYER, 18 + k, network, 15 + k, 18 + k);
      spreadInputOfTwo(tile + FIRST_LAYER, 21 + k, network, 21 + k, 24 + k);
    }
  }
  spreadLastLayers(tile + LAST_LAYERS, job);
}

export function applyNetwork(job: usize, chunk: i32, tile: usize): void {
  const end = chunkEnd(job, chunk);
  const sums = chunkSumsOf(job, chunk);
  prepareTile(tile);
  spreadNetwork(job, tile);
  for (let entry = chunkStart(job, chunk); entry < end; ) {
    const n = tileLength(job, entry, end - entry, TILE);
    applyToTile(job, entry, n, tile, sums);
    entry += n;
  }
}

/** Where a tile ends inside eight entries, its own planes stand in for the tensor: nothing is written beyond that. */
function applyToTile(job: usize, entry: i32, n: i32, tile: usize, sums: usize): void {
  const ragged = (n & 7) != 0;
  const offset = <usize>entry << 2;
  const bytes = <usize>((n + 7) & -8) << 2;
  let gradient = gradientOf(job) + offset;
  let parameter = parameterOf(job) + offset;
  let moments = momentsOf(job, 0) + offset;
  let plane = momentsOf(job, 1) - momentsOf(job, 0);
  if (ragged) {
    copyPadded(stage(tile, 0), gradient, n);
    copyPadded(stage(tile, 1), parameter, n);
    for (let k: usize = 0; k < 4; k++) copyPadded(stage(tile, 2 + k), moments + k * plane, n);
    gradient = stage(tile, 0);
    parameter = stage(tile, 1);
    moments = stage(tile, 2);
    plane = PLANE;
  }
  if (isFactored(job)) {
    locateFactors(job, entry, n, tile, true);
    formFeatures(gradient, parameter, moments, plane, tile, bytes);
    applyFirstLayer(tile, bytes, FACTORED_INPUTS);
  } else {
    locateShares(tile, biasesOf(mlpOf(job)));
    formSimpleFeatures(gradient, parameter, moments + 3 * plane, tile, bytes);
    for (let k = 0; k < 3; k++) {
      let v = rowsOf(job) + (<usize>k * <usize>sizeOf(job) << 2) + offset;
      if (ragged) {
        copyPadded(stage(tile, 6), v, n);
        v = stage(tile, 6);
      }
      formVectorFeatures(moments + <usize>k * plane, v, tile, k, bytes);
    }
    applyFirstLayer(tile, bytes, VECTOR_INPUTS);
  }
  applySecondLayer(tile, bytes);
  let large = applyOutputs(tile, bytes);
  if (ragged) {
    clearTail(tile + DIRECTION, n);
    clearTail(tile + MAGNITUDE, n);
    large = hasLargeMagnitude(tile, bytes);
  }
  if (large) exponentiate(tile, bytes);
  subtractStep(parameter, tile, bytes, sums);
  if (ragged) copyExactly(parameterOf(job) + offset, parameter, n);
  if (isCentered(job)) sumDeviations(job, offset, n, sums);
}

/** All 18 of a tensor of rank >= 2 in one loop: the roots and divisions of some go on beside the products of others. */
function formFeatures(
  gradient: usize,
  parameter: usize,
  moments: usize,
  momentsPlane: usize,
  tile: usize,
  bytes: usize,
): void {
  const low = constant(tile, MINUS_LIMIT);
  const high = constant(tile, LIMIT);
  const clipLow = constant(tile, MINUS_CLIP);
  const clipHigh = constant(tile, CLIP_LIMIT);
  const epsilon = constant(tile, SECOND_EPSILON);
  const one = constant(tile, ONE);
  const common0 = constant(tile, TILE_FACTORS);
  const common1 = constant(tile, TILE_FACTORS + 4);
  const common2 = constant(tile, TILE_FACTORS + 8);
  const factors0 = factorsAt(tile, 0);
  const factors1 = factorsAt(tile, 1);
  const factors2 = factorsAt(tile, 2);
  const moments1 = moments + momentsPlane;
  const moments2 = moments1 + momentsPlane;
  const r = moments2 + momentsPlane;
  for (let at: usize = 0; at < bytes; at += 16) {
    const to = tile + at;
    const g = clamp(v128.load(gradient + at), low, high);
    v128.store(to, g, G);
    v128.store(to, clamp(g, clipLow, clipHigh), CLIP);
    v128.store(to, v128.load(parameter + at), P);
    const second = v128.load(r + at);
    v128.store(to, second, R);
    const rs = f32x4.div(one, f32x4.sqrt(f32x4.add(second, epsilon)));
    v128.store(to, rs, RS);
    v128.store(to, f32x4.mul(g, rs), G_RS);
    let m = v128.load(moments + at);
    let factor = f32x4.mul(v128.load(factors0 + at), common0);
    v128.store(to, m, M);
    v128.store(to, f32x4.mul(m, rs), M_RS);
    v128.store(to, f32x4.mul(g, factor), FACTORED_G);
    v128.store(to, f32x4.mul(m, factor), FACTORED_M);
    m = v128.load(moments1 + at);
    factor = f32x4.mul(v128.load(factors1 + at), common1);
    v128.store(to, m, M + PLANE);
    v128.store(to, f32x4.mul(m, rs), M_RS + PLANE);
    v128.store(to, f32x4.mul(g, factor), FACTORED_G + PLANE);
    v128.store(to, f32x4.mul(m, factor), FACTORED_M + PLANE);
    m = v128.load(moments2 + at);
    factor = f32x4.mul(v128.load(factors2 + at), common2);
    v128.store(to, m, M + 2 * PLANE);
    v128.store(to, f32x4.mul(m, rs), M_RS + 2 * PLANE);
    v128.store(to, f32x4.mul(g, factor), FACTORED_G + 2 * PLANE);
    v128.store(to, f32x4.mul(m, factor), FACTORED_M + 2 * PLANE);
  }
}

/** Those of a tensor of rank < 2 that have one channel. */
function formSimpleFeatures(gradient: usize, parameter: usize, r: usize, tile: usize, bytes: usize): void {
  const low = constant(tile, MINUS_LIMIT);
  const high = constant(tile, LIMIT);
  const clipLow = constant(tile, MINUS_CLIP);
  const clipHigh = constant(tile, CLIP_LIMIT);
  const epsilon = constant(tile, SECOND_EPSILON);
  const one = constant(tile, ONE);
  for (let at: usize = 0; at < bytes; at += 16) {
    const to = tile + at;
    const g = clamp(v128.load(gradient + at), low, high);
    v128.store(to, g, G);
    v128.store(to, clamp(g, clipLow, clipHigh), CLIP);
    v128.store(to, v128.load(parameter + at), P);
    const second = v128.load(r + at);
    const rs = f32x4.div(one, f32x4.sqrt(f32x4.add(second, epsilon)));
    v128.store(to, second, R);
    v128.store(to, rs, RS);
    v128.store(to, f32x4.mul(g, rs), G_RS);
  }
}

/** Those that have three. Quirk: fac_m has neither floor nor epsilon. */
function formVectorFeatures(momentum: usize, second: usize, tile: usize, k: i32, bytes: usize): void {
  const one = constant(tile, ONE);
  const rsqrtEpsilon = constant(tile, RSQRT_EPSILON);
  const inverseEpsilon = constant(tile, INVERSE_EPSILON);
  const plane = tile + <usize>k * PLANE;
  for (let at: usize = 0; at < bytes; at += 16) {
    const to = plane + at;
    const m = v128.load(momentum + at);
    const v = v128.load(second + at);
    v128.store(to, m, M);
    v128.store(to, f32x4.mul(m, v128.load(tile + at, RS)), M_RS);
    v128.store(to, f32x4.div(m, f32x4.sqrt(v)), FACTORED_M);
    v128.store(to, f32x4.div(v128.load(tile + at, G), f32x4.sqrt(f32x4.add(v, rsqrtEpsilon))), FACTORED_G);
    v128.store(to, v, V);
    v128.store(to, f32x4.div(one, f32x4.sqrt(f32x4.add(v, inverseEpsilon))), V_INVERSE);
  }
}

/** `inputs` features meet four units. The sums of eight entries stay in registers while the loop is rolled. */
function applyFirstLayer(tile: usize, bytes: usize, inputs: i32): void {
  const weights = tile + FIRST_LAYER;
  const weightsEnd = weights + <usize>inputs * INPUT_BYTES;
  const shares0 = sharesAt(tile, 0);
  const shares1 = sharesAt(tile, 1);
  const shares2 = sharesAt(tile, 2);
  const shares3 = sharesAt(tile, 3);
  for (let at: usize = 0; at < bytes; at += 32) {
    const hidden = tile + at;
    let common = constant(tile, TILE_SHARES);
    let h0 = f32x4.add(v128.load(shares0 + at), common);
    let i0 = f32x4.add(v128.load(shares0 + at, 16), common);
    common = constant(tile, TILE_SHARES + 4);
    let h1 = f32x4.add(v128.load(shares1 + at), common);
    let i1 = f32x4.add(v128.load(shares1 + at, 16), common);
    common = constant(tile, TILE_SHARES + 8);
    let h2 = f32x4.add(v128.load(shares2 + at), common);
    let i2 = f32x4.add(v128.load(shares2 + at, 16), common);
    common = constant(tile, TILE_SHARES + 12);
    let h3 = f32x4.add(v128.load(shares3 + at), common);
    let i3 = f32x4.add(v128.load(shares3 + at, 16), common);
    let feature = hidden;
    let weight = weights;
    do {
      const x = v128.load(feature, FEATURES);
      const y = v128.load(feature, FEATURES + 16);
      let w = v128.load(weight);
      h0 = madd(x, w, h0);
      i0 = madd(y, w, i0);
      w = v128.load(weight, 16);
      h1 = madd(x, w, h1);
      i1 = madd(y, w, i1);
      w = v128.load(weight, 32);
      h2 = madd(x, w, h2);
      i2 = madd(y, w, i2);
      w = v128.load(weight, 48);
      h3 = madd(x, w, h3);
      i3 = madd(y, w, i3);
      feature += PLANE;
      weight += INPUT_BYTES;
    } while (weight != weightsEnd);
    v128.store(hidden, relu(h0), HIDDEN);
    v128.store(hidden, relu(i0), HIDDEN + 16);
    v128.store(hidden, relu(h1), HIDDEN + PLANE);
    v128.store(hidden, relu(i1), HIDDEN + PLANE + 16);
    v128.store(hidden, relu(h2), HIDDEN + 2 * PLANE);
    v128.store(hidden, relu(i2), HIDDEN + 2 * PLANE + 16);
    v128.store(hidden, relu(h3), HIDDEN + 3 * PLANE);
    v128.store(hidden, relu(i3), HIDDEN + 3 * PLANE + 16);
  }
}

/** Two units at a time, their weights in registers. */
function applySecondLayer(tile: usize, bytes: usize): void {
  const weights = tile + LAST_LAYERS;
  applyTwoUnits(weights, tile, tile, bytes);
  applyTwoUnits(weights + 2 * UNIT_BYTES, tile, tile + 2 * PLANE, bytes);
}

function applyTwoUnits(weights: usize, tile: usize, to: usize, bytes: usize): void {
  const b0 = v128.load(weights);
  const w00 = v128.load(weights, 16);
  const w01 = v128.load(weights, 32);
  const w02 = v128.load(weights, 48);
  const w03 = v128.load(weights, 64);
  const b1 = v128.load(weights, 80);
  const w10 = v128.load(weights, 96);
  const w11 = v128.load(weights, 112);
  const w12 = v128.load(weights, 128);
  const w13 = v128.load(weights, 144);
  for (let at: usize = 0; at < bytes; at += 32) {
    let h = v128.load(tile + at, HIDDEN);
    let x = madd(h, w00, b0);
    let y = madd(h, w10, b1);
    h = v128.load(tile + at, HIDDEN + PLANE);
    x = madd(h, w01, x);
    y = madd(h, w11, y);
    h = v128.load(tile + at, HIDDEN + 2 * PLANE);
    x = madd(h, w02, x);
    y = madd(h, w12, y);
    h = v128.load(tile + at, HIDDEN + 3 * PLANE);
    v128.store(to + at, relu(madd(h, w03, x)), SECOND);
    v128.store(to + at, relu(madd(h, w13, y)), SECOND + PLANE);
    h = v128.load(tile + at, HIDDEN + 16);
    x = madd(h, w00, b0);
    y = madd(h, w10, b1);
    h = v128.load(tile + at, HIDDEN + PLANE + 16);
    x = madd(h, w01, x);
    y = madd(h, w11, y);
    h = v128.load(tile + at, HIDDEN + 2 * PLANE + 16);
    x = madd(h, w02, x);
    y = madd(h, w12, y);
    h = v128.load(tile + at, HIDDEN + 3 * PLANE + 16);
    v128.store(to + at, relu(madd(h, w03, x)), SECOND + 16);
    v128.store(to + at, relu(madd(h, w13, y)), SECOND + PLANE + 16);
  }
}

/** Direction and magnitude. True if a magnitude is beyond `SMALL`. */
function applyOutputs(tile: usize, bytes: usize): bool {
  const weights = tile + LAST_LAYERS + 4 * UNIT_BYTES;
  const b0 = v128.load(weights);
  const w00 = v128.load(weights, 16);
  const w01 = v128.load(weights, 32);
  const w02 = v128.load(weights, 48);
  const w03 = v128.load(weights, 64);
  const b1 = v128.load(weights, 80);
  const w10 = v128.load(weights, 96);
  const w11 = v128.load(weights, 112);
  const w12 = v128.load(weights, 128);
  const w13 = v128.load(weights, 144);
  let largest = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    let h = v128.load(tile + at, SECOND);
    let x = madd(h, w00, b0);
    let y = madd(h, w10, b1);
    h = v128.load(tile + at, SECOND + PLANE);
    x = madd(h, w01, x);
    y = madd(h, w11, y);
    h = v128.load(tile + at, SECOND + 2 * PLANE);
    x = madd(h, w02, x);
    y = madd(h, w12, y);
    h = v128.load(tile + at, SECOND + 3 * PLANE);
    v128.store(tile + at, madd(h, w03, x), DIRECTION);
    y = madd(h, w13, y);
    v128.store(tile + at, y, MAGNITUDE);
    largest = f32x4.pmax(largest, f32x4.abs(y));
  }
  return v128.any_true(f32x4.gt(largest, f32x4.splat(SMALL)));
}

/** Magnitudes up to which `subtractStep` has exp to the last place. */
const SMALL: f32 = 0.2;

function hasLargeMagnitude(tile: usize, bytes: usize): bool {
  let largest = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    largest = f32x4.pmax(largest, f32x4.abs(v128.load(tile + at, MAGNITUDE)));
  }
  return v128.any_true(f32x4.gt(largest, f32x4.splat(SMALL)));
}

/** Takes exp(magnitude) into the direction, and leaves magnitudes of 0: for the rare tile where one is not small. */
function exponentiate(tile: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    // Finite, so that a direction of 0 stays 0.
    const power = exp(f32x4.pmin(v128.load(tile + at, MAGNITUDE), f32x4.splat(88.7)));
    v128.store(tile + at, f32x4.mul(v128.load(tile + at, DIRECTION), power), DIRECTION);
    v128.store(tile + at, f32x4.splat(0), MAGNITUDE);
  }
}

/**
 * p = p - direction exp(magnitude): s, the scale of p and the factors 0.001 are in the network's last weights. exp by
 * its Taylor polynomial of degree 5: the next term is below 1e-7.
 */
function subtractStep(parameter: usize, tile: usize, bytes: usize, sums: usize): void {
  const one = constant(tile, ONE);
  const half = constant(tile, HALF);
  const sixth = constant(tile, SIXTH);
  const twentyFourth = constant(tile, TWENTY_FOURTH);
  const hundredTwentieth = constant(tile, HUNDRED_TWENTIETH);
  let squares = f32x4.splat(0);
  let updates = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    const y = v128.load(tile + at, MAGNITUDE);
    const y2 = f32x4.mul(y, y);
    const high = madd(y2, madd(y, hundredTwentieth, twentyFourth), madd(y, sixth, half));
    const power = madd(y2, high, f32x4.add(y, one));
    const update = f32x4.mul(v128.load(tile + at, DIRECTION), power);
    const p = f32x4.sub(v128.load(parameter + at), update);
    v128.store(parameter + at, p);
    squares = madd(p, p, squares);
    updates = madd(update, update, updates);
  }
  accumulate(sums + NEXT_PARAMETER_SQUARE, squares);
  accumulate(sums + UPDATE_SQUARE, updates);
}

/** Sums of differences from the mean, of all four moments, where variances cannot be had without. */
function sumDeviations(job: usize, offset: usize, n: i32, sums: usize): void {
  for (let plane = 0; plane < 4; plane++) {
    const center = f32x4.splat(centerOf(job, plane));
    let values = momentsOf(job, plane) + offset;
    let sum = f32x4.splat(0);
    let square = f32x4.splat(0);
    for (let left = n; left > 0; left -= 4, values += 16) {
      let difference = f32x4.sub(v128.load(values), center);
      if (left < 4) difference = v128.and(difference, firstLanes(left));
      sum = f32x4.add(sum, difference);
      square = madd(difference, difference, square);
    }
    accumulate(sums + DEVIATION + ofDecay(plane), sum);
    accumulate(sums + DEVIATION_SQUARE + ofDecay(plane), square);
  }
}
