/** The row of statistics of each tensor, of what was written (core's `statistics.ts`): a workgroup each. */
import { STATISTICS } from '@velojs/core';
import type { Program } from '../program.ts';
import { FOLDED } from './fold.ts';
import { entryPoint, shaderOverSlots, THREADS as T } from './slots.ts';

const { parameterSquare, secondMoment, momentumVariance, secondMomentSpread, updateSquare } = STATISTICS;
const lanes = T / 2;

export const statisticsProgram: Program = {
  name: 'statistics',
  access: 'rrrw',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> tables: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>;

var<workgroup> parts: array<f32, ${T}>;
${entryPoint(
  T,
  /* wgsl */ `
  if (workgroup >= params.count) { return; }
  let slot = slotAt(workgroup);
  var sum = 0.0;
  for (var tile = thread / 2u; tile < slot.tiles; tile += ${lanes}u) {
    sum += partials[slot.stepPartials + 2u * tile + thread % 2u];
  }
  parts[thread] = sum;
  workgroupBarrier();
  if (thread < 2u) {
    var total = 0.0;
    for (var k = thread; k < ${T}u; k += 2u) { total += parts[k]; }
    let column = select(${parameterSquare.begin}u, ${updateSquare.begin}u, thread == 1u);
    statistics[params.a + slot.statistics + column] = total / f32(slot.size);
  }
  if (thread == 2u) {
    let mean = tables[slot.fold + ${FOLDED.mean}u];
    let variance = tables[slot.fold + ${FOLDED.variance}u];
    let at = params.a + slot.statistics;
    statistics[at + ${secondMoment.begin}u] = mean.w;
    // mean (r - c)^2 = var r + (mean r - c)^2
    let distance = mean.w - mean.xyz;
    let spread = variance.w + distance * distance;
    for (var k = 0u; k < 3u; k++) {
      statistics[at + ${momentumVariance.begin}u + k] = variance[k];
      statistics[at + ${secondMomentSpread.begin}u + k] = spread[k];
    }
  }`,
)}`),
};
