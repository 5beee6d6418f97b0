/** What a step of VeLO costs in this browser, beside one of Adam in JavaScript. */
import { type Backend, type Shape, type Tensor, type Theta, VeloError } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { createVelo } from 'velojs';
import type { Problem, Task } from '../../../../benchmarks/step-cost/contender.ts';
import { type Clock, measure } from '../../../../benchmarks/step-cost/measure.ts';
import { plainAdam } from '../../../../benchmarks/step-cost/optimizers/plain-adam.ts';
import { parameterCount, problemOf, WORKLOADS } from '../../../../benchmarks/step-cost/workloads.ts';
import { openBackend, requestAdapter } from './backends.ts';
import { faultOf } from './fault.ts';
import type { BenchBackendId, BenchOptions, BenchResults, BenchRow } from './protocol.ts';

const TOTAL_STEPS = 140_000;
const RELEASED = { hiddenSize: 512, bankSize: 256 };
/** Rounds of at least 10 ms; the budget usually ends earlier. */
const [LEAST_ROUNDS, MOST_ROUNDS] = [3, 50];

/** Pages have no clock of the processor's time. */
const pageClock: Clock = () => {
  const start = performance.now();
  return () => {
    const nanoseconds = (performance.now() - start) * 1e6;
    return { cpu: nanoseconds, wall: nanoseconds };
  };
};

/** A backend, and how tensors come to lie in its memory, as those of a trainer that works in place. */
interface Device {
  readonly backend: Backend<Tensor>;
  place(shapes: readonly Shape[], values: readonly Float32Array[]): readonly Tensor[];
  close(): void;
}

/**
 * Measures every workload on every backend, one after the other. What fails is a row with the reason.
 *
 * @param say told what is measured, and which share of all is done.
 */
export async function bench(
  { backends, workloads, theta: thetaName, budget }: BenchOptions,
  say: (text: string, share: number) => void,
  giveWay: () => Promise<void>,
  signal: AbortSignal,
): Promise<BenchResults> {
  const chosen = WORKLOADS.filter(({ name }) => workloads.includes(name));
  const theta = thetaName === 'default' ? undefined : starterTheta(RELEASED);
  const contenders: readonly (BenchBackendId | null)[] = [null, ...backends];
  const rows: BenchRow[] = [];
  const total = chosen.length * contenders.length;
  for (const { name, title, shapes } of chosen) {
    const problem = problemOf(shapes);
    for (const backend of contenders) {
      if (signal.aborted) break;
      say(`${title}: ${backend === null ? 'Adam in JavaScript' : `VeLO on ${backend}`}`, rows.length / total);
      await giveWay();
      const row = {
        workload: name,
        title,
        parameters: parameterCount(shapes),
        tensors: shapes.length,
        optimizer: backend === null ? ('adam' as const) : ('velo' as const),
        backend,
      };
      try {
        const samples = await (backend === null
          ? timed(plainAdam.start(problem), budget, giveWay, signal)
          : timedOn(backend, problem, theta, budget, giveWay, signal));
        rows.push({ ...row, time: quartiles(samples), fault: null });
      } catch (error) {
        rows.push({ ...row, time: null, fault: faultOf(error).message });
      }
    }
  }
  say(signal.aborted ? 'Stopped' : 'Done', 1);
  return {
    format: 'velojs-browser-bench',
    version: 1,
    date: new Date().toISOString(),
    environment: await environment(),
    theta: await describeTheta(thetaName, theta),
    complete: !signal.aborted,
    rows,
  };
}

/** Milliseconds of a step, one sample per round. */
async function timed(
  task: Task,
  budget: number,
  giveWay: () => Promise<void>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  let rounds = 0;
  const start = performance.now();
  const goOn = async () => {
    await giveWay();
    return !signal.aborted && (++rounds < LEAST_ROUNDS || performance.now() - start < budget);
  };
  try {
    const [samples] = await measure([task], MOST_ROUNDS, { clock: pageClock, goOn });
    return samples!.wall.map((nanoseconds) => nanoseconds / 1e6);
  } finally {
    task.dispose();
  }
}

async function timedOn(
  id: BenchBackendId,
  problem: Problem,
  theta: Theta | undefined,
  budget: number,
  giveWay: () => Promise<void>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const device = await openDevice(id);
  try {
    return await timed(await veloOn(device, problem, theta), budget, giveWay, signal);
  } finally {
    device.close();
  }
}

async function veloOn(
  { backend, place }: Device,
  { shapes, parameters, gradients }: Problem,
  theta: Theta | undefined,
): Promise<Task> {
  const placed = place(shapes, parameters);
  const sets = gradients.map((set) => place(shapes, set));
  const velo = await createVelo({ backend, ...(theta && { theta }), parameters: placed, totalSteps: TOTAL_STEPS });
  let step = 0;
  return {
    run() {
      velo.step(sets[step % sets.length]!, 1 / (1 + ++step));
    },
    finish: () => velo.synchronize(),
    dispose() {
      velo.dispose();
      for (const tensor of [...placed, ...sets.flat()]) backend.dispose(tensor);
    },
  };
}

async function openDevice(id: BenchBackendId): Promise<Device> {
  if (id === 'webgl') return openWebgl();
  if (id === 'webgpu') {
    const { webgpu } = await import('@velojs/backend-webgpu');
    const backend = await webgpu();
    await backend.warmUp();
    return {
      backend: backend as unknown as Backend<Tensor>,
      // Side by side in one buffer, as those of a network on the GPU would.
      place(shapes, values) {
        const tensors = backend.allocate(shapes);
        for (const [j, { buffer, byteOffset }] of tensors.entries()) {
          backend.device.queue.writeBuffer(buffer, byteOffset, values[j]! as Float32Array<ArrayBuffer>);
        }
        return tensors;
      },
      close: () => backend.close(),
    };
  }
  const { backend, close } = await openBackend(id);
  const { wrap } = backend as Backend<Tensor> & { wrap(values: Float32Array, shape: Shape): Tensor };
  return { backend, place: (shapes, values) => values.map((array, j) => wrap(array.slice(), shapes[j]!)), close };
}

/** Through TensorFlow.js, composed of its operations. */
async function openWebgl(): Promise<Device> {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-webgl');
  const { tfjs } = await import('@velojs/backend-tfjs');
  if (!(await tf.setBackend('webgl').catch(() => false))) {
    throw new VeloError('BACKEND_UNAVAILABLE', 'This browser gives no WebGL to workers.');
  }
  const backend = tfjs();
  return {
    backend: backend as unknown as Backend<Tensor>,
    // Parameters that are updated in place are variables there.
    place: (shapes, values) => values.map((array, j) => tf.variable(tf.tensor(array, [...shapes[j]!], 'float32'))),
    close() {},
  };
}

function quartiles(samples: readonly number[]): NonNullable<BenchRow['time']> {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => {
    const position = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
    return low + (high - low) * (position % 1);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), samples: sorted.length };
}

async function environment(): Promise<BenchResults['environment']> {
  const adapter = await requestAdapter().catch(() => null);
  return {
    userAgent: navigator.userAgent,
    hardwareConcurrency: navigator.hardwareConcurrency,
    crossOriginIsolated: globalThis.crossOriginIsolated,
    adapter: adapter && {
      vendor: adapter.info.vendor,
      architecture: adapter.info.architecture,
      description: adapter.info.description,
    },
  };
}

async function describeTheta(name: BenchOptions['theta'], theta: Theta | undefined): Promise<BenchResults['theta']> {
  if (theta) return { name, hiddenSize: theta.hiddenSize, bankSize: theta.bankSize };
  const velo = await createVelo({ backend: 'cpu', parameters: [Float32Array.of(1)], totalSteps: 1 });
  const { hiddenSize, bankSize } = (await velo.exportState()).theta;
  velo.dispose();
  return { name, hiddenSize, bankSize };
}
