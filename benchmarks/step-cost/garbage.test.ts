import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { tfjsContenders } from './optimizers/tfjs.ts';
import { problemOf, WORKLOADS } from './workloads.ts';

const STEPS = 6;

/** The most that a step adds to the heap of JavaScript and to arrays outside it; one in which something is collected seems to add less. */
async function garbage(contender: string, backend: 'cpu' | 'wasm', workload: string): Promise<number> {
  const { start } = (await tfjsContenders(backend)).find(({ name }) => name === contender)!;
  const training = start(problemOf(WORKLOADS.find(({ name }) => name === workload)!.shapes));
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  training.prepare?.();
  training.run();
  training.run();
  const tensors = tf.memory().numTensors;
  const growth = Array.from({ length: STEPS }, () => {
    const before = used();
    training.run();
    return used() - before;
  });
  expect(tf.memory().numTensors).toBe(tensors);
  training.dispose();
  return Math.max(...growth);
}

describe('a step of VeloOptimizer', () => {
  it.each([
    ['cpu', '1024x1024'],
    ['cpu', '64-of-128x128'],
    ['wasm', '1024x1024'],
    ['wasm', '64-of-128x128'],
  ] as const)('on %s, %s: leaves less than 2 MB and no tensors', async (backend, workload) => {
    const bytes = await garbage(`VeLO tfjs-${backend}`, backend, workload);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(2e6);
  });

  it('is measured by something that notices more: Adam on cpu', async () => {
    expect(await garbage('tfjs-cpu Adam', 'cpu', 'mlp')).toBeGreaterThan(2e6);
  });
});
