/** MNIST, where somebody has its files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { VeloError } from '@velojs/core';
import type { Examples } from '../dense/network.ts';
import { denseTask } from '../dense/task.ts';
import type { Suite, SuiteTask } from './suite.ts';

const PARTS = ['train', 't10k'] as const;
const PIXELS = 784;
const CLASSES = 10;

const NETWORKS = [
  { hidden: 64, steps: 1000 },
  { hidden: 128, steps: 500 },
  { hidden: 128, steps: 5000 },
] as const;

/**
 * Networks with one hidden layer on MNIST, batches of 64; the last fifth of the images is for validation.
 *
 * @param folder holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, or the test set's `t10k-...`; `.gz` or not.
 * @throws VeloError `DATA_INVALID`.
 */
export function mnistSuite(folder: string): Suite {
  const part = PARTS.find((part) => pathOf(folder, `${part}-images-idx3-ubyte`));
  if (!part) {
    throw invalid(folder, 'has no train-images-idx3-ubyte or t10k-images-idx3-ubyte, with or without .gz.');
  }
  let data: { training: Examples; validation: Examples } | undefined;
  return {
    name: `mnist-${part}`,
    version: 1,
    compared: true,
    extent: 1,
    tasks: NETWORKS.map(({ hidden, steps }): SuiteTask => {
      return {
        name: `mnist-${hidden}-${steps}`,
        group: 'mnist',
        steps,
        create() {
          data ??= load(folder, part);
          return denseTask({
            ...data,
            name: `MNIST ${PIXELS}-${hidden}-${CLASSES} relu, batch 64`,
            hidden: [hidden],
            outputs: CLASSES,
            activation: 'relu',
            loss: 'softmax',
            batchSize: 64,
          });
        },
      };
    }),
  };
}

const pathOf = (folder: string, name: string): string | undefined =>
  [`${name}.gz`, name].map((file) => join(folder, file)).find((path) => existsSync(path));

function load(folder: string, part: string): { training: Examples; validation: Examples } {
  const images = readIdx(folder, `${part}-images-idx3-ubyte`, 3);
  const labels = readIdx(folder, `${part}-labels-idx1-ubyte`, 1);
  const count = labels.length;
  if (images.length !== count * PIXELS) throw invalid(folder, 'has images of another size or number than labels.');
  const split = Math.floor(count * 0.8);
  const examples = (begin: number, end: number): Examples => ({
    count: end - begin,
    inputs: Float32Array.from(images.subarray(begin * PIXELS, end * PIXELS), (pixel) => pixel / 255),
    targets: Float32Array.from(labels.subarray(begin, end)),
  });
  return { training: examples(0, split), validation: examples(split, count) };
}

/** The bytes of an IDX file of unsigned bytes with so many axes. */
function readIdx(folder: string, name: string, axes: number): Uint8Array {
  const path = pathOf(folder, name);
  if (!path) throw invalid(folder, `has no ${name}, with or without .gz.`);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
    if (path.endsWith('.gz')) bytes = gunzipSync(bytes);
  } catch (cause) {
    throw new VeloError('DATA_INVALID', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const header = 4 + 4 * axes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < header || view.getUint32(0) !== 0x800 + axes) throw invalid(path, 'is no such IDX file.');
  const sizes = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  if (sizes.reduce((product, size) => product * size, 1) !== bytes.length - header) {
    throw invalid(path, `is damaged: its header [${sizes}] asks for another length.`);
  }
  return bytes.subarray(header);
}

const invalid = (path: string, what: string): VeloError => new VeloError('DATA_INVALID', `${path} ${what}`);
