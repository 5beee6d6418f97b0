/** The contract's operations, one program each: what a kernel does not do yet, or the host asks for once. */
import {
  type Backend,
  type BinaryOp,
  geometryOf,
  type ReduceOp,
  type Shape,
  sizeOf,
  type UnaryOp,
  VeloError,
} from '@velojs/core';
import {
  broadcastShape,
  checkExpansion,
  concatenatedShape,
  productShape,
  reducedShape,
  slicedShape,
  stridesIn,
} from '@velojs/core/typed-arrays';
import { FUNCTIONS } from './functions.ts';
import type { Gpu } from './gpu.ts';
import type { Region } from './memory.ts';
import type { Program } from './program.ts';
import { floatBits } from './recorder.ts';
import type { WebgpuTensor } from './tensor.ts';

type Operations = Pick<
  Backend<WebgpuTensor>,
  'unary' | 'binary' | 'reduce' | 'matmul' | 'reshape' | 'expand' | 'slice' | 'concat'
>;

const unaryExpressions: Readonly<Record<UnaryOp, string>> = {
  abs: 'abs(x)',
  exp: 'accurateExp(x)',
  log: 'accurateLog(x)',
  relu: 'max(x, 0)',
  rsqrt: 'inverseSqrt(x)',
  sigmoid: 'accurateSigmoid(x)',
  sqrt: 'sqrt(x)',
  square: 'x * x',
  tanh: 'accurateTanh(x)',
};

const binaryExpressions: Readonly<Record<BinaryOp, string>> = {
  add: 'a + b',
  div: 'a / b',
  max: 'max(a, b)',
  min: 'min(a, b)',
  mul: 'a * b',
  sub: 'a - b',
};

/** `join` takes an entry in, beginning with `start`; `finish` is told how many there were. */
const reductions: Readonly<Record<ReduceOp, { start: number; join: string; finish: string }>> = {
  max: { start: Number.NEGATIVE_INFINITY, join: 'max(a, b)', finish: 'a' },
  mean: { start: 0, join: 'a + b', finish: 'a / count' },
};

const THREADS = 64;
/** Entries that a workgroup of most programs writes. */
const ENTRIES = 256;
/** Entries that one thread adds up, one after the other. */
const SERIAL = 64;
/** Axes that fit into `params` beside what else is there. */
const MAX_AXES = 12;

/** An axis, and how far each of two tensors advances along it. */
interface Axis {
  readonly size: number;
  readonly steps: readonly [number, number];
}

/** @throws VeloError `SHAPE_MISMATCH`, `EMPTY_TENSOR`, `TENSOR_TOO_LARGE`, `DISPOSED` (all of them) */
export function createOperations(gpu: Gpu): Operations {
  const { recorder } = gpu;

  /** A new tensor that `program` writes, 256 entries per workgroup. */
  function compute(
    shape: Shape,
    program: Program,
    regions: readonly Region[],
    params: readonly number[],
  ): WebgpuTensor {
    return gpu.scope(() => {
      const result = gpu.create(shape);
      const memories = [...regions, result.region].map(({ memory }) => memory);
      recorder.dispatch(program, memories, params, Math.ceil(sizeOf(shape) / ENTRIES));
      return result;
    });
  }

  function unary(op: UnaryOp, x: WebgpuTensor): WebgpuTensor {
    const { region } = x;
    return compute(x.shape, unaryPrograms[op], [region], [region.length, region.offset]);
  }

  function binary(op: BinaryOp, a: WebgpuTensor | number, b: WebgpuTensor | number): WebgpuTensor {
    if (typeof a === 'number' || typeof b === 'number') {
      const [x, number] = typeof a === 'number' ? [b, a] : [a, b];
      if (typeof x === 'number' || typeof number !== 'number') throw mismatch('At most one argument is a number');
      const { region } = x;
      const params = [region.length, region.offset, floatBits(number), x === b ? 1 : 0];
      return compute(x.shape, numberPrograms[op], [region], params);
    }
    const shape = broadcastShape(a.shape, b.shape);
    const [left, right] = [stridesIn(shape, a.shape), stridesIn(shape, b.shape)];
    const axes = joinAxes(shape.map((size, i) => ({ size, steps: [left[i]!, right[i]!] })));
    const params = walkParams(axes, a.region.offset, b.region.offset);
    return compute(shape, binaryPrograms[op], [a.region, b.region], params);
  }

  function reduce(op: ReduceOp, x: WebgpuTensor, axes: readonly number[]): WebgpuTensor {
    const shape = reducedShape(x.shape, axes);
    const steps = stridesIn(x.shape, x.shape);
    const select = (reduced: boolean) =>
      joinAxes(
        x.shape.flatMap((size, i): Axis[] => (axes.includes(i) === reduced ? [{ size, steps: [steps[i]!, 0] }] : [])),
      );
    const count = sizeOf(x.shape) / sizeOf(shape);
    if (count === 1) return gpu.alias(x, shape);
    const { region } = x;
    return gpu.scope(() => {
      const result = gpu.create(shape);
      reduceRegion(op, region, select(false), select(true), count, result.region);
      return result;
    });
  }

  /** `to` takes the reduction of `from` over the axes `reduced`; in stages where one would not do. */
  function reduceRegion(
    op: ReduceOp,
    from: Region,
    kept: readonly Axis[],
    reduced: readonly Axis[],
    count: number,
    to: Region,
  ): void {
    checkAxes(kept.length + reduced.length);
    const length = reduced.reduce((product, { size }) => product * size, 1);
    // Neighbouring threads read neighbouring entries: each its own output where the innermost axis is kept.
    const isSerial = length <= SERIAL || (to.length >= THREADS && kept.at(-1)!.steps[0] === 1);
    const chunk = isSerial ? SERIAL : SERIAL * THREADS;
    const chunks = Math.ceil(length / chunk);
    const target = chunks === 1 ? to : recorder.allocate(chunks * to.length);
    const { start } = reductions[op];
    const params = [
      ...[to.length, length, chunk, from.offset],
      ...[kept.length, reduced.length, floatBits(start), floatBits(chunks === 1 ? count : 1)],
      ...[...kept.toReversed(), ...reduced.toReversed()].flatMap(({ size, steps: [step] }) => [size, step, 0, 0]),
    ];
    const program = (isSerial ? serialReductions : treeReductions)[op];
    const workgroups = isSerial ? Math.ceil(target.length / THREADS) : target.length;
    recorder.dispatch(program, [from.memory, target.memory], params, workgroups);
    if (target === to) return;
    const outputs: Axis = { size: to.length, steps: [1, 0] };
    reduceRegion(op, target, [outputs], [{ size: chunks, steps: [to.length, 0] }], count, to);
    recorder.release(target);
  }

  function matmul(a: WebgpuTensor, b: WebgpuTensor): WebgpuTensor {
    const [n, m] = productShape(a.shape, b.shape);
    const columns = Math.ceil(m / TILE);
    return gpu.scope(() => {
      const [left, right, result] = [a.region, b.region, gpu.create([n, m])];
      recorder.dispatch(
        matmulProgram,
        [left.memory, right.memory, result.region.memory],
        [n, a.shape[1]!, m, columns, left.offset, right.offset],
        Math.ceil(n / TILE) * columns,
      );
      return result;
    });
  }

  function reshape(x: WebgpuTensor, shape: Shape): WebgpuTensor {
    if (sizeOf(shape) !== sizeOf(x.shape)) throw mismatch(`[${x.shape}] cannot be seen as [${shape}]`);
    return gpu.alias(x, shape);
  }

  function expand(x: WebgpuTensor, shape: Shape): WebgpuTensor {
    checkExpansion(x.shape, shape);
    if (geometryOf(shape).size === sizeOf(x.shape)) return gpu.alias(x, shape);
    const { region } = x;
    return gpu.scope(() => {
      const result = gpu.create(shape);
      move(shape, region, stridesIn(shape, x.shape), result.region, stridesIn(shape, shape));
      return result;
    });
  }

  function slice(x: WebgpuTensor, axis: number, begin: number, end: number): WebgpuTensor {
    const shape = slicedShape(x.shape, axis, begin, end);
    const skipped = begin * sizeOf(x.shape.slice(axis + 1));
    if (sizeOf(x.shape.slice(0, axis)) === 1) return gpu.alias(x, shape, skipped);
    const { region } = x;
    return gpu.scope(() => {
      const result = gpu.create(shape);
      move(shape, region, stridesIn(x.shape, x.shape), result.region, stridesIn(shape, shape), skipped);
      return result;
    });
  }

  function concat(xs: readonly WebgpuTensor[], axis: number): WebgpuTensor {
    const shape = concatenatedShape(
      xs.map(({ shape }) => shape),
      axis,
    );
    const regions = xs.map(({ region }) => region);
    const isConsecutive = sizeOf(shape.slice(0, axis)) === 1;
    return gpu.scope(() => {
      const result = gpu.create(shape);
      const { memory } = result.region;
      const steps = stridesIn(shape, shape);
      let offset = 0;
      for (const [i, x] of xs.entries()) {
        const from = regions[i]!;
        if (isConsecutive) recorder.copy(from, { memory, offset, length: from.length });
        else move(x.shape, from, stridesIn(x.shape, x.shape), result.region, steps, 0, offset);
        offset += x.shape[axis]! * sizeOf(shape.slice(axis + 1));
      }
      return result;
    });
  }

  /** Copies `shape` entries between regions with steps of their own. */
  function move(
    shape: Shape,
    from: Region,
    fromSteps: readonly number[],
    to: Region,
    toSteps: readonly number[],
    fromOffset = 0,
    toOffset = 0,
  ): void {
    const axes = joinAxes(shape.map((size, i) => ({ size, steps: [fromSteps[i]!, toSteps[i]!] })));
    const params = walkParams(axes, from.offset + fromOffset, to.offset + toOffset);
    recorder.dispatch(moveProgram, [from.memory, to.memory], params, Math.ceil(sizeOf(shape) / ENTRIES));
  }

  return { unary, binary, reduce, matmul, reshape, expand, slice, concat };
}

function checkAxes(count: number): void {
  if (count > MAX_AXES) throw mismatch(`More than ${MAX_AXES} axes that memory parts are too many`);
}

const mismatch = (what: string) => new VeloError('SHAPE_MISMATCH', `${what}.`);

/** The axes, outermost first, with those joined that memory does not part, and without those of size 1. */
function joinAxes(axes: readonly Axis[]): Axis[] {
  const joined: Axis[] = [];
  for (const axis of axes) {
    const { size, steps } = axis;
    if (size === 1) continue;
    const outer = joined.at(-1);
    if (outer && steps.every((step, i) => outer.steps[i] === step * size)) {
      joined[joined.length - 1] = { size: outer.size * size, steps };
    } else joined.push(axis);
  }
  return joined.length > 0 ? joined : [{ size: 1, steps: [0, 0] }];
}

/** What `walk` reads. */
function walkParams(axes: readonly Axis[], ...offsets: [number, number]): number[] {
  checkAxes(axes.length);
  const length = axes.reduce((product, { size }) => product * size, 1);
  return [length, axes.length, ...offsets, ...axes.toReversed().flatMap(({ size, steps }) => [size, ...steps, 0])];
}

const PARAMS = '@group(1) @binding(0) var<uniform> params: array<vec4u, 16>;';

/** Where two tensors stand at entry `i` of the axes in `params`. */
const WALK = /* wgsl */ `
fn walk(i: u32) -> vec2u {
  let rank = params[0].y;
  var at = params[0].zw;
  var rest = i;
  for (var axis = 1u; axis < rank; axis++) {
    at += (rest % params[axis].x) * params[axis].yz;
    rest /= params[axis].x;
  }
  return at + rest * params[rank].yz;
}`;

/** `statement` runs for every `i` below the first word of `params`. */
const forEveryEntry = (statement: string) => /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32) {
  let begin = (id.x + id.y * count.x) * ${ENTRIES}u + thread;
  for (var i = begin; i < min(begin + ${ENTRIES}u, params[0].x); i += ${THREADS}u) { ${statement} }
}`;

const perOp = <Op extends string, Entry>(
  table: Readonly<Record<Op, Entry>>,
  program: (op: Op, entry: Entry) => Program,
) =>
  Object.fromEntries(Object.entries<Entry>(table).map(([op, entry]) => [op, program(op as Op, entry)])) as Record<
    Op,
    Program
  >;

const unaryPrograms = perOp(unaryExpressions, (op, expression) => ({
  name: op,
  access: 'rw',
  code: `
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
${PARAMS}
${FUNCTIONS}
fn apply(x: f32) -> f32 { return ${expression}; }
${forEveryEntry('output[i] = apply(input[params[0].y + i]);')}`,
}));

/** With a number, which stands on the left where the fourth word says so. */
const numberPrograms = perOp(binaryExpressions, (op, expression) => ({
  name: `${op} with a number`,
  access: 'rw',
  code: `
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
${PARAMS}
fn apply(a: f32, b: f32) -> f32 { return ${expression}; }
${forEveryEntry(`
    let x = input[params[0].y + i];
    let number = bitcast<f32>(params[0].z);
    let onLeft = params[0].w == 1;
    output[i] = apply(select(x, number, onLeft), select(number, x, onLeft));
`)}`,
}));

const binaryPrograms = perOp(binaryExpressions, (op, expression) => ({
  name: op,
  access: 'rrw',
  code: `
@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
${PARAMS}
${WALK}
fn apply(a: f32, b: f32) -> f32 { return ${expression}; }
${forEveryEntry('let at = walk(i); output[i] = apply(left[at.x], right[at.y]);')}`,
}));

/** Moves bits, so that whatever they mean arrives. */
const moveProgram: Program = {
  name: 'move',
  access: 'rw',
  code: `
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;
${PARAMS}
${WALK}
${forEveryEntry('let at = walk(i); output[at.y] = input[at.x];')}`,
};

/**
 * params: outputs, entries per output, entries per chunk, where the input begins; kept axes, reduced axes, what to
 * start from, what to divide by; then the axes, innermost first. Chunk c of output o is written to c * outputs + o.
 */
const reductionHead = ({ join, finish }: { join: string; finish: string }) => `
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
${PARAMS}
fn join(a: f32, b: f32) -> f32 { return ${join}; }
fn finish(a: f32, count: f32) -> f32 { return ${finish}; }
fn walk(i: u32, first: u32, rank: u32) -> u32 {
  var rest = i;
  var at = 0u;
  for (var axis = first; axis < first + rank - 1; axis++) {
    at += (rest % params[axis].x) * params[axis].y;
    rest /= params[axis].x;
  }
  return at + rest * params[first + rank - 1].y;
}
/** Entries begin to end, in steps, of an output. */
fn reduced(index: u32, skipped: u32, step: u32) -> f32 {
  let base = params[0].w + walk(index % params[0].x, 2, params[1].x);
  let begin = index / params[0].x * params[0].z;
  let end = min(begin + params[0].z, params[0].y);
  var sum = bitcast<f32>(params[1].z);
  for (var r = begin + skipped; r < end; r += step) { sum = join(sum, input[base + walk(r, 2 + params[1].x, params[1].y)]); }
  return sum;
}`;

/** One thread per chunk of an output. */
const serialReductions = perOp(reductions, (op, reduction) => ({
  name: `${op} per thread`,
  access: 'rw',
  code: `${reductionHead(reduction)}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (id.x + id.y * count.x) * ${THREADS}u + thread;
  let chunks = (params[0].y + params[0].z - 1) / params[0].z;
  if (index < params[0].x * chunks) { output[index] = finish(reduced(index, 0, 1), bitcast<f32>(params[1].w)); }
}`,
}));

/** One workgroup per chunk of an output; its threads' results are joined as a tree. */
const treeReductions = perOp(reductions, (op, reduction) => ({
  name: `${op} per workgroup`,
  access: 'rw',
  code: `${reductionHead(reduction)}
var<workgroup> partial: array<f32, ${THREADS}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = id.x + id.y * count.x;
  let chunks = (params[0].y + params[0].z - 1) / params[0].z;
  if (index >= params[0].x * chunks) { return; }
  partial[thread] = reduced(index, thread, ${THREADS});
  for (var half = ${THREADS / 2}u; half > 0; half /= 2) {
    workgroupBarrier();
    if (thread < half) { partial[thread] = join(partial[thread], partial[thread + half]); }
  }
  if (thread == 0) { output[index] = finish(partial[0], bitcast<f32>(params[1].w)); }
}`,
}));

/** A workgroup computes TILE x TILE entries, a thread 4 x 4 of them. */
const TILE = 32;
const DEPTH = 16;

/** params: n, k, m, tiles in a row of tiles; where a and b begin. */
const matmulProgram: Program = {
  name: 'matmul',
  access: 'rrw',
  code: `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> product: array<f32>;
${PARAMS}
var<workgroup> left: array<f32, ${TILE * DEPTH}>;
var<workgroup> right: array<f32, ${TILE * DEPTH}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32) {
  let n = params[0].x;
  let k = params[0].y;
  let m = params[0].z;
  let tile = id.x + id.y * count.x;
  let row = tile / params[0].w * ${TILE};
  let column = tile % params[0].w * ${TILE};
  if (row >= n) { return; }
  let i = thread / 8 * 4;
  let j = thread % 8 * 4;
  var sums: array<vec4f, 4>;
  for (var begin = 0u; begin < k; begin += ${DEPTH}) {
    for (var at = thread; at < ${TILE * DEPTH}; at += ${THREADS}) {
      let leftRow = row + at / ${DEPTH};
      let leftColumn = begin + at % ${DEPTH};
      var value = 0f;
      if (leftRow < n && leftColumn < k) { value = a[params[1].x + leftRow * k + leftColumn]; }
      left[at] = value;
      let rightRow = begin + at / ${TILE};
      let rightColumn = column + at % ${TILE};
      value = 0;
      if (rightRow < k && rightColumn < m) { value = b[params[1].y + rightRow * m + rightColumn]; }
      right[at] = value;
    }
    workgroupBarrier();
    for (var p = 0u; p < ${DEPTH}; p++) {
      let at = p * ${TILE} + j;
      let four = vec4f(right[at], right[at + 1], right[at + 2], right[at + 3]);
      for (var r = 0u; r < 4; r++) { sums[r] += left[(i + r) * ${DEPTH} + p] * four; }
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < 4; r++) {
    for (var c = 0u; c < 4; c++) {
      if (row + i + r < n && column + j + c < m) { product[(row + i + r) * m + column + j + c] = sums[r][c]; }
    }
  }
}`,
};
