import { describe, expect, it } from 'vitest';
import { createLossBuffer, type HostLossBuffer, hostLossFeatures, lossDecays, pushHostLoss } from './index.ts';
import { deviceLoss, toDevice, withTotalSteps } from './loss-buffer.ts';
import { reference } from './reference/index.ts';

const push = (losses: readonly number[], totalSteps = 100): HostLossBuffer =>
  losses.reduce(pushHostLoss, createLossBuffer(totalSteps));

describe('loss buffer', () => {
  it('has half-lives from 10 to the length of training, also where that is below 10', () => {
    const halfLives = (totalSteps: number) => [...lossDecays(totalSteps)].map((decay) => -1 / Math.log(decay));
    expect(halfLives(1000)[0]).toBeCloseTo(10, 4);
    expect(halfLives(1000)[9]).toBeCloseTo(1000, 1);
    expect(halfLives(1000)[3]! / halfLives(1000)[2]!).toBeCloseTo(100 ** (1 / 9), 4);
    expect(halfLives(2)[9]).toBeCloseTo(2, 5);
  });

  it('rounds decays to float32', () => {
    for (const decay of lossDecays(777)) expect(Math.fround(decay)).toBe(decay);
  });

  it('cuts a jump at twice the largest mean', () => {
    const calm = push([1, 1, 1, 1]);
    expect(pushHostLoss(calm, 1e9).means).toEqual(pushHostLoss(calm, 1e6).means);
    expect(pushHostLoss(calm, 1.5).means).not.toEqual(pushHostLoss(calm, 1.4).means);
  });

  it('corrects the old means with the new count for that ceiling, so the second loss is cut at about 1.05', () => {
    const [a, b] = [push([1, 1.06]), push([1, 5])];
    expect(a.means).toEqual(b.means);
    expect(push([1, 1.04]).means).not.toEqual(a.means);
  });

  it('has features only from the third loss on, within -1 and 1', () => {
    expect([...hostLossFeatures(push([3, 2]))]).toEqual(Array(9).fill(0));
    const features = hostLossFeatures(push([3, 2, 1, 2, 4]));
    expect(features.some((x) => x !== 0)).toBe(true);
    expect(features.every((x) => Math.abs(x) <= 1)).toBe(true);
  });

  it('is -1 throughout for a constant loss: double precision leaves no noise', () => {
    const features = hostLossFeatures(push(Array(50).fill(0.7), 150_000));
    for (const x of features) expect(x).toBeCloseTo(-1, 3);
  });

  it('gives the same on a device', async () => {
    const losses = [4, 2.2, 1.4, 1.8, 2.2, 30, -1, -3, 0.5];
    const backend = reference();
    let host = createLossBuffer(60);
    let device = toDevice(backend, host);
    for (const value of losses) {
      host = pushHostLoss(host, value);
      const { features, ...pushed } = deviceLoss(backend, {
        ...device,
        count: host.count,
        loss: backend.tensor([value], []),
      });
      device = { ...device, count: host.count, ...pushed };
      const [actual] = await backend.read([features]);
      const expected = hostLossFeatures(host);
      actual!.forEach((x, k) => {
        expect(x).toBeCloseTo(expected[k]!, 6);
      });
    }
  });

  it('keeps its bias-corrected means when the length of training changes', () => {
    const backend = reference();
    const before = push([3, 2, 1], 50);
    const after = withTotalSteps(backend, before, 5_000) as HostLossBuffer;
    const means = ({ means: values, decays, count }: HostLossBuffer) =>
      [...values].map((mean, k) => mean / (1 - decays[k]! ** count));
    means(after).forEach((mean, k) => {
      expect(mean).toBeCloseTo(means(before)[k]!, 12);
    });
    expect(after.decays).toEqual(lossDecays(5_000));
    expect(withTotalSteps(backend, createLossBuffer(50), 5_000)).toEqual(createLossBuffer(5_000));
  });
});
