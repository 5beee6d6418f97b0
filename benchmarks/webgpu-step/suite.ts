/** What is measured on a GPU, in Node.js and in browsers alike. */
import { type WebgpuBackend, webgpu } from '@velojs/backend-webgpu';
import { VeloError } from '@velojs/core';
import type { LeftOut, Task, ThetaName } from '../step-cost/contender.ts';
import { checkResults } from '../step-cost/correctness.ts';
import { parameterCount, problemOf } from '../step-cost/workloads.ts';
import { adamOnGpu, copyOnGpu, type GpuContender, veloOnGpu } from './contenders.ts';
import { type Counts, Meter } from './meter.ts';
import { GPU_WORKLOADS, type GpuWorkload } from './workloads.ts';

/** Milliseconds per step, one entry per round. */
export interface GpuTiming {
  readonly contender: string;
  readonly theta: ThetaName | null;
  /** From the first submission to the moment when the GPU has done the last. */
  readonly wall: readonly number[];
  /** What the GPU says that its compute passes took; null where it does not. */
  readonly gpu: readonly number[] | null;
  /** Read and written by a step, gradients, parameters and state; null where it is not known. */
  readonly bytes: number | null;
  readonly counts: Counts;
}

export interface GpuGroup {
  readonly name: string;
  readonly title: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly timings: readonly GpuTiming[];
}

export interface GpuAdapter {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Whether a processor does the work of a GPU: times then tell nothing about GPUs. */
  readonly isSoftware: boolean;
  readonly hasTimestamps: boolean;
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
}

export interface GpuResults {
  readonly format: 'velojs-webgpu-step';
  readonly version: 1;
  /** ISO 8601, UTC. */
  readonly date: string;
  /** The program that ran it. */
  readonly where: string;
  readonly adapter: GpuAdapter;
  readonly rounds: number;
  readonly groups: readonly GpuGroup[];
  readonly leftOut: readonly LeftOut[];
}

export interface GpuSuiteOptions {
  readonly gpu: GPU;
  /** A workload's name; null for all. */
  readonly only: string | null;
  readonly rounds: number;
  readonly where: string;
  say(text: string): void;
}

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
] as const;
/** What is copied: beyond the caches of a GPU, and of a processor's in software. */
const COPIED = { hardware: 2 ** 25, software: 2 ** 20 };
/** Shorter series are below what waiting for the GPU costs; in milliseconds. */
const SERIES = 50;
const WARM_UPS = 3;

export async function runGpuSuite({ gpu, only, rounds, where, say }: GpuSuiteOptions): Promise<GpuResults> {
  const backend = await webgpu({ gpu });
  try {
    await backend.warmUp();
    const { device } = backend;
    const adapter = describe(device);
    say('checking results');
    const adam = adamOnGpu(device);
    const fused = (['starter', 'released'] as const).map((theta) => veloOnGpu(backend, theta, 'fused'));
    const composed = veloOnGpu(backend, 'starter', 'composed');
    await checkResults([adam, ...fused, composed]);
    const copied = adapter.isSoftware ? COPIED.software : COPIED.hardware;

    const groups: GpuGroup[] = [];
    const leftOut: LeftOut[] = [];
    for (const workload of GPU_WORKLOADS) {
      const { name, title, large } = workload;
      if (only !== null && only !== name) continue;
      if (only === null && large && adapter.isSoftware) {
        leftOut.push({
          name: title,
          reason: `a processor does the work of a GPU here: ask for it with --only ${name}`,
        });
        continue;
      }
      say(`measuring ${title}`);
      const contenders = [adam, ...fused, ...(workload.composed ? [composed] : [])];
      const result = await runWorkload({ backend, workload, contenders, copied, rounds });
      groups.push(result.group);
      leftOut.push(...result.leftOut);
    }
    const date = new Date().toISOString();
    return { format: 'velojs-webgpu-step', version: 1, date, where, adapter, rounds, groups, leftOut };
  } finally {
    backend.close();
  }
}

interface Entry {
  readonly labels: Pick<GpuTiming, 'contender' | 'theta' | 'bytes'>;
  readonly task: Task;
}

async function runWorkload({
  backend,
  workload,
  contenders,
  copied,
  rounds,
}: {
  backend: WebgpuBackend;
  workload: GpuWorkload;
  contenders: readonly GpuContender[];
  copied: number;
  rounds: number;
}): Promise<{ group: GpuGroup; leftOut: LeftOut[] }> {
  const { name, title, shapes } = workload;
  const parameters = parameterCount(shapes);
  const problem = problemOf(shapes, 1);
  const leftOut: LeftOut[] = [];
  const copy = copyOnGpu(backend.device, copied);
  await copy.check();
  const entries: Entry[] = [{ labels: { contender: 'copy', theta: null, bytes: copy.bytes }, task: copy }];
  for (const { name: contender, theta, bytes, start } of contenders) {
    try {
      const task = start(problem);
      task.run();
      await task.finish?.();
      entries.push({ labels: { contender, theta, bytes: bytes(shapes) }, task });
    } catch (error) {
      const isLimit = error instanceof VeloError && ['OUT_OF_MEMORY', 'TENSOR_TOO_LARGE'].includes(error.code);
      if (!isLimit) throw error;
      leftOut.push({ name: `${title}: ${contender}${theta ? `, ${theta} theta` : ''}`, reason: error.message });
    }
  }
  const timings = await measure(new Meter(backend.device), entries, rounds);
  for (const { task } of entries) task.dispose();
  return { group: { name, title, tensors: shapes.length, parameters, timings }, leftOut };
}

/** Interleaved, in another random order each round: a slow moment of the machine weighs on all. */
async function measure(meter: Meter, entries: readonly Entry[], rounds: number): Promise<GpuTiming[]> {
  const series: { entry: Entry; steps: number; wall: number[]; gpu: (number | null)[]; counts: Counts }[] = [];
  for (const entry of entries) {
    let steps = 1;
    for (let i = 0; i < WARM_UPS; i++) steps = Math.max(1, Math.ceil(SERIES / (await time(entry.task, steps))));
    const counts = await meter.count(() => entry.task.run());
    await entry.task.finish?.();
    series.push({ entry, steps, wall: [], gpu: [], counts });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { entry, steps, wall, gpu } of shuffled(series)) {
      wall.push(await time(entry.task, steps));
      const passes = await meter.time(async () => {
        for (let i = 0; i < steps; i++) entry.task.run();
        await entry.task.finish?.();
      });
      gpu.push(passes === null ? null : passes / steps / 1e6);
    }
  }
  return series.map(({ entry, wall, gpu, counts }) => ({
    ...entry.labels,
    wall,
    gpu: gpu.every((value) => value !== null) ? gpu : null,
    counts,
  }));
}

/** Milliseconds per step. */
async function time(task: Task, steps: number): Promise<number> {
  await task.finish?.();
  const begin = performance.now();
  for (let i = 0; i < steps; i++) task.run();
  await task.finish?.();
  return (performance.now() - begin) / steps;
}

function describe(device: GPUDevice): GpuAdapter {
  const { vendor, architecture, device: name, description, isFallbackAdapter } = device.adapterInfo;
  return {
    vendor,
    architecture,
    device: name,
    description,
    isSoftware:
      isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|basic render/i.test(`${architecture} ${name} ${description}`),
    hasTimestamps: device.features.has('timestamp-query'),
    limits: Object.fromEntries(LIMITS.map((limit) => [limit, device.limits[limit]])) as GpuAdapter['limits'],
  };
}

const shuffled = <Item>(items: readonly Item[]): Item[] =>
  items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
