/** The network per tensor, all tensors at once, in four dispatches (SPEC sections 7 and 8). */
import {
  type ControllerInputs,
  type ControllerOutputs,
  type DeviceTheta,
  MLP_ROW,
  STATISTICS,
  STATISTICS_LENGTH,
} from '@velojs/core';
import { LOG_EPSILON, RSQRT_FLOOR } from '@velojs/core/constants';
import { NO_FAULT } from '../faults.ts';
import { FUNCTIONS } from '../functions.ts';
import type { Gpu } from '../gpu.ts';
import type { Region } from '../memory.ts';
import type { Program } from '../program.ts';
import type { WebgpuTensor } from '../tensor.ts';

const FEATURES = 30;
/** Features that all tensors have in common come first. */
const COMMON = 18;
const OWN = FEATURES - COMMON;
const RANKS = 5;

const THREADS = 128;
/** A workgroup of a product makes so many columns of so many rows; its threads share out the columns, and each column's sum. */
const COLUMNS = 8;
const ROWS = 4;
const LANES = THREADS / COLUMNS;
/** Tensors whose features a workgroup holds at a time. */
const CHUNK = 64;

/**
 * Mixing and LSTM input are linear in a row, and so are controls and bank; folded (`FoldedTheta` of core) they are
 *
 *     pool   = max over tensors of relu(X W_pool + b_pool)
 *     shared = pool W_x + (b_keep W_x + b_lstm)
 *     gates  = X (W_keep W_x) + h W_h + shared, then the LSTM
 *     mlp    = h (100/K W_controls bank) + 100/K b_controls bank
 *
 * Weights are read once for every `ROWS` tensors. Hidden state and cell stay what they were where there is a fault.
 */
export function controller(
  gpu: Gpu,
  { statistics, ranks, common, hidden, cell }: ControllerInputs<WebgpuTensor>,
  theta: DeviceTheta<WebgpuTensor>,
): ControllerOutputs<WebgpuTensor> {
  const { recorder } = gpu;
  const { poolWeight, poolBias, inputWeight, recurrentWeight, hiddenSize: H } = theta;
  const { featureGates, gateBias, heads, headsBias } = theta.folded;
  const n = hidden.shape[0]!;
  return gpu.scope(() => {
    const outputs = { mlp: gpu.create([n, MLP_ROW]), hidden: gpu.create([n, H]), cell: gpu.create([n, H]) };
    const pool = recorder.allocate(H);
    /** `shared`, then X. */
    const scratch = recorder.allocate(4 * H + n * FEATURES);
    const run = (program: Program, regions: readonly Region[], params: readonly number[], workgroups: number) =>
      recorder.dispatch(
        program,
        regions.map(({ memory }) => memory),
        params,
        workgroups,
      );
    const regionsOf = (...tensors: WebgpuTensor[]) => tensors.map(({ region }) => region);
    const offsets = (regions: readonly Region[]) => regions.map(({ offset }) => offset);
    const tiles = (rows: number, columns: number) => Math.ceil(rows / ROWS) * Math.ceil(columns / COLUMNS);
    const product = (x: Region, weight: WebgpuTensor, bias: WebgpuTensor, result: Region, rows: number) => {
      const [inner, columns] = weight.shape as [number, number];
      const read = [x, ...regionsOf(weight, bias)];
      run(productProgram, [...read, result], [rows, inner, columns, ...offsets(read)], tiles(rows, columns));
    };

    const described = regionsOf(statistics, ranks, common, poolWeight, poolBias);
    run(poolProgram, [...described, scratch, pool], [n, H, ...offsets(described)], Math.ceil(H / COLUMNS));
    product(pool, inputWeight, gateBias, scratch, 1);
    const read = [...regionsOf(hidden, cell, featureGates, recurrentWeight), scratch];
    const written = regionsOf(outputs.hidden, outputs.cell);
    run(lstmProgram, [gpu.faults.flag, ...read, ...written], [n, H, ...offsets(read)], tiles(n, H));
    product(outputs.hidden.region, heads, headsBias, outputs.mlp.region, n);
    for (const region of [pool, scratch]) recorder.release(region);
    return { mlp: outputs.mlp, hidden: gpu.guarded(outputs.hidden), cell: gpu.guarded(outputs.cell) };
  });
}

const ENTRY = /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32)`;

/** X, written by the first workgroup, and the pool: every workgroup makes `COLUMNS` of it, its lanes share the tensors. */
const poolProgram: Program = {
  name: 'controller: pool',
  access: 'rrrrrww',
  code: /* wgsl */ `
@group(0) @binding(0) var<storage, read> statistics: array<f32>;
@group(0) @binding(1) var<storage, read> ranks: array<f32>;
@group(0) @binding(2) var<storage, read> commonFeatures: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(6) var<storage, read_write> pool: array<f32>;
struct Params { n: u32, H: u32, statistics: u32, ranks: u32, commonFeatures: u32, weight: u32, bias: u32 }
@group(1) @binding(0) var<uniform> params: Params;
${FUNCTIONS}
// L(x) = clip(ln(1e-8 + |10 x|), -5, 5) / 2
fn logMagnitude(x: f32) -> f32 { return clamp(accurateLog(${LOG_EPSILON} + abs(10 * x)), -5, 5) / 2; }

// Number k of those that are a tensor's own: mean of r, rank, variance of m, spread of r.
fn feature(tensor: u32, k: u32) -> f32 {
  if (k >= 1u && k <= ${RANKS}u) { return ranks[params.ranks + tensor * ${RANKS}u + k - 1u]; }
  let row = params.statistics + tensor * ${STATISTICS_LENGTH}u;
  // 1 / z^2: dividing by it, large parameters are no number too small for float32.
  let square = max(statistics[row + ${STATISTICS.parameterSquare.begin}u], ${RSQRT_FLOOR});
  // Quirk: r is scaled by z, as m is, not by z^2.
  if (k == 0u) { return logMagnitude(statistics[row + ${STATISTICS.secondMoment.begin}u] / sqrt(square)); }
  return logMagnitude(statistics[row + ${STATISTICS.momentumVariance.begin}u + k - ${1 + RANKS}u] / square);
}

fn weightAt(k: u32, column: u32) -> f32 { return weight[params.weight + k * params.H + column]; }

var<workgroup> features: array<vec4f, ${(CHUNK * OWN) / 4}>;
var<workgroup> largest: array<f32, ${THREADS}>;

${ENTRY} {
  let n = params.n;
  let column = id.x * ${COLUMNS}u + thread % ${COLUMNS}u;
  let lane = thread / ${COLUMNS}u;
  // Threads beyond the last column do what its own do.
  let read = min(column, params.H - 1u);
  // What all tensors have in common.
  var base = bias[params.bias + read];
  for (var k = 0u; k < ${COMMON}u; k++) { base += commonFeatures[params.commonFeatures + k] * weightAt(k, read); }
  var own: array<vec4f, ${OWN / 4}>;
  for (var j = 0u; j < ${OWN / 4}u; j++) {
    let k = ${COMMON}u + 4u * j;
    own[j] = vec4f(weightAt(k, read), weightAt(k + 1u, read), weightAt(k + 2u, read), weightAt(k + 3u, read));
  }
  var best = 0f;
  for (var begin = 0u; begin < n; begin += ${CHUNK}u) {
    let tensors = min(${CHUNK}u, n - begin);
    workgroupBarrier();
    for (var i = thread; i < tensors * ${OWN / 4}u; i += ${THREADS}u) {
      let tensor = begin + i / ${OWN / 4}u;
      let k = 4u * (i % ${OWN / 4}u);
      let four = vec4f(feature(tensor, k), feature(tensor, k + 1u), feature(tensor, k + 2u), feature(tensor, k + 3u));
      features[i] = four;
      if (id.x == 0u) {
        let row = 4u * params.H + tensor * ${FEATURES}u + ${COMMON}u + k;
        for (var j = 0u; j < 4u; j++) { scratch[row + j] = four[j]; }
      }
    }
    workgroupBarrier();
    for (var i = lane; i < tensors; i += ${LANES}u) {
      var opinion = base;
      for (var j = 0u; j < ${OWN / 4}u; j++) { opinion += dot(features[i * ${OWN / 4}u + j], own[j]); }
      best = max(best, opinion);
    }
  }
  if (id.x == 0u) {
    for (var i = thread; i < n * ${COMMON}u; i += ${THREADS}u) {
      let k = i % ${COMMON}u;
      scratch[4u * params.H + (i / ${COMMON}u) * ${FEATURES}u + k] = commonFeatures[params.commonFeatures + k];
    }
  }
  largest[thread] = best;
  workgroupBarrier();
  if (lane == 0u && column < params.H) {
    for (var i = 1u; i < ${LANES}u; i++) { best = max(best, largest[i * ${COLUMNS}u + thread]); }
    pool[column] = best;
  }
}`,
};

/**
 * The loop of a product: a workgroup goes through `inner` a slice of `THREADS` at a time. `x(row, k)` is what its
 * rows have there, in `work` as vectors; `each` is done for every `k` of a lane, with that of `k` as `four`.
 */
const overSlices = (inner: string, each: string) => /* wgsl */ `
  for (var begin = 0u; begin < ${inner}; begin += ${THREADS}u) {
    workgroupBarrier();
    let mine = begin + thread;
    work[thread] = vec4f(x(rows, mine), x(rows + 1u, mine), x(rows + 2u, mine), x(rows + 3u, mine));
    workgroupBarrier();
    let slice = min(${THREADS}u, ${inner} - begin);
    for (var i = lane; i < slice; i += ${LANES}u) {
      let k = begin + i;
      let four = work[i];
      ${each}
    }
  }
  workgroupBarrier();`;

/** Which columns and rows a workgroup makes: neighbours share the rows. */
const tile = (columns: string) => /* wgsl */ `
  let across = (${columns} + ${COLUMNS - 1}u) / ${COLUMNS}u;
  let number = id.x + id.y * count.x;
  let rows = (number / across) * ${ROWS}u;
  let firstColumn = (number % across) * ${COLUMNS}u;
  let lane = thread / ${COLUMNS}u;
  // Threads beyond the last column do what its own do.
  let column = min(firstColumn + thread % ${COLUMNS}u, ${columns} - 1u);`;

const productProgram: Program = {
  name: 'controller: product',
  access: 'rrrw',
  code: /* wgsl */ `
@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
struct Params { n: u32, inner: u32, columns: u32, left: u32, weight: u32, bias: u32 }
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> work: array<vec4f, ${THREADS}>;

fn x(row: u32, k: u32) -> f32 {
  if (row >= params.n || k >= params.inner) { return 0; }
  return left[params.left + row * params.inner + k];
}

${ENTRY} {
  ${tile('params.columns')}
  var sums = vec4f();
  ${overSlices('params.inner', 'sums += weight[params.weight + k * params.columns + column] * four;')}
  work[thread] = sums;
  workgroupBarrier();
  let row = thread / ${COLUMNS}u;
  let mine = firstColumn + thread % ${COLUMNS}u;
  if (row >= ${ROWS}u || rows + row >= params.n || mine >= params.columns) { return; }
  var sum = 0f;
  for (var i = 0u; i < ${LANES}u; i++) { sum += work[i * ${COLUMNS}u + thread % ${COLUMNS}u][row]; }
  result[(rows + row) * params.columns + mine] = sum + bias[params.bias + mine];
}`,
};

const rowNumbers = Array.from({ length: ROWS }, (_, row) => row);

/** Columns are units of the LSTM here; a thread sums its unit's four gates as one vector. */
const lstmProgram: Program = {
  name: 'controller: lstm',
  access: 'rrrrrrww',
  code: /* wgsl */ `
@group(0) @binding(0) var<storage, read> flag: array<u32>;
@group(0) @binding(1) var<storage, read> hidden: array<f32>;
@group(0) @binding(2) var<storage, read> cell: array<f32>;
@group(0) @binding(3) var<storage, read> featureGates: array<f32>;
@group(0) @binding(4) var<storage, read> recurrentWeight: array<f32>;
@group(0) @binding(5) var<storage, read> scratch: array<f32>;
@group(0) @binding(6) var<storage, read_write> nextHidden: array<f32>;
@group(0) @binding(7) var<storage, read_write> nextCell: array<f32>;
struct Params { n: u32, H: u32, hidden: u32, cell: u32, featureGates: u32, recurrentWeight: u32 }
@group(1) @binding(0) var<uniform> params: Params;
${FUNCTIONS}
var<workgroup> work: array<vec4f, ${ROWS * THREADS}>;

// The features of a tensor, then its hidden state.
fn x(row: u32, k: u32) -> f32 {
  if (row >= params.n || k >= ${FEATURES}u + params.H) { return 0; }
  if (k < ${FEATURES}u) { return scratch[4u * params.H + row * ${FEATURES}u + k]; }
  return hidden[params.hidden + row * params.H + k - ${FEATURES}u];
}

${ENTRY} {
  let H = params.H;
  ${tile('H')}
  ${rowNumbers.map((row) => `var gates${row} = vec4f();`).join('\n  ')}
  ${overSlices(
    `(${FEATURES}u + H)`,
    `var w: vec4f;
      if (k < ${FEATURES}u) {
        let at = params.featureGates + k * 4u * H + column;
        w = vec4f(featureGates[at], featureGates[at + H], featureGates[at + 2u * H], featureGates[at + 3u * H]);
      } else {
        let at = params.recurrentWeight + (k - ${FEATURES}u) * 4u * H + column;
        w = vec4f(recurrentWeight[at], recurrentWeight[at + H], recurrentWeight[at + 2u * H], recurrentWeight[at + 3u * H]);
      }
      ${rowNumbers.map((row) => `gates${row} += w * four[${row}];`).join('\n      ')}`,
  )}
  ${rowNumbers.map((row) => `work[${row * THREADS}u + thread] = gates${row};`).join('\n  ')}
  workgroupBarrier();
  let row = thread / ${COLUMNS}u;
  let unit = firstColumn + thread % ${COLUMNS}u;
  if (row >= ${ROWS}u || rows + row >= params.n || unit >= H) { return; }
  var gates = vec4f(scratch[unit], scratch[H + unit], scratch[2u * H + unit], scratch[3u * H + unit]);
  for (var i = 0u; i < ${LANES}u; i++) { gates += work[row * ${THREADS}u + i * ${COLUMNS}u + thread % ${COLUMNS}u]; }

  let at = (rows + row) * H + unit;
  let before = cell[params.cell + at];
  // Gates i, g, f, o. Quirk: 1 is added to f at run time, on top of the stored bias.
  let next = accurateSigmoid(gates.z + 1) * before + accurateSigmoid(gates.x) * accurateTanh(gates.y);
  let isSound = flag[0] == ${NO_FAULT}u;
  nextCell[at] = select(before, next, isSound);
  nextHidden[at] = select(hidden[params.hidden + at], accurateSigmoid(gates.w) * accurateTanh(next), isSound);
}`,
};

export const controllerPrograms: readonly Program[] = [poolProgram, productProgram, lstmProgram];
