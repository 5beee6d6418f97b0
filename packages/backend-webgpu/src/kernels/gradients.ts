/**
 * The first look at gradients: whether one is NaN, and for matrices the sums of their squares along rows and columns
 * (SPEC section 9), in as many parts as there are tiles across; `factors.ts` adds the parts up.
 */
import { geometryOf, type Shape } from '@velojs/core';
import { NO_FAULT } from '../faults.ts';
import type { Gpu } from '../gpu.ts';
import type { Memory, Region } from '../memory.ts';
import type { Program } from '../program.ts';
import type { Recorder } from '../recorder.ts';
import type { WebgpuTensor } from '../tensor.ts';
import { partition } from './homes.ts';
import { aligned, entryPoint, type Plan, planOf, SUM_TILE, shaderOverSlots, THREADS, uploadTable } from './slots.ts';

/** Gradients in one memory. */
export interface Placed {
  readonly memory: Memory;
  readonly offsets: readonly number[];
}

/** What the look has left for some gradients. */
export interface Sums {
  readonly gradients: readonly WebgpuTensor[];
  readonly placed: Placed;
  readonly memory: Memory;
  /** Where each one's sums along rows begin; those along columns follow. */
  readonly offsets: readonly number[];
}

const looks = new WeakMap<Gpu, { readonly recording: number; readonly sums: readonly Sums[] }>();

/** Marks check number `check` as bad where a gradient has NaN or the loss is not finite. */
export function lookAtGradients(
  gpu: Gpu,
  gradients: readonly WebgpuTensor[],
  loss: WebgpuTensor | undefined,
  check: number,
): void {
  const { recorder } = gpu;
  const groups = partition(
    gradients.map(({ shape }) => plan(shape)),
    recorder.pool.limit,
  );
  // The loss is looked at even if there is nothing else.
  if (groups.length === 0 && loss) groups.push([]);
  const sums = groups.map((group, i) => {
    const some = group.map((j) => gradients[j]!);
    return sumSquares(gpu, some, i === 0 ? loss?.region : undefined, check);
  });
  looks.set(gpu, { recording: recorder.recording, sums });
}

/** The sums of these gradients: those of the look that began the step, if it was at them. */
export function sumsOf(gpu: Gpu, gradients: readonly WebgpuTensor[]): Sums {
  const look = looks.get(gpu);
  const found =
    look?.recording === gpu.recorder.recording &&
    look.sums.find(
      (sums) => sums.gradients.length === gradients.length && sums.gradients.every((x, j) => x === gradients[j]),
    );
  return found || sumSquares(gpu, gradients, undefined, NO_FAULT);
}

/** Where gradients are if they are in one memory, else copies of them that are; away from `written` in any case. */
export function place(recorder: Recorder, gradients: readonly WebgpuTensor[], written?: Memory): Placed {
  const regions = gradients.map(({ region }) => region);
  const [first] = regions;
  if (first && first.memory.gpu !== written?.gpu && regions.every(({ memory }) => memory === first.memory)) {
    return { memory: first.memory, offsets: regions.map(({ offset }) => offset) };
  }
  const { memory, offsets } = layOut(
    recorder,
    regions.map(({ length }) => length),
  );
  for (const [j, region] of regions.entries()) {
    recorder.copy(region, { memory, offset: offsets[j]!, length: region.length });
  }
  return { memory, offsets };
}

/** Room for the rest of the recording, for arrays side by side. */
export function layOut(recorder: Recorder, lengths: readonly number[]): { memory: Memory; offsets: number[] } {
  let length = 0;
  const offsets = lengths.map((entries) => {
    const offset = length;
    length += aligned(entries);
    return offset;
  });
  return { memory: recorder.scratch(Math.max(length, 1)).memory, offsets };
}

const plan = (shape: Shape): Plan => planOf(geometryOf(shape));

function sumSquares(gpu: Gpu, gradients: readonly WebgpuTensor[], loss: Region | undefined, check: number): Sums {
  const { recorder, faults } = gpu;
  const plans = gradients.map(({ shape }) => plan(shape));
  const placed = place(recorder, gradients);
  const { memory, offsets } = layOut(
    recorder,
    plans.map(({ sums }) => sums),
  );
  const table = uploadTable(
    recorder,
    plans,
    plans.map(({ uSums }, j) => ({ gradient: placed.offsets[j]!, uSums: offsets[j]!, vSums: offsets[j]! + uSums })),
  );
  recorder.dispatch(
    gradientsProgram,
    [table.memory, placed.memory, loss?.memory ?? table.memory, memory, faults.flag.memory],
    [...table.params('sums'), check, loss ? 1 : 0, loss?.offset ?? 0],
    Math.max(table.workgroups.sums, 1),
  );
  return { gradients, placed, memory, offsets };
}

export const gradientsProgram: Program = {
  name: 'gradients',
  access: 'rrrww',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> gradients: array<u32>;
@group(0) @binding(2) var<storage, read> loss: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> flag: array<atomic<u32>>;

// Rows of the tile are one entry longer than it is wide: threads that read down a column meet different banks.
var<workgroup> tileSquares: array<f32, ${SUM_TILE + SUM_TILE / 4}>;
var<workgroup> parts: array<f32, ${THREADS}>;

fn isNaN(bits: vec4u) -> bool { return any((bits & vec4u(0x7fffffffu)) > vec4u(0x7f800000u)); }

fn squares(bits: vec4u) -> vec4f {
  let g = clamp(bitcast<vec4f>(bits), vec4f(-LIMIT), vec4f(LIMIT));
  return g * g;
}
${entryPoint(
  THREADS,
  /* wgsl */ `
  if (params.b == 1u && workgroup == 0u && thread == 0u && (loss[params.c] & 0x7f800000u) == 0x7f800000u) {
    atomicMin(&flag[0], params.a);
  }
  if (workgroup >= params.workgroups) { return; }
  let j = slotOf(workgroup);
  let slot = slotAt(j);
  let tile = workgroup - slots[params.firsts + j];
  var isBad = false;

  if (slot.sumSteps == 0u) {
    // A sum per thread, along rows and then along columns.
    let output = tile * ${THREADS}u + thread;
    var at = slot.gradient;
    var stride = slot.inner;
    var length = 0u;
    var to = slot.uSums + output;
    if (output < slot.us) {
      at += output / slot.inner * slot.width + output % slot.inner;
      length = slot.second;
    } else if (output < slot.us + slot.vs) {
      let v = output - slot.us;
      let block = v / slot.width;
      at += (block / slot.middle * slot.first * slot.middle + block % slot.middle) * slot.width + v % slot.width;
      stride = slot.middle * slot.width;
      length = slot.first;
      to = slot.vSums + v;
    }
    var sum = 0.0;
    for (var i = 0u; i < length; i++) {
      let bits = vec4u(gradients[at + i * stride], 0u, 0u, 0u);
      isBad = isBad || isNaN(bits);
      sum += squares(bits).x;
    }
    if (length > 0u) { sums[to] = sum; }
    if (isBad) { atomicMin(&flag[0], params.a); }
    return;
  }

  let stripTile = tile % slot.sumStripTiles;
  let rowTile = tile / slot.sumStripTiles % slot.sumRowTiles;
  let block = tile / slot.sumStripTiles / slot.sumRowTiles;
  let blockRow = block / slot.middle * slot.first * slot.middle + block % slot.middle;
  let columns = 1u << slot.lanes;
  let lane = thread & (columns - 1u);
  let group = thread >> slot.lanes;
  let groups = ${THREADS}u >> slot.lanes;
  let height = ${SUM_TILE}u >> slot.lanes;
  let isDown = slot.sumsDown == 1u;
  let pitch = columns + 1u;
  var column = 0.0;
  for (var step = 0u; step < slot.sumSteps; step++) {
    let strip = select(stripTile * slot.sumSteps + step, stripTile, isDown);
    let row0 = select(rowTile, rowTile * slot.sumSteps + step, isDown) * height;
    let w = strip * slot.sumWidth + lane;
    let isColumn = lane < slot.sumWidth && w < slot.width;
    let isFirst = isDown || step == 0u;
    for (var i = 0u; i < ${SUM_TILE / (4 * THREADS)}u; i++) {
      let row = (vec4u(0u, 1u, 2u, 3u) + 4u * i) * groups + group;
      let entry = (blockRow + (row0 + row) * slot.rowStep) * slot.width + w;
      let on = (row0 + row < vec4u(slot.rows)) & vec4<bool>(isColumn) & (entry < vec4u(slot.size));
      let at = slot.gradient + select(vec4u(0u), entry, on);
      let bits = select(vec4u(0u), vec4u(gradients[at.x], gradients[at.y], gradients[at.z], gradients[at.w]), on);
      isBad = isBad || isNaN(bits);
      let square = squares(bits);
      column += dot(square, vec4f(1.0));
      // Nobody else writes there; others read after the barrier.
      let to = row * pitch + lane;
      if (isFirst) {
        tileSquares[to.x] = square.x; tileSquares[to.y] = square.y;
        tileSquares[to.z] = square.z; tileSquares[to.w] = square.w;
      } else {
        tileSquares[to.x] += square.x; tileSquares[to.y] += square.y;
        tileSquares[to.z] += square.z; tileSquares[to.w] += square.w;
      }
    }
    if (slot.kind == 0u) { continue; }
    let isLast = step + 1u == slot.sumSteps;
    if (isDown || isLast) {
      workgroupBarrier();
      for (var output = thread; output < height * slot.inner; output += ${THREADS}u) {
        let row = output / slot.inner;
        let i = output % slot.inner;
        if (row0 + row >= slot.first) { break; }
        var sum = 0.0;
        for (var k = row * pitch + i; k < row * pitch + slot.sumWidth; k += slot.inner) { sum += tileSquares[k]; }
        let u = (blockRow + (row0 + row) * slot.rowStep) * slot.inner + i;
        sums[slot.uSums + stripTile * slot.us + u] = sum;
      }
      workgroupBarrier();
    }
    if (!isDown || isLast) {
      if (groups > 1u) {
        workgroupBarrier();
        parts[thread] = column;
        workgroupBarrier();
        column = 0.0;
        for (var k = lane; k < ${THREADS}u; k += columns) { column += parts[k]; }
      }
      if (group == 0u && isColumn) { sums[slot.vSums + rowTile * slot.vs + block * slot.width + w] = column; }
      column = 0.0;
    }
  }
  if (isBad) { atomicMin(&flag[0], params.a); }`,
)}`),
};
