/** Moving averages of the loss and nine features of its progress, where the loss is a tensor (SPEC section 6). */
import { type LossInputs, type LossOutputs, lossCorrections } from '@velojs/core';
import { NO_FAULT } from '../faults.ts';
import type { Gpu } from '../gpu.ts';
import type { Program } from '../program.ts';
import { floatBits } from '../recorder.ts';
import type { WebgpuTensor } from '../tensor.ts';

const AVERAGES = 10;

/** In one dispatch. Means and minima stay what they were where there is a fault. */
export function loss(
  gpu: Gpu,
  { loss, count, decays, means, minima }: LossInputs<WebgpuTensor>,
): LossOutputs<WebgpuTensor> {
  return gpu.scope(() => {
    const outputs = [AVERAGES, AVERAGES, AVERAGES - 1].map((length) => gpu.create([1, length]));
    const read = [loss, means, minima].map(({ region }) => region);
    const row = (values: ArrayLike<number>) => [...Array.from(values, floatBits), 0, 0];
    gpu.recorder.dispatch(
      lossProgram,
      [gpu.faults.flag, ...read, ...outputs.map(({ region }) => region)].map(({ memory }) => memory),
      [...read.map(({ offset }) => offset), count, ...row(decays), ...row(lossCorrections(decays, count))],
      1,
    );
    const [pushed, lows, features] = outputs as [WebgpuTensor, WebgpuTensor, WebgpuTensor];
    return { means: gpu.guarded(pushed), minima: gpu.guarded(lows), features };
  });
}

/** A thread for each average; what it needs of the others it computes again. */
const lossProgram: Program = {
  name: 'loss',
  access: 'rrrrwww',
  code: /* wgsl */ `
@group(0) @binding(0) var<storage, read> flag: array<u32>;
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> minima: array<f32>;
@group(0) @binding(4) var<storage, read_write> nextMeans: array<f32>;
@group(0) @binding(5) var<storage, read_write> nextMinima: array<f32>;
@group(0) @binding(6) var<storage, read_write> features: array<f32>;
struct Params { loss: u32, means: u32, minima: u32, count: u32, decays: array<vec4f, 3>, corrections: array<vec4f, 3> }
@group(1) @binding(0) var<uniform> params: Params;

fn mean(k: u32) -> f32 { return means[params.means + k]; }
fn correction(k: u32) -> f32 { return params.corrections[k / 4u][k % 4u]; }

fn push(x: f32, k: u32) -> f32 {
  let decay = params.decays[k / 4u][k % 4u];
  return mean(k) * decay + (1 - decay) * x;
}

@compute @workgroup_size(${AVERAGES})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) k: u32) {
  let loss = losses[params.loss];
  // Quirk: the ceiling divides the old means by the corrections of the new count.
  var ceiling = mean(0u) / correction(0u);
  for (var i = 1u; i < ${AVERAGES}u; i++) { ceiling = max(ceiling, mean(i) / correction(i)); }
  let x = min(2 * abs(select(ceiling, loss, params.count == 1u)), loss);
  let pushed = push(x, k);
  let average = pushed / correction(k);
  let before = minima[params.minima + k];
  let low = min(before, average);
  let isSound = flag[0] == ${NO_FAULT}u;
  nextMeans[k] = select(mean(k), pushed, isSound);
  nextMinima[k] = select(before, low, isSound);
  if (k == ${AVERAGES - 1}u) { return; }
  let other = push(x, k + 1u) / correction(k + 1u);
  let progress = (average - low) / max(other - low, 1e-8);
  features[k] = select(clamp(progress - 1, -1, 1), 0, params.count <= 2u);
}`,
};

export const lossPrograms: readonly Program[] = [lossProgram];
