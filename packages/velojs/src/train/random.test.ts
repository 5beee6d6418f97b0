import { expect, it } from 'vitest';
import { createRandom } from './random.ts';

it('draws normal numbers with mean 0 and deviation 1', () => {
  const random = createRandom(0, 'weights');
  const values = Array.from({ length: 20_000 }, () => random.normal());
  const mean = values.reduce((sum, x) => sum + x / values.length, 0);
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2 / values.length, 0);
  expect(Math.abs(mean)).toBeLessThan(0.03);
  expect(Math.abs(variance - 1)).toBeLessThan(0.05);
});

it('permutes', () => {
  const order = createRandom(0, 'batches').permutation(100);
  expect([...order]).not.toEqual([...order.toSorted()]);
  expect([...order.toSorted()]).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

it('has a stream for each purpose', () => {
  expect(createRandom(3, 'data').uniform(0, 1)).not.toBe(createRandom(3, 'weights').uniform(0, 1));
});
