import { cpu } from '@velojs/backend-cpu';
import { createVelo, type ExportedState } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { starterTheta } from './starter-theta.ts';
import { decodeState, encodeState } from './state-file.ts';
import { encodeTheta } from './theta-file.ts';

const theta = starterTheta({ hiddenSize: 12, bankSize: 1 });
const options = { backend: cpu(), theta, totalSteps: 40, weightDecay: 1e-3, maxTrainingSteps: 25, onWarning: () => {} };
const shapes = { w: [3, 2], b: [2], scale: [] } as const;
const parameters = () => ({
  w: { shape: shapes.w, data: Float32Array.of(1, -1, 0.5, 2, -0.3, 0.1) },
  b: { shape: shapes.b, data: Float32Array.of(0, 0) },
  scale: { shape: shapes.scale, data: Float32Array.of(1) },
});

function trained(steps: number, velo = createVelo({ ...options, parameters: parameters() })) {
  for (let i = 0; i < steps; i++) {
    const { w, b, scale } = velo.parameters;
    const gradients = {
      w: Float32Array.from(w.data, (x) => x - 1 / 3),
      b: Float32Array.from(b.data, (x) => x + 0.2),
      scale: Float32Array.from(scale.data, (x) => x - 0.7),
    };
    velo.step(gradients, 0.1 + Math.hypot(...gradients.w, ...gradients.b, ...gradients.scale) ** 2 / 3);
  }
  return velo;
}

const state: ExportedState = await trained(7).exportState();

/** A file of `state` with its header changed. */
function withHeader(change: (header: Record<string, unknown>) => unknown): Uint8Array {
  const { tensors, metadata } = readSafetensors(encodeState(state));
  const header = change(JSON.parse(metadata.get('state')!));
  return writeSafetensors({ tensors, metadata: new Map([...metadata, ['state', JSON.stringify(header)]]) });
}

function withMetadata(key: string, value: string): Uint8Array {
  const { tensors, metadata } = readSafetensors(encodeState(state));
  return writeSafetensors({ tensors, metadata: new Map([...metadata, [key, value]]) });
}

describe('a state file', () => {
  it('gives back the state, and twice the same bytes', () => {
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(encodeState(decodeState(encodeState(state)))).toEqual(encodeState(state));
  });

  it('keeps every double and float exactly, -0 included', () => {
    const values = {
      a: -0,
      b: [0.1, -0, Number.MIN_VALUE, Number.MAX_VALUE, 1 / 3],
      c: true,
      d: null,
      e: 'text',
      f: [],
    };
    const tensors = {
      'x.y': { shape: [2], data: Float32Array.of(-0, 1e-45) },
      toString: { shape: [], data: Float32Array.of(1) },
    };
    const { values: read, tensors: readTensors } = decodeState(encodeState({ ...state, values, tensors }));
    expect(read).toStrictEqual(values);
    expect(Object.is(read.a, -0)).toBe(true);
    expect(readTensors).toStrictEqual(tensors);
  });

  it('goes on bit for bit where the training stopped', async () => {
    const uninterrupted = await trained(31).exportState();
    const resumed = createVelo({ ...options, parameters: parameters() });
    await resumed.importState(decodeState(encodeState(state)));
    expect(await trained(24, resumed).exportState()).toStrictEqual(uninterrupted);
  });
});

describe('is refused with STATE_INVALID', () => {
  const extra = (name: string, data: Float32Array | Float64Array) => {
    const { tensors, metadata } = readSafetensors(encodeState(state));
    return writeSafetensors({ tensors: new Map([...tensors, [name, { shape: [data.length, 1], data }]]), metadata });
  };
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /cut short/],
    ['a cut file', encodeState(state).subarray(0, -1), /bytes of data/],
    ['a theta', encodeTheta(theta), /format as "velojs-theta"/],
    ['a later version', withMetadata('formatVersion', '2'), /version is 2/],
    ['a header that is not JSON', withMetadata('state', '{'), /not JSON/],
    ['a header that is not an object', withMetadata('state', '[]'), /not an object/],
    ['a missing number', withHeader(({ stepsTaken: _, ...rest }) => rest), /"stepsTaken"/],
    ['a number that is none', withHeader((header) => ({ ...header, totalSteps: '40' })), /"totalSteps"/],
    ['names that are not text', withHeader((header) => ({ ...header, names: [1] })), /"names"/],
    ['no theta', withHeader((header) => ({ ...header, theta: {} })), /"theta"/],
    ['values that are none', withHeader((header) => ({ ...header, values: { x: {} } })), /"values"/],
    ['an unknown key', withHeader((header) => ({ ...header, x: 1 })), /unknown "x"/],
    ['a tensor of doubles', extra('tensors.x', Float64Array.of(1)), /"tensors.x"/],
    ['a matrix of values', extra('values.x', Float64Array.of(1)), /"values.x"/],
    ['another tensor', extra('x', Float32Array.of(1)), /"x"/],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeState(bytes)).toThrow(
      expect.objectContaining({ name: 'VeloError', code: 'STATE_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('a state whose data do not fill their shape, when written', () => {
    const tensors = { x: { shape: [2], data: new Float32Array(1) } };
    expect(() => encodeState({ ...state, tensors })).toThrow(expect.objectContaining({ code: 'STATE_INVALID' }));
  });
});
