/** The estimates of ES and PES against finite differences of the objective, on one small task. */
import { wasm } from '@velojs/backend-wasm';
import { starterTheta } from '@velojs/weights';
import { describe, expect, it } from 'vitest';
import { Episodes } from './episodes.ts';
import { Particles } from './particles.ts';
import { derive, keyOf } from './random.ts';
import { Search } from './search.ts';
import { createSearchSpace } from './search-space.ts';
import { families } from './testing-tasks.ts';

const STEPS = 24;
const PAIRS = 400;
const space = createSearchSpace(starterTheta(), { stepBias: { scale: 10 }, bankBias2: { scale: 0.002, bank: [0] } });

async function setUp(truncation: number | null, pairs: number, sigma: number, family = families.bowl!) {
  const episodes = new Episodes(keyOf(1), { pairs, horizon: { low: STEPS, high: STEPS }, truncation });
  const perturbationKey = derive(keyOf(2), 0);
  const particles = new Particles({
    ...{ backend: await wasm({ simd: 'plain' }), space, episodes, perturbationKey },
    families: () => family,
    settings: { sigma, truncation, floor: 0.003 },
  });
  // A learning rate of nothing: all updates see the same theta.
  const search = new Search(
    {
      ...{ size: space.size, pairs, sigma, squash: null, updates: 1000 },
      ...{ learningRate: 1e-300, finalRate: 1, clip: 1e9, averaging: 0 },
    },
    episodes,
    perturbationKey,
  );
  return { particles, search };
}

/** The mean gradient of the updates of one episode, times their number: the gradient of the episode's objective. */
async function estimate(truncation: number | null): Promise<Float64Array> {
  const { particles, search } = await setUp(truncation, PAIRS, 0.02);
  const updates = truncation === null ? 1 : STEPS / truncation;
  const sum = new Float64Array(space.size);
  for (let update = 0; update < updates; update++) {
    const { first, step } = search.state;
    search.update(Array.from({ length: PAIRS }, (_, pair) => particles.run(pair, step, (at) => search.centre(at))));
    search.state.first.forEach((m, i) => {
      sum[i]! += (m - 0.9 * first[i]!) / 0.1;
    });
  }
  particles.dispose();
  return sum;
}

/** Of the objective of a whole episode, by central differences: a pair perturbed along one axis is just that. */
async function finiteDifferences(): Promise<number[]> {
  const h = 1e-3;
  const { particles } = await setUp(null, 1, 1e-12);
  const objective = (z: Float64Array) => particles.run(0, 0, () => z)[0];
  return Array.from({ length: space.size }, (_, i) => {
    const at = (value: number) => objective(new Float64Array(space.size).with(i, value));
    return (at(h) - at(-h)) / (2 * h);
  });
}

describe('gradient estimates', () => {
  it.each([
    ['ES', null, 0.15],
    ['PES', 6, 0.3],
  ] as const)('%s agrees with finite differences', async (_, truncation, tolerance) => {
    const [expected, found] = [await finiteDifferences(), await estimate(truncation)];
    const length = Math.hypot(...expected);
    expect(length).toBeGreaterThan(0.01);
    const error = Math.hypot(...expected.map((value, i) => value - found[i]!));
    expect(error / length).toBeLessThan(tolerance);
  });

  it('a truncated episode adds up to the whole one', async () => {
    const [whole, cut] = [await setUp(null, 1, 0.02), await setUp(7, 1, 1e-12)];
    const z = new Float64Array(space.size);
    const tiny = await setUp(null, 1, 1e-12);
    const sum = [0, 0];
    for (let step = 0; step < Math.ceil(STEPS / 7); step++) {
      cut.particles
        .run(0, step, () => z)
        .forEach((value, sign) => {
          sum[sign]! += value;
        });
    }
    const expected = tiny.particles.run(0, 0, () => z);
    expect(sum[0]).toBeCloseTo(expected[0], 5);
    expect(whole.particles.run(0, 0, () => z)[0]).not.toBeCloseTo(expected[0], 5);
  });

  it('a pair that failed half way is repeated from the beginning of its episode', async () => {
    let calls = 0;
    const sound = families.bowl!.sample(keyOf(0));
    const lossAndGradients: typeof sound.lossAndGradients = (...args) => {
      // In the second truncation, when the first particle has gone through it.
      if (++calls === 2 * 6 + 8) throw new Error('once');
      return sound.lossAndGradients(...args);
    };
    const frail = await setUp(6, 1, 0.02, { name: 'frail', sample: () => ({ ...sound, lossAndGradients }) });
    const kept = await setUp(6, 1, 0.02);
    const centre = () => new Float64Array(space.size);
    frail.particles.run(0, 0, centre);
    expect(() => frail.particles.run(0, 1, centre)).toThrow('once');
    kept.particles.run(0, 0, centre);
    expect(frail.particles.run(0, 1, centre)).toEqual(kept.particles.run(0, 1, centre));
  });

  it('takes as many numbers as theta may have', () => {
    const size = 200_000;
    const episodes = new Episodes(keyOf(1), { pairs: 1, horizon: { low: 1, high: 1 }, truncation: null });
    const settings = {
      size,
      pairs: 1,
      sigma: 1,
      squash: null,
      updates: 1,
      learningRate: 1,
      finalRate: 1,
      clip: 1,
      averaging: 0,
    };
    const { gradientNorm } = new Search(settings, episodes, keyOf(2)).update([[1, -1]]);
    expect(gradientNorm / Math.sqrt(size)).toBeCloseTo(1, 2);
  });

  it('a pair whose state is gone is repeated from the beginning of its episode', async () => {
    const kept = await setUp(6, 3, 0.02);
    const late = await setUp(6, 3, 0.02);
    const z = Float64Array.from({ length: space.size }, () => 0.01);
    const centre = (step: number) => z.map((value) => value * step);
    const results = [0, 1, 2].map((step) => kept.particles.run(2, step, centre));
    expect(late.particles.run(2, 2, centre)).toEqual(results[2]);
    expect(new Set(results.flat()).size).toBe(6);
  });
});
