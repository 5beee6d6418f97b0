/** Files that were dropped on the page, read by the code that the command uses. */
import { VeloError } from '@velojs/core';
import {
  createTask,
  csvTask,
  damagedGzip,
  idxTask,
  isGzipped,
  type NamedBytes,
  parseCsv,
  parseIdx,
  summariseColumns,
  type Task,
  type TaskSettings,
} from 'velojs/training';
import type { DataSummary, TaskSource } from './protocol.ts';

/** Unzipped: as numbers for training a file takes several times its size. MNIST's images have 47 MB. */
const LARGEST = 128 * 2 ** 20;

/** A task, and how its inputs are images, if they are. */
export interface OpenedTask {
  readonly task: Task;
  readonly image: { readonly height: number; readonly width: number } | null;
}

/** @throws VeloError `DATA_INVALID`, `INVALID_ARGUMENT` */
export async function openTask(source: TaskSource, settings: TaskSettings): Promise<OpenedTask> {
  if (source.kind === 'made') {
    const task = createTask(source.name, settings);
    const side = Math.sqrt(task.train.inputSize);
    return { task, image: source.name === 'glyphs' ? { height: side, width: side } : null };
  }
  const split = { ...settings, test: source.test };
  if (source.kind === 'csv') {
    return { task: csvTask(await readFile(source.file), source.options, split), image: null };
  }
  const [images, labels] = [await readFile(source.images), await readFile(source.labels)];
  return { task: idxTask(images, labels, split), image: imageSize(images) };
}

/**
 * Tells a CSV file, or an IDX file of images and one of labels, and what is in them.
 *
 * @throws VeloError `DATA_INVALID` for anything else.
 */
export async function examineFiles(files: readonly File[]): Promise<DataSummary> {
  const read = await Promise.all(files.map(async (file) => ({ file, ...(await readFile(file)) })));
  const named = (found: readonly NamedBytes[]) => found.map(({ name }) => name).join(' and ');
  for (const { name, bytes } of read) {
    if (!isIdx(bytes) && !isText(bytes)) {
      throw invalid(
        `${name}: neither CSV nor IDX. Drop a CSV file with a header row, or the images and labels of an IDX data set.`,
      );
    }
  }
  const tables = read.filter(({ bytes }) => !isIdx(bytes));
  const table = tables[0];
  if (table) {
    if (read.length > 1) throw invalid(`${named(read)}: drop one CSV file, or two IDX files.`);
    const parsed = parseCsv(new TextDecoder().decode(table.bytes), table.name);
    return { kind: 'csv', file: table.file, rows: parsed.rows.length, columns: summariseColumns(parsed) };
  }
  const rankOf = (bytes: Uint8Array) => bytes[3]!;
  const labels = read.filter(({ bytes }) => rankOf(bytes) === 1);
  const images = read.filter(({ bytes }) => rankOf(bytes) > 1);
  if (labels.length !== 1 || images.length !== 1) {
    throw invalid(
      `An IDX data set is two files, images and labels, dropped together; there were ${images.length} of images and ${labels.length} of labels.`,
    );
  }
  const [{ shape }, { shape: labelShape, data }] = [
    parseIdx(images[0]!.bytes, images[0]!.name),
    parseIdx(labels[0]!.bytes, labels[0]!.name),
  ];
  if (shape[0] !== labelShape[0]) {
    throw invalid(
      `${images[0]!.name} has ${shape[0]} images, ${labels[0]!.name} has ${labelShape[0]} labels: they do not belong together.`,
    );
  }
  return {
    kind: 'idx',
    images: images[0]!.file,
    labels: labels[0]!.file,
    count: shape[0]!,
    ...imageSize(images[0]!),
    classes: data.reduce((highest, label) => Math.max(highest, label), 0) + 1,
  };
}

/** Rows are the second axis; whatever follows is the width. */
function imageSize({ name, bytes }: NamedBytes): { height: number; width: number } {
  const [, height = 1, ...rest] = parseIdx(bytes, name).shape;
  return rest.length === 0
    ? { height: 1, width: height }
    : { height, width: rest.reduce((product, axis) => product * axis, 1) };
}

const isIdx = (bytes: Uint8Array): boolean => bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && bytes[3]! > 0;

/** Text has no zero bytes; a part is enough to tell. */
const isText = (bytes: Uint8Array): boolean => !bytes.subarray(0, 65_536).includes(0);

/** @throws VeloError `DATA_INVALID` where it is too large, cannot be read, or is damaged gzip. */
async function readFile(file: File): Promise<NamedBytes> {
  const { name } = file;
  if (file.size > LARGEST) throw tooLarge(name);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    throw new VeloError('DATA_INVALID', `${name} cannot be read any more: it has changed or is gone. Drop it again.`, {
      cause,
    });
  }
  return { name, bytes: isGzipped(bytes) ? await gunzip(bytes, name) : bytes };
}

async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip'));
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > LARGEST) throw tooLarge(name);
      chunks.push(value);
    }
  } catch (cause) {
    throw cause instanceof VeloError ? cause : damagedGzip(name, cause);
  }
  const whole = new Uint8Array(size);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

const invalid = (message: string) => new VeloError('DATA_INVALID', message);
const tooLarge = (name: string) =>
  invalid(
    `${name}: larger than ${LARGEST / 2 ** 20} MB unzipped, which is more than a page should hold. Use a part of it.`,
  );
