import { VeloError } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { idxDataset, parseIdx } from './idx.ts';

function idx(shape: readonly number[], data: readonly number[], type = 0x08): Uint8Array {
  const sizes = shape.flatMap((axis) => [axis >>> 24, (axis >> 16) & 255, (axis >> 8) & 255, axis & 255]);
  return Uint8Array.from([0, 0, type, shape.length, ...sizes, ...data]);
}
const images = idx([3, 2, 2], [0, 51, 102, 255, 1, 2, 3, 4, 5, 6, 7, 8]);
const labels = idx([3], [2, 0, 1]);
const named = (bytes: Uint8Array, name = 'x') => ({ bytes, name });

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof VeloError && error.code === 'DATA_INVALID') return error.message;
    throw error;
  }
  throw new Error('accepted');
};

describe('parseIdx', () => {
  it('reads shape and bytes', () => {
    expect(parseIdx(images, 'x').shape).toEqual([3, 2, 2]);
    expect([...parseIdx(images, 'x').data.subarray(0, 4)]).toEqual([0, 51, 102, 255]);
  });

  it.each([
    ['an empty file', new Uint8Array(), 'not an IDX file'],
    ['another format', new TextEncoder().encode('a,b\n1,2\n'), 'not an IDX file'],
    ['a type other than bytes', idx([1], [0, 0, 0, 0], 0x0d), 'IDX type 0x0d'],
    ['a header cut short', images.subarray(0, 10), 'ends within the sizes of its axes'],
    [
      'data cut short',
      images.subarray(0, images.length - 1),
      'cut short: its header [3,2,2] asks for 12 bytes of data, and it has 11',
    ],
    ['bytes too many', Uint8Array.from([...images, 0]), 'too long'],
  ])('refuses %s', (_, bytes, message) => {
    expect(messageOf(() => parseIdx(bytes, 'digits'))).toMatch(
      new RegExp(`^digits: .*${message.replace(/[[\]]/g, '\\$&')}`),
    );
  });
});

describe('idxDataset', () => {
  it('scales pixels to 0..1 and spreads labels over classes', () => {
    const dataset = idxDataset(named(images), named(labels));
    expect([dataset.count, dataset.inputSize, dataset.outputSize]).toEqual([3, 4, 3]);
    expect([...dataset.inputs.subarray(0, 4)]).toEqual([0, 51, 102, 255].map((byte) => Math.fround(byte / 255)));
    expect([...dataset.targets]).toEqual([0, 0, 1, 1, 0, 0, 0, 1, 0]);
  });

  it('takes the first examples only, if asked', () => {
    expect(idxDataset(named(images), named(labels), 2).count).toBe(2);
  });

  it.each([
    ['counts that differ', images, idx([2], [0, 1]), '3 images, l has 2 labels'],
    ['labels for images', labels, labels, 'i: has 1 axes'],
    ['images for labels', images, images, 'l: has 3 axes'],
    ['no images', idx([0, 2, 2], []), idx([0], []), 'holds no images'],
    ['images without pixels', idx([3, 0, 2], []), labels, 'holds no images'],
    ['one class', images, idx([3], [0, 0, 0]), 'all labels are 0'],
  ])('refuses %s', (_, imageBytes, labelBytes, message) => {
    expect(messageOf(() => idxDataset(named(imageBytes, 'i'), named(labelBytes, 'l')))).toContain(message);
  });
});
