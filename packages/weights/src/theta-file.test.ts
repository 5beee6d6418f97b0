import { createTheta, type Theta } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { readSafetensors, type SafetensorsTensor, writeSafetensors } from './safetensors.ts';
import { starterTheta } from './starter-theta.ts';
import { decodeTheta, encodeTheta } from './theta-file.ts';

const theta = starterTheta({ hiddenSize: 13, bankSize: 2 });
const metadata = {
  name: 'test',
  authors: 'somebody',
  license: 'CC0-1.0',
  source: 'https://example.org',
  constructor: 'x',
};

/** The bytes of `theta` with some changes. */
function changed(change: (tensors: Map<string, SafetensorsTensor>, metadata: Map<string, string>) => void): Uint8Array {
  const { tensors, metadata: texts } = readSafetensors(encodeTheta(theta, metadata));
  const copies = { tensors: new Map(tensors), metadata: new Map(texts) };
  change(copies.tensors, copies.metadata);
  return writeSafetensors(copies);
}

function withDeadLayer({ leaves, hiddenSize: H, bankSize: K }: Theta): Theta {
  const file = readSafetensors(encodeTheta({ leaves, hiddenSize: H, bankSize: K, dead: null }));
  return createTheta({
    ...Object.fromEntries(file.tensors),
    deadWeight: { shape: [30, H], data: Float32Array.from({ length: 30 * H }, (_, i) => i) },
    deadBias: { shape: [H], data: new Float32Array(H).fill(-1) },
  });
}

describe('a theta file', () => {
  it('gives back theta and metadata, bit for bit', () => {
    expect(decodeTheta(encodeTheta(theta, metadata))).toEqual({ theta, metadata });
    expect(decodeTheta(encodeTheta(theta))).toEqual({ theta, metadata: {} });
  });

  it('keeps the dead layer where there is one', () => {
    const dead = withDeadLayer(theta);
    expect(decodeTheta(encodeTheta(dead)).theta).toEqual(dead);
  });

  it('carries its format, version and sizes', () => {
    expect(readSafetensors(encodeTheta(theta, { name: 'test' })).metadata).toEqual(
      new Map([
        ['format', 'velojs-theta'],
        ['formatVersion', '1'],
        ['hiddenSize', '13'],
        ['bankSize', '2'],
        ['name', 'test'],
      ]),
    );
  });

  it.each(['format', 'formatVersion', 'hiddenSize', 'bankSize'])('does not let metadata overwrite %s', (key) => {
    expect(() => encodeTheta(theta, { [key]: '1' })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('refuses metadata that are not text', () => {
    expect(() => encodeTheta(theta, { name: 1 as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('is refused with WEIGHTS_INVALID', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['a damaged file', encodeTheta(theta).subarray(0, 5000), /bytes of data/],
    ['another safetensors file', changed((_, texts) => texts.delete('format')), /format as null/],
    ['another format', changed((_, texts) => texts.set('format', 'pt')), /format as "pt"/],
    ['a later version', changed((_, texts) => texts.set('formatVersion', '2')), /version 2/],
    ['no version', changed((_, texts) => texts.delete('formatVersion')), /version undefined/],
    ['another H than that of the tensors', changed((_, texts) => texts.set('hiddenSize', '16')), /hiddenSize = 16/],
    ['no K', changed((_, texts) => texts.delete('bankSize')), /bankSize = undefined/],
    ['a missing leaf', changed((tensors) => tensors.delete('keepBias')), /"keepBias"/],
    [
      'an unknown leaf',
      changed((tensors) => tensors.set('extra', { shape: [], data: Float32Array.of(1) })),
      /unknown leaf "extra"/,
    ],
    [
      'a misshapen leaf',
      changed((tensors) => tensors.set('keepBias', { shape: [12], data: new Float32Array(12) })),
      /"keepBias" of shape \[12\]/,
    ],
    [
      'a value that is not finite',
      changed((tensors) => tensors.set('stepBias', { shape: [1], data: Float32Array.of(Number.NaN) })),
      /"stepBias"/,
    ],
    [
      'half a dead layer',
      changed((tensors) => tensors.set('deadBias', { shape: [13], data: new Float32Array(13) })),
      /"deadWeight"/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeTheta(bytes)).toThrow(
      expect.objectContaining({ name: 'VeloError', code: 'WEIGHTS_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
