/**
 * VeLO beside Adam in a browser: two equal models of TensorFlow.js, trained in turns by `fit`.
 *
 *     npx vite examples/tfjs-page
 */
/// <reference types="vite/client" />
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plainWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Sequential } from '@tensorflow/tfjs-layers';
import { VeloOptimizer } from '@velojs/backend-tfjs';
import { type Dataset, sliceExamples } from '../../packages/velojs/src/train/data/dataset.ts';
import { createRandom } from '../../packages/velojs/src/train/random.ts';
import { GLYPH_SIDE, glyphs } from '../../packages/velojs/src/train/tasks/glyphs.ts';
import '../tfjs-wasm-convolutions.ts';
import { drawCurves } from './chart.ts';
import { NETWORKS } from './networks.ts';

const [TRAIN, TEST, BATCH_SIZE] = [1280, 512, 128];
const STEPS_PER_EPOCH = TRAIN / BATCH_SIZE;
/** Losses of so many batches are shown as one. */
const WINDOW = 10;

setWasmPaths({
  'tfjs-backend-wasm.wasm': plainWasm,
  'tfjs-backend-wasm-simd.wasm': simdWasm,
  'tfjs-backend-wasm-threaded-simd.wasm': threadedWasm,
});

interface Competitor {
  readonly name: string;
  readonly className: string;
  readonly model: Sequential;
  readonly losses: number[];
  milliseconds: number;
  accuracy: number | null;
}

const find = <Found extends Element>(selector: string): Found => document.querySelector<Found>(selector)!;
const form = find<HTMLFormElement>('form');
const button = find<HTMLButtonElement>('button');
const chart = find<SVGSVGElement>('#chart');
const status = find<HTMLElement>('#status');
const body = find<HTMLTableSectionElement>('tbody');

const digits = glyphs(TRAIN + TEST, createRandom(0, 'data'));
let competitors: Competitor[] = [];
let totalSteps = 20 * STEPS_PER_EPOCH;

const backends = await availableBackends();
find<HTMLSelectElement>('select[name=backend]').append(...backends.map((name) => new Option(name)));
new ResizeObserver(show).observe(chart);
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const choice = Object.fromEntries(new FormData(form)) as { network: keyof typeof NETWORKS } & Record<string, string>;
  button.disabled = true;
  try {
    await race(choice.network, choice.backend!, Number(choice.epochs));
    status.textContent = 'Done.';
  } catch (error) {
    status.textContent = `Stopped: ${error instanceof Error ? error.message : error}`;
    throw error;
  } finally {
    button.disabled = false;
  }
});
status.textContent = 'Ready.';

/** Those of TensorFlow.js's backends that this browser can run, the fastest for small networks first. */
async function availableBackends(): Promise<string[]> {
  const canvas = document.createElement('canvas');
  const has = {
    wasm: 'WebAssembly' in globalThis,
    cpu: true,
    webgl: canvas.getContext('webgl2') !== null || canvas.getContext('webgl') !== null,
    webgpu: 'gpu' in navigator && (await navigator.gpu.requestAdapter()) !== null,
  };
  return Object.entries(has).flatMap(([name, available]) => (available ? [name] : []));
}

/** Trains with VeLO and Adam, epoch by epoch in turns. */
async function race(network: keyof typeof NETWORKS, backend: string, epochs: number): Promise<void> {
  status.textContent = `Starting ${backend} …`;
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its ${backend} backend here.`);
  totalSteps = epochs * STEPS_PER_EPOCH;
  const compile = (name: string, className: string, optimizer: tf.Optimizer): Competitor => {
    const model = NETWORKS[network]();
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    return { name, className, model, losses: [], milliseconds: 0, accuracy: null };
  };
  const velo = new VeloOptimizer({ totalSteps });
  const adam = tf.train.adam();
  competitors = [compile('VeLO', 'velo', velo), compile('Adam', 'adam', adam)];
  const [first, second] = competitors.map(({ model }) => model);
  second!.setWeights(first!.getWeights());
  const train = tensors(sliceExamples(digits, 0, TRAIN));
  const test = tensors(sliceExamples(digits, TRAIN, TRAIN + TEST));

  try {
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const competitor of competitors) {
        status.textContent = `Epoch ${epoch + 1} of ${epochs} on ${backend}`;
        await trainEpoch(competitor, train);
        show();
      }
    }
    for (const competitor of competitors) competitor.accuracy = await accuracyOf(competitor.model, test);
    show();
  } finally {
    tf.dispose([train, test]);
    for (const { model } of competitors) model.dispose();
    velo.dispose();
    adam.dispose();
  }
}

/** In the order of the data: both competitors are to see the same batches. */
async function trainEpoch(competitor: Competitor, { images, labels }: Tensors): Promise<void> {
  const start = performance.now();
  await competitor.model.fit(images, labels, {
    batchSize: BATCH_SIZE,
    shuffle: false,
    verbose: 0,
    callbacks: {
      onBatchEnd: (_, logs) => {
        competitor.losses.push(logs!.loss!);
      },
    },
  });
  competitor.milliseconds += performance.now() - start;
}

async function accuracyOf(model: Sequential, { images, labels }: Tensors): Promise<number> {
  const results = model.evaluate(images, labels) as tf.Scalar[];
  const [accuracy] = await results[1]!.data();
  tf.dispose(results);
  return accuracy!;
}

type Tensors = ReturnType<typeof tensors>;
const tensors = ({ inputs, targets, count }: Dataset) => ({
  images: tf.tensor4d(inputs, [count, GLYPH_SIDE, GLYPH_SIDE, 1]),
  labels: tf.tensor2d(targets, [count, 10]),
});

/** The mean of the last losses, step by step. */
const smoothed = (losses: readonly number[]): number[] =>
  losses.map((_, i) => {
    const window = losses.slice(Math.max(0, i + 1 - WINDOW), i + 1);
    return window.reduce((sum, loss) => sum + loss, 0) / window.length;
  });

function show(): void {
  const curves = competitors.map(({ className, losses }) => ({ className, values: smoothed(losses) }));
  drawCurves(chart, curves, totalSteps);
  body.replaceChildren(
    ...competitors.map(({ name, className, losses, milliseconds, accuracy }, i) => {
      const row = document.createElement('tr');
      const heading = document.createElement('th');
      heading.scope = 'row';
      heading.className = className;
      heading.textContent = name;
      row.append(heading);
      row.insertCell().textContent = curves[i]!.values.at(-1)?.toPrecision(3) ?? '';
      row.insertCell().textContent = accuracy === null ? '' : `${(100 * accuracy).toFixed(1)} %`;
      row.insertCell().textContent = losses.length ? `${(milliseconds / losses.length).toFixed(1)} ms` : '';
      return row;
    }),
  );
}
