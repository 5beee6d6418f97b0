/** Images of digits for the examples: drawn by the program, or read from IDX files such as those of MNIST. */
import { type Dataset, sliceExamples } from '../packages/velojs/src/train/data/dataset.ts';
import { idxDataset } from '../packages/velojs/src/train/data/idx.ts';
import { createRandom } from '../packages/velojs/src/train/random.ts';
import { glyphs } from '../packages/velojs/src/train/tasks/glyphs.ts';
import { readFile } from '../packages/velojs/src/train/tasks/read-file.ts';

export interface Digits {
  readonly train: Dataset;
  readonly test: Dataset;
  /** Of the square images, in pixels. */
  readonly side: number;
}

/** How many drawn digits there are. */
const DRAWN = 2560;
/** One in five is for the test. */
const TRAIN_SHARE = 0.8;

/**
 * @param files images and labels as IDX files, plain or gzipped; digits are drawn where there are none
 * @throws VeloError `DATA_INVALID`
 */
export function readDigits([images, labels]: readonly string[]): Digits {
  const all =
    images && labels ? idxDataset(readFile(images), readFile(labels)) : glyphs(DRAWN, createRandom(0, 'data'));
  const border = Math.round(TRAIN_SHARE * all.count);
  return {
    train: sliceExamples(all, 0, border),
    test: sliceExamples(all, border, all.count),
    side: Math.sqrt(all.inputSize),
  };
}
