import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { gpuReport } from './webgpu-step/report.ts';
import type { GpuResults, GpuTiming } from './webgpu-step/suite.ts';
import { GPU_WORKLOADS } from './webgpu-step/workloads.ts';

const CLI = fileURLToPath(new URL('./webgpu-step.ts', import.meta.url));
const TIMEOUT = 180_000;
const NO_GPU = 3;

const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=@velojs/source', '--import', 'tsx', CLI, ...args], { encoding: 'utf8' });

it('checks, measures and reports a workload', { timeout: TIMEOUT }, ({ skip }) => {
  const folder = mkdtempSync(join(tmpdir(), 'velojs-webgpu-benchmark-'));
  try {
    const file = join(folder, 'results.json');
    const { status, stdout, stderr } = bench('--rounds', '1', '--only', 'tiny-mlp', '--json', file);
    if (status === NO_GPU && !process.env.CI) {
      console.warn(`not tested: ${stderr}`);
      return skip(stderr);
    }
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/tiny MLP 2-16-16-2: 6 tensors, 354 parameters/);
    const { groups, adapter } = JSON.parse(readFileSync(file, 'utf8')) as GpuResults;
    expect(adapter.limits.maxBufferSize).toBeGreaterThan(0);
    const [{ timings }] = groups as [GpuResults['groups'][number]];
    expect(timings.map(({ contender, theta }) => [contender, theta])).toEqual([
      ['copy', null],
      ['Adam', null],
      ['VeLO', 'starter'],
      ['VeLO', 'released'],
      ['VeLO, composed', 'starter'],
    ]);
    for (const { wall, counts } of timings) {
      expect(wall).toHaveLength(1);
      expect(wall[0]).toBeGreaterThan(0);
      expect(counts.submissions).toBe(1);
    }
    const dispatches = (name: string) => timings.find(({ contender }) => contender === name)!.counts.dispatches;
    expect([dispatches('copy'), dispatches('Adam')]).toEqual([1, 1]);
    expect(dispatches('VeLO')).toBeLessThanOrEqual(12);
    expect(dispatches('VeLO, composed')).toBeGreaterThan(12);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('refuses what it does not understand', { timeout: TIMEOUT }, () => {
  for (const args of [['--rounds', '0'], ['--only', 'none'], ['--json', '/none/results.json'], ['--fast']]) {
    const { status, stderr } = bench(...args);
    expect(stderr).toContain(args[0]);
    expect(status).toBe(2);
  }
});

it('takes ratios by the GPU where both have times of it, and of bytes per second over the copy', () => {
  const timing = (contender: string, milliseconds: number, rest: Partial<GpuTiming> = {}): GpuTiming => ({
    contender,
    theta: null,
    wall: [100 * milliseconds],
    gpu: [milliseconds],
    bytes: 28e6,
    counts: { submissions: 1, dispatches: 1, copies: 0 },
    ...rest,
  });
  const results: GpuResults = {
    format: 'velojs-webgpu-step',
    version: 1,
    date: '',
    where: 'somewhere',
    adapter: {
      vendor: 'x',
      architecture: '',
      device: '',
      description: '',
      isSoftware: true,
      hasTimestamps: true,
      limits: {
        maxBufferSize: 1,
        maxStorageBufferBindingSize: 1,
        maxStorageBuffersPerShaderStage: 1,
        maxComputeInvocationsPerWorkgroup: 1,
        maxComputeWorkgroupStorageSize: 1,
      },
    },
    rounds: 1,
    groups: [
      {
        name: 'a',
        title: 'A',
        tensors: 1,
        parameters: 1e6,
        timings: [
          timing('copy', 1, { bytes: 80e6 }),
          timing('Adam', 0.7),
          timing('VeLO', 1.7, { theta: 'starter', bytes: 68e6 }),
          timing('VeLO, composed', 10, { theta: 'starter', bytes: null, gpu: null }),
        ],
      },
    ],
    leftOut: [],
  };
  const rows = gpuReport(results)
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  const row = (name: string) => rows.find(([first]) => first === name)!;
  expect(row('VeLO')).toEqual(['VeLO', 'starter', '170', '170 to 170', '1.7', '2.43', '40', '50 %', '1', '1', '0']);
  expect(row('VeLO, composed')).toEqual([
    'VeLO, composed',
    'starter',
    '1,000',
    '1,000 to 1,000',
    '-',
    '14.3',
    '1',
    '1',
    '0',
  ]);
  expect(gpuReport(results)).toContain('say nothing about GPUs');
});

it('knows ViT-B/16: 150 tensors, 85,798,656 parameters', () => {
  const { shapes } = GPU_WORKLOADS.find(({ name }) => name === 'vit-b-16')!;
  expect(shapes).toHaveLength(150);
  expect(shapes.reduce((sum, shape) => sum + shape.reduce((product, axis) => product * axis, 1), 0)).toBe(85_798_656);
});
