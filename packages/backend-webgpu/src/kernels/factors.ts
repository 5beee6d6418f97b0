/**
 * Factored second moments (SPEC section 9): adds up the parts of the sums, advances rows and columns, and leaves in
 * `tables`, for each row and column, its factor R or C in one four and its average, for `fold.ts`, in the next.
 */
import type { Program } from '../program.ts';
import { entryPoint, FACTOR_WORDS, PIECE, shaderOverSlots, FOLD_THREADS as T } from './slots.ts';

export const factorsProgram: Program = {
  name: 'factors',
  access: 'rrwwwr',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> tables: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
@group(0) @binding(5) var<storage, read> flag: array<u32>;

var<workgroup> parts: array<f32, ${9 * T}>;
var<workgroup> means: array<f32, 3>;
${entryPoint(
  T,
  /* wgsl */ `
  if (workgroup >= params.workgroups) { return; }
  let j = slotOf(workgroup);
  let slot = slotAt(j);
  let part = workgroup - slots[params.firsts + j];
  // Workgroups for rows have all that share a mean, those for columns have pieces.
  let isRow = part < slot.groups;
  let isU = isRow == (slot.rowsAreU == 1u);
  let total = select(slot.vs, slot.us, isU);
  var begin = (part - slot.groups) * ${PIECE}u;
  var stride = 1u;
  var length = min(${PIECE}u, total - begin);
  if (isRow) {
    let i = part % slot.inner;
    let block = part / slot.inner;
    if (isU) {
      begin = (block / slot.middle * slot.first * slot.middle + block % slot.middle) * slot.inner + i;
      stride = slot.middle * slot.inner;
      length = slot.first;
    } else {
      begin = block * slot.second * slot.inner + i;
      stride = slot.inner;
      length = slot.second;
    }
  }
  let averaged = f32(select(slot.first, slot.second, isU));
  let sumParts = select(slot.sumRowTiles, slot.sumStripTiles, isU);
  let sumsAt = select(slot.vSums, slot.uSums, isU);
  let stateAt = select(slot.columnsAt, slot.rowsAt, isRow);
  let tableAt = select(slot.vTable, slot.uTable, isU);
  let mayWrite = flag[0] == NO_FAULT;

  var sum = vec3f();
  var square = vec3f();
  var inverseSquare = vec3f();
  for (var n = thread; n < length; n += ${T}u) {
    let index = begin + n * stride;
    var fours = vec4f();
    var p = 0u;
    var at = sumsAt + index;
    for (; p + 4u <= sumParts; p += 4u) {
      fours += vec4f(sums[at], sums[at + total], sums[at + 2u * total], sums[at + 3u * total]);
      at += 4u * total;
    }
    for (; p < sumParts; p++) {
      fours.x += sums[at];
      at += total;
    }
    let e = dot(fours, vec4f(1.0)) / averaged + SQUARE_EPSILON;
    let to = stateAt + index;
    let v = DECAYS * vec3f(state[to], state[to + total], state[to + 2u * total]) + WEIGHTS * e;
    if (mayWrite) {
      state[to] = v.x;
      state[to + total] = v.y;
      state[to + 2u * total] = v.z;
    }
    tables[tableAt + 2u * index + 1u] = vec4f(v, 0.0);
    if (!isRow) { tables[tableAt + 2u * index] = vec4f(inverseSqrt(max(v, vec3f(FLOOR))), 0.0); }
    let inverse = inverseSqrt(v + FACTORED_EPSILON);
    sum += v;
    square += v * v;
    inverseSquare += inverse * inverse;
  }
  for (var k = 0u; k < 3u; k++) {
    parts[k * ${T}u + thread] = sum[k];
    parts[(3u + k) * ${T}u + thread] = square[k];
    parts[(6u + k) * ${T}u + thread] = inverseSquare[k];
  }
  workgroupBarrier();
  if (thread < 9u) {
    var fours = vec4f();
    for (var at = thread * ${T}u; at < (thread + 1u) * ${T}u; at += 4u) {
      fours += vec4f(parts[at], parts[at + 1u], parts[at + 2u], parts[at + 3u]);
    }
    let result = dot(fours, vec4f(1.0));
    if (thread < 3u) { means[thread] = result / f32(length); }
    else { partials[slot.factorPartials + part * ${FACTOR_WORDS}u + thread - 3u] = result; }
  }
  workgroupBarrier();
  if (isRow) {
    let mean = vec3f(means[0], means[1], means[2]) + ROW_MEAN_EPSILON;
    for (var n = thread; n < length; n += ${T}u) {
      let at = tableAt + 2u * (begin + n * stride);
      tables[at] = vec4f(inverseSqrt(max(tables[at + 1u].xyz / mean, vec3f(FLOOR))), 0.0);
    }
  }`,
)}`),
};
