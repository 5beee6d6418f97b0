/**
 * Everything that is constant over a tensor goes into the weights of its network (SPEC section 11): the normalisers of
 * the 30 inputs, s, the scale of the parameter. What is constant along a row or a column, 12 of the 30 inputs, becomes a
 * share of the first layer's four sums, worked out here once per row and column.
 *
 * Every workgroup of a slot adds up its sums; then each does a piece of the rows and columns.
 */
import { MLP_LAYOUT } from '@velojs/core';
import type { Program } from '../program.ts';
import { MOMENT } from './moments.ts';
import {
  entryPoint,
  FACTOR_WORDS,
  FOLD_FOURS,
  FOLD_PIECE,
  MOMENT_WORDS,
  shaderOverSlots,
  FOLD_THREADS as T,
} from './slots.ts';

/** The 18 inputs that differ from entry to entry, as columns of the 30; the folded network has them in this order. */
const COLUMNS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 27, 28, 29];
/** The fours of a folded network in `tables`. */
export const FOLDED = {
  weight0: 0,
  /** Of v and rsqrt(v + 1e-8) of vectors, three each. */
  weightV: 18,
  bias0: 24,
  weight1: 25,
  bias1: 29,
  weight2: 30,
  bias2: 32,
  /** Of m and r: means, and variances. */
  mean: 33,
  variance: 34,
} as const;

const { bias0, weight1, bias1, weight2, bias2, stepFactor } = MLP_LAYOUT;
const lanes = T / MOMENT_WORDS;
/** Threads that add up the same quantity of rows and columns. */
const factorLanes = T / FACTOR_WORDS;

/** Mean square of column `thread`. */
const meanSquares = /* wgsl */ `
    let n = f32(slot.size);
    var square = 0.0;
    if (c == 0u) { square = totals[${MOMENT.gradientSquare}] / n; }
    else if (c == 1u) { square = totals[${MOMENT.clipSquare}] / n; }
    else if (c == 2u) { square = parameterSquare; }
    else if (c < 7u) {
      let mean = totals[${MOMENT.mean}u + c - 3u];
      square = mean * mean + totals[${MOMENT.deviation}u + c - 3u];
    }
    else if (c < 10u) { square = totals[${MOMENT.scaledMomentumSquare}u + c - 7u] / n; }
    else if (c == 10u) { square = totals[${MOMENT.inverseSquare}] / n; }
    else if (c < 14u) { square = totals[${MOMENT.factoredGradientSquare}u + c - 11u] / n; }
    else if (c == 14u) { square = totals[${MOMENT.scaledGradientSquare}] / n; }
    else if (c >= 27u) { square = totals[${MOMENT.factoredMomentumSquare}u + c - 27u] / n; }
    else {
      // v of rows and columns, then rsqrt(v + 1e-8) of both.
      let isInverse = c >= 21u;
      let k = (c - 15u) % 3u;
      if (slot.kind == 0u) {
        square = totals[select(${MOMENT.vSquare}u, ${MOMENT.vInverseSquare}u, isInverse) + k] / n;
      } else {
        let isRow = (c - 15u) / 3u % 2u == 0u;
        let length = select(slot.us, slot.vs, isRow != (slot.rowsAreU == 1u));
        square = factorTotals[select(8u, 0u, isRow) + select(0u, 3u, isInverse) + k] / f32(length);
      }
    }`;

export const foldProgram: Program = {
  name: 'fold',
  access: 'rrrrw',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> networks: array<f32>;
@group(0) @binding(2) var<storage, read> partials: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read_write> tables: array<vec4f>;

var<workgroup> parts: array<f32, ${T}>;
var<workgroup> squareParts: array<f32, ${T}>;
var<workgroup> rowParts: array<f32, ${T}>;
var<workgroup> columnParts: array<f32, ${T}>;
var<workgroup> totals: array<f32, ${MOMENT_WORDS}>;
var<workgroup> factorTotals: array<f32, 16>;
var<workgroup> weights: array<vec4f, 30>;

fn four(at: u32) -> vec4f { return vec4f(networks[at], networks[at + 1u], networks[at + 2u], networks[at + 3u]); }
${entryPoint(
  T,
  /* wgsl */ `
  if (workgroup >= params.workgroups) { return; }
  let j = slotOf(workgroup);
  let slot = slotAt(j);
  let piece = workgroup - slots[params.firsts + j];

  // Quantities of tiles: ${lanes} threads for each.
  let q = thread % ${MOMENT_WORDS}u;
  let isMean = q >= ${MOMENT.mean}u && q < ${MOMENT.deviation}u;
  let first = select(0.0, partials[slot.momentPartials + q], isMean);
  let countAt = ${MOMENT.count}u - q;
  var sum = 0.0;
  var square = 0.0;
  for (var tile = thread / ${MOMENT_WORDS}u; tile < slot.tiles; tile += ${lanes}u) {
    let at = slot.momentPartials + tile * ${MOMENT_WORDS}u + q;
    if (q <= ${MOMENT.count}u) {
      let d = partials[at] - first;
      let n = select(1.0, partials[at + countAt], isMean);
      sum += n * d;
      square += n * d * d;
    }
  }
  parts[thread] = sum;
  squareParts[thread] = square;
  // Of rows and columns: ${factorLanes} threads for each.
  var ofRows = 0.0;
  var ofColumns = 0.0;
  let factorAt = slot.factorPartials + thread % ${FACTOR_WORDS}u;
  if (thread % ${FACTOR_WORDS}u < 6u) {
    for (var i = thread / ${FACTOR_WORDS}u; i < slot.groups; i += ${factorLanes}u) {
      ofRows += partials[factorAt + i * ${FACTOR_WORDS}u];
    }
    for (var i = slot.groups + thread / ${FACTOR_WORDS}u; i < slot.groups + slot.pieces; i += ${factorLanes}u) {
      ofColumns += partials[factorAt + i * ${FACTOR_WORDS}u];
    }
  }
  rowParts[thread] = ofRows;
  columnParts[thread] = ofColumns;
  workgroupBarrier();
  if (thread < ${MOMENT_WORDS}u) {
    var total = 0.0;
    var totalSquare = 0.0;
    for (var k = thread; k < ${T}u; k += ${MOMENT_WORDS}u) {
      total += parts[k];
      totalSquare += squareParts[k];
    }
    if (isMean) {
      // The mean, and its share of the variance: that of the tiles' means.
      let shift = total / f32(slot.size);
      totals[thread] = first + shift;
      parts[thread] = max(totalSquare / f32(slot.size) - shift * shift, 0.0);
    } else {
      totals[thread] = total;
    }
  } else if (thread < ${MOMENT_WORDS + 16}u) {
    let k = thread - ${MOMENT_WORDS}u;
    var total = 0.0;
    for (var i = k % 8u; i < ${T}u; i += 8u) { total += select(columnParts[i], rowParts[i], k < 8u); }
    factorTotals[k] = total;
  }
  workgroupBarrier();
  if (thread < 4u) {
    let at = ${MOMENT.deviation}u + thread;
    totals[at] = totals[at] / f32(slot.size) + parts[${MOMENT.mean}u + thread];
  }
  workgroupBarrier();
  let network = slot.network;
  let parameterSquare = statistics[params.a + slot.statistics];
  if (thread < 30u) {
    let c = thread;
    ${meanSquares}
    let at = network + c;
    weights[c] = vec4f(networks[at], networks[at + 30u], networks[at + 60u], networks[at + 90u])
      * inverseSqrt(square + NORMALIZER_EPSILON);
  }
  workgroupBarrier();

  if (piece == 0u && thread < ${FOLD_FOURS}u) {
    // s, 0.001 and the scale of the parameter are in the output direction, 0.001 in the output magnitude.
    let scale = sqrt(parameterSquare + SCALE_EPSILON) * STEP * networks[network + ${stepFactor.begin}u];
    var columns = array<u32, ${COLUMNS.length}>(${COLUMNS.map((column) => `${column}u`).join(', ')});
    var x = vec4f();
    if (thread < ${FOLDED.weightV}u) { x = weights[columns[thread]]; }
    else if (thread < ${FOLDED.bias0}u) {
      let k = thread - ${FOLDED.weightV}u;
      let column = select(15u + k, 18u + k, k >= 3u);
      x = weights[column] + weights[column + 3u];
    }
    else if (thread == ${FOLDED.bias0}u) { x = four(network + ${bias0.begin}u); }
    else if (thread < ${FOLDED.bias1}u) { x = four(network + ${weight1.begin}u + 4u * (thread - ${FOLDED.weight1}u)); }
    else if (thread == ${FOLDED.bias1}u) { x = four(network + ${bias1.begin}u); }
    else if (thread == ${FOLDED.weight2}u) { x = scale * four(network + ${weight2.begin}u); }
    else if (thread == ${FOLDED.weight2 + 1}u) { x = MAGNITUDE * four(network + ${weight2.begin + 4}u); }
    else if (thread == ${FOLDED.bias2}u) {
      let at = network + ${bias2.begin}u;
      x = vec4f(scale * networks[at], MAGNITUDE * networks[at + 1u], 0.0, 0.0);
    }
    else if (thread <= ${FOLDED.variance}u) {
      let at = select(${MOMENT.mean}u, ${MOMENT.deviation}u, thread == ${FOLDED.variance}u);
      x = vec4f(totals[at], totals[at + 1u], totals[at + 2u], totals[at + 3u]);
    }
    tables[slot.fold + thread] = x;
  }
  if (slot.kind == 0u) { return; }

  // The first layer's biases come with the index u, so every entry meets them once.
  let bias = four(network + ${bias0.begin}u);
  let end = min((piece + 1u) * ${FOLD_PIECE}u, slot.us + slot.vs);
  for (var i = piece * ${FOLD_PIECE}u + thread; i < end; i += ${T}u) {
    let isU = i < slot.us;
    let at = select(slot.vTable + 2u * (i - slot.us), slot.uTable + 2u * i, isU) + 1u;
    let column = select(18u, 15u, isU == (slot.rowsAreU == 1u));
    let v = tables[at].xyz;
    let inverse = inverseSqrt(v + FACTORED_EPSILON);
    tables[at] = select(vec4f(), bias, isU)
      + v.x * weights[column] + v.y * weights[column + 1u] + v.z * weights[column + 2u]
      + inverse.x * weights[column + 6u] + inverse.y * weights[column + 7u] + inverse.z * weights[column + 8u];
  }`,
)}`),
};
