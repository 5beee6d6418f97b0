import { describe, expect, it } from 'vitest';
import { adoptTheta, createTheta, type HostTensor, MLP_LAYOUT, thetaShapes, uploadTheta } from './index.ts';
import { reference } from './reference/index.ts';
import { randomTheta } from './testing.ts';

const leaves = (H = 5, K = 2): Record<string, HostTensor> =>
  Object.fromEntries(
    Object.entries(thetaShapes(H, K)).map(([name, shape]) => [
      name,
      { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5) },
    ]),
  );
const invalid = expect.objectContaining({ code: 'WEIGHTS_INVALID' });

describe('createTheta', () => {
  it('reads the sizes off the shapes', () => {
    expect(createTheta(leaves(7, 3))).toMatchObject({ hiddenSize: 7, bankSize: 3 });
  });

  it('keeps the dead layer where there is one, and does without', () => {
    const { deadWeight, deadBias, ...alive } = leaves();
    expect(createTheta({ ...alive, deadWeight: deadWeight!, deadBias: deadBias! }).dead?.deadBias).toHaveLength(5);
    expect(createTheta(alive).dead).toBeNull();
    expect(() => createTheta({ ...alive, deadWeight: deadWeight! })).toThrow(/lacks the leaf "deadBias"/);
  });

  it.each(Object.keys(leaves()).filter((name) => !name.startsWith('dead')))('refuses a theta without %s', (name) => {
    const { [name]: _, ...rest } = leaves();
    expect(() => createTheta(rest)).toThrow(invalid);
  });

  it('refuses a value that is not finite wherever it is, and sums beyond float32', () => {
    const length = 20;
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (let i = 0; i < length; i++) {
        const data = new Float32Array(length);
        data[i] = value;
        data[(i + 4) % length] = -value;
        expect(() => createTheta({ ...leaves(), lstmBias: { shape: [length], data } })).toThrow(/not finite/);
      }
    }
    const largest = new Float32Array(length).fill(3.4e38);
    expect(createTheta({ ...leaves(), lstmBias: { shape: [length], data: largest } }).leaves.lstmBias).toEqual(largest);
  });

  it('copies, where adoptTheta keeps the arrays', () => {
    const given = leaves() as Record<string, { shape: number[]; data: Float32Array }>;
    expect(adoptTheta(given)).toEqual(createTheta(given));
    expect(adoptTheta(given).leaves.keepBias).toBe(given.keepBias!.data);
    expect(createTheta(given).leaves.keepBias).not.toBe(given.keepBias!.data);
    given.keepBias!.data[3] = Number.NaN;
    expect(() => adoptTheta(given)).toThrow(invalid);
  });

  it('refuses an extra leaf, another shape, another length, values that are not finite', () => {
    const bad = (name: string, tensor: HostTensor) => () => createTheta({ ...leaves(), [name]: tensor });
    expect(bad('extra', { shape: [1], data: [1] })).toThrow(/unknown leaf "extra"/);
    expect(bad('lstmBias', { shape: [19], data: new Float32Array(19) })).toThrow(/"lstmBias" of shape \[19\].*\[20\]/);
    expect(bad('lstmBias', { shape: [20], data: new Float32Array(19) })).toThrow(invalid);
    expect(bad('stepBias', { shape: [1], data: [Number.NaN] })).toThrow(/"stepBias" that is not finite/);
    expect(bad('stepBias', { shape: [1], data: [1e39] })).toThrow(invalid);
    expect(bad('bankBias0', { shape: [0, 4], data: [] })).toThrow(invalid);
    expect(bad('toString', { shape: [1], data: [1] })).toThrow(/unknown leaf "toString"/);
  });
});

describe('uploadTheta', () => {
  it('lays the bank out as rows with transposed weights', async () => {
    const backend = reference();
    const theta = randomTheta(4, 3);
    const [bank] = await backend.read([uploadTheta(backend, theta).bank]);
    const at = (k: number, { begin }: { begin: number }, o: number, i: number, inputs: number) =>
      bank![k * 159 + begin + o * inputs + i];
    expect(at(2, MLP_LAYOUT.weight0, 3, 17, 30)).toBe(theta.leaves.bankWeight0[(2 * 30 + 17) * 4 + 3]);
    expect(at(1, MLP_LAYOUT.weight1, 2, 0, 4)).toBe(theta.leaves.bankWeight1[(1 * 4 + 0) * 4 + 2]);
    expect(at(0, MLP_LAYOUT.weight2, 1, 3, 4)).toBe(theta.leaves.bankWeight2[3 * 3 + 1]);
    expect(at(2, MLP_LAYOUT.bias2, 0, 2, 3)).toBe(theta.leaves.bankBias2[2 * 3 + 2]);
  });
});
