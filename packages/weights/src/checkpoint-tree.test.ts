import { createTheta, type HostTensor, sizeOf, type Theta, thetaShapes } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { checkpointFromTheta, thetaFromCheckpoint } from './checkpoint-tree.ts';

const H = 3;
const K = 2;

/** A theta with a different number in every place. */
function countedTheta(dead: boolean): Theta {
  let next = 0;
  const leaves = Object.entries(thetaShapes(H, K)).filter(([leaf]) => dead || !leaf.startsWith('dead'));
  return createTheta(
    Object.fromEntries(
      leaves.map(([leaf, shape]) => [
        leaf,
        { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => next++) },
      ]),
    ),
  );
}

const theta = countedTheta(true);
const checkpoint: Record<string, HostTensor> = checkpointFromTheta(theta);

it('names and shapes are those of the released checkpoints', () => {
  const shapes = Object.fromEntries(Object.entries(checkpoint).map(([path, { shape }]) => [path, shape]));
  const widths = [1, 1, 1, 3, 1, 3, 1, 3, 1, 3, 3, 3, 3, 3];
  expect(shapes).toEqual({
    ...Object.fromEntries(widths.map((width, i) => [`ff_mod_stack.~.w0__${i}`, [K, width, 4]])),
    'ff_mod_stack.~.b0': [K, 4],
    'ff_mod_stack.~.b1': [K, 4],
    'ff_mod_stack.~.b2': [K, 3],
    'ff_mod_stack.~.w1': [K, 4, 4],
    'ff_mod_stack.~.w2': [K, 4, 3],
    'lstm_init_state.cell': [1, H],
    'lstm_init_state.hidden': [1, H],
    'rnn_params.linear.b': [H],
    'rnn_params.linear.w': [30, H],
    'rnn_params.linear_1.b': [H],
    'rnn_params.linear_1.w': [30, H],
    'rnn_params.linear_2.b': [H],
    'rnn_params.linear_2.w': [30, H],
    'rnn_params.rnn/linear.b': [4 * H],
    'rnn_params.rnn/linear.w': [2 * H, 4 * H],
    'rnn_params.rnn_to_controls.b': [K],
    'rnn_params.rnn_to_controls.w': [H, K],
    'rnn_params.step_size.b': [1],
    'rnn_params.step_size.w': [H, 1],
  });
});

it('the pool layer is linear_1, the keep layer linear_2, and linear is dead', () => {
  expect(checkpoint['rnn_params.linear_1.w']!.data).toEqual(theta.leaves.poolWeight);
  expect(checkpoint['rnn_params.linear_2.w']!.data).toEqual(theta.leaves.keepWeight);
  expect(checkpoint['rnn_params.linear.w']!.data).toEqual(theta.dead!.deadWeight);
  expect(checkpoint['lstm_init_state.cell']!.data).toEqual(theta.leaves.initialCell);
});

it('the first layer is joined in the order of the numbers, not of the text', () => {
  // (K, 30, 4): w0__2 is row 2, w0__3 rows 3..5, w0__10 rows 18..20, w0__13 rows 27..29.
  const row = (k: number, i: number) => theta.leaves.bankWeight0.subarray((k * 30 + i) * 4, (k * 30 + i + 1) * 4);
  const piece = (i: number) => checkpoint[`ff_mod_stack.~.w0__${i}`]!.data as Float32Array;
  for (const k of [0, 1]) {
    expect(piece(2).subarray(k * 4, k * 4 + 4)).toEqual(row(k, 2));
    expect(piece(3).subarray(k * 12, k * 12 + 4)).toEqual(row(k, 3));
    expect(piece(10).subarray(k * 12, k * 12 + 4)).toEqual(row(k, 18));
    expect(piece(13).subarray(k * 12 + 8, k * 12 + 12)).toEqual(row(k, 29));
  }
});

it('goes back and forth without loss, in any order of keys', () => {
  expect(thetaFromCheckpoint(checkpoint)).toEqual(theta);
  expect(thetaFromCheckpoint(Object.fromEntries(Object.entries(checkpoint).reverse()))).toEqual(theta);
});

it('the dead layer may be absent, and is written as zeros then', () => {
  const alive = countedTheta(false);
  const written = checkpointFromTheta(alive);
  expect(written['rnn_params.linear.w']).toEqual({ shape: [30, H], data: new Float32Array(30 * H) });
  const { 'rnn_params.linear.w': _w, 'rnn_params.linear.b': _b, ...rest } = written;
  expect(thetaFromCheckpoint(rest)).toEqual(alive);
});

it('what is written shares no memory with theta', () => {
  const written = checkpointFromTheta(theta);
  for (const { data } of Object.values(written)) data.fill(0);
  expect(thetaFromCheckpoint(checkpoint)).toEqual(theta);
});

describe('is refused with WEIGHTS_INVALID', () => {
  const without = (path: string) => Object.fromEntries(Object.entries(checkpoint).filter(([key]) => key !== path));
  const piece = 'ff_mod_stack.~.w0__11';
  it.each<[string, Record<string, HostTensor>, RegExp]>([
    ['nothing', {}, /w0__0/],
    ['a missing leaf', without('rnn_params.linear_2.b'), /"rnn_params.linear_2.b"/],
    ['a missing piece', without(piece), /"ff_mod_stack.~.w0__11"/],
    ['half a dead layer', without('rnn_params.linear.b'), /"rnn_params.linear.b"/],
    [
      'an unknown leaf',
      { ...checkpoint, 'rnn_params.linear_3.b': { shape: [], data: [1] } },
      /"rnn_params.linear_3.b"/,
    ],
    ['a piece too many', { ...checkpoint, 'ff_mod_stack.~.w0__14': checkpoint[piece]! }, /w0__14/],
    ['a misshapen piece', { ...checkpoint, [piece]: { shape: [K, 4, 3], data: new Float32Array(24) } }, /w0__11/],
    ['a piece with too few values', { ...checkpoint, [piece]: { shape: [K, 3, 4], data: [1] } }, /1 values/],
    [
      'a piece of gigantic shape',
      { ...checkpoint, 'ff_mod_stack.~.w0__0': { shape: [2 ** 50, 1, 4], data: [] } },
      /w0__0/,
    ],
    [
      'a misshapen leaf',
      { ...checkpoint, 'ff_mod_stack.~.b1': { shape: [K, 3], data: new Float32Array(6) } },
      /\[2,3\]/,
    ],
    [
      'a value that is not finite',
      { ...checkpoint, 'rnn_params.step_size.b': { shape: [1], data: [Number.POSITIVE_INFINITY] } },
      /finite/,
    ],
  ])('%s', (_, leaves, message) => {
    expect(() => thetaFromCheckpoint(leaves)).toThrow(
      expect.objectContaining({ name: 'VeloError', code: 'WEIGHTS_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
