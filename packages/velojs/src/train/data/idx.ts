/** IDX files, the format of MNIST: a magic number, the sizes of the axes, then bytes. */
import { VeloError } from '@velojs/core';
import { type Dataset, oneHot } from './dataset.ts';

export interface IdxFile {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;

/**
 * Reads an IDX file of unsigned bytes.
 *
 * @param bytes the whole file, unzipped.
 * @param name of the file, for messages.
 * @throws VeloError `DATA_INVALID` where it is no such file, holds another type than bytes, or has the wrong length.
 */
export function parseIdx(bytes: Uint8Array, name: string): IdxFile {
  const invalid = (what: string) => new VeloError('DATA_INVALID', `${name}: ${what}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0) {
    throw invalid('not an IDX file: those start with two zero bytes, a type and a number of axes.');
  }
  const type = view.getUint8(2);
  if (type !== UNSIGNED_BYTE) {
    throw invalid(
      `holds values of IDX type 0x${type.toString(16).padStart(2, '0')}; only unsigned bytes (0x08) are read.`,
    );
  }
  const rank = view.getUint8(3);
  const begin = 4 + 4 * rank;
  if (bytes.length < begin) throw invalid('cut short: it ends within the sizes of its axes.');
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = shape.reduce((product, axis) => product * axis, 1);
  const found = bytes.length - begin;
  if (found !== expected) {
    const what = found < expected ? 'cut short' : 'too long';
    throw invalid(`${what}: its header [${shape}] asks for ${expected} bytes of data, and it has ${found}.`);
  }
  return { shape, data: bytes.subarray(begin) };
}

/** By the first two bytes. */
export const isGzipped = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** What to say where `isGzipped` and unzipping fails. */
export const damagedGzip = (name: string, cause: unknown): VeloError =>
  new VeloError('DATA_INVALID', `${name}: the gzip data is damaged or cut short. Download the file again.`, { cause });

/**
 * A classification data set of two IDX files. Pixels are divided by 255; there are as many classes as the highest label says.
 *
 * @param examples use the first so many; all if undefined.
 * @throws VeloError `DATA_INVALID`
 */
export function idxDataset(
  images: { bytes: Uint8Array; name: string },
  labels: { bytes: Uint8Array; name: string },
  examples?: number,
): Dataset {
  const pixels = parseIdx(images.bytes, images.name);
  const classes = parseIdx(labels.bytes, labels.name);
  if (pixels.shape.length < 2) {
    throw new VeloError('DATA_INVALID', `${images.name}: has ${pixels.shape.length} axes; images need at least two.`);
  }
  if (classes.shape.length !== 1) {
    throw new VeloError('DATA_INVALID', `${labels.name}: has ${classes.shape.length} axes; labels need exactly one.`);
  }
  const [available = 0, ...axes] = pixels.shape;
  if (available !== classes.data.length) {
    throw new VeloError(
      'DATA_INVALID',
      `${images.name} has ${available} images, ${labels.name} has ${classes.data.length} labels: they do not belong together.`,
    );
  }
  const count = Math.min(available, examples ?? available);
  const inputSize = axes.reduce((product, axis) => product * axis, 1);
  if (count === 0 || inputSize === 0) throw new VeloError('DATA_INVALID', `${images.name}: holds no images.`);
  const used = classes.data.subarray(0, count);
  const outputSize = used.reduce((highest, label) => Math.max(highest, label), 0) + 1;
  if (outputSize < 2)
    throw new VeloError('DATA_INVALID', `${labels.name}: all labels are 0; at least two classes are needed.`);
  return {
    count,
    inputSize,
    outputSize,
    inputs: Float32Array.from(pixels.data.subarray(0, count * inputSize), (byte) => byte / 255),
    targets: oneHot(used, outputSize),
  };
}
