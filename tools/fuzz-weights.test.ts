/** A share of `npm run fuzz`, always the same mutations; and whether it would notice what it looks for. */
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CELO, fuzz, outcomeOf, specimens } from './fuzz-weights.ts';

const all = await specimens();
const mutations = (name: string) => (['bare_chunked', 'bare_old_namedtuple', 'celo'].includes(name) ? 1000 : 20_000);
const prototypes = () => [Object.prototype, Array.prototype, Function.prototype].map(Object.getOwnPropertyNames);

it.each(all.map((specimen) => [specimen.name, specimen] as const))(
  '%s, damaged at random, ends in a theta or in WEIGHTS_INVALID',
  async (name, specimen) => {
    const before = { prototypes: prototypes(), memory: process.resourceUsage().maxRSS };
    const { read, recognised, refused } = await fuzz(specimen, mutations(name), 1);
    // Damage of every depth: some of it is numbers only, some of it is names and shapes, most of it is structure.
    if (name !== 'celo') expect(read).toBeGreaterThan(mutations(name) / 100);
    expect(recognised).toBeGreaterThan(mutations(name) / 100);
    expect(refused).toBeGreaterThan(mutations(name) / 2);
    expect(prototypes()).toEqual(before.prototypes);
    // The largest announced sizes are 4 GiB.
    expect(process.resourceUsage().maxRSS - before.memory).toBeLessThan(512 * 1024);
  },
);

if (!existsSync(CELO)) it.skip(`celo: there is no file at ${CELO}`, () => {});

it('an undamaged file of every format is read', async () => {
  for (const { name, files } of all) expect(await outcomeOf(files)).toBe(name === 'celo' ? 'recognised' : 'read');
});

it('mutations depend on the seed and the number alone', async () => {
  const [specimen] = all;
  const whole = await fuzz(specimen!, 40, 7);
  const parts = [await fuzz(specimen!, 10, 7), await fuzz(specimen!, 30, 7, 10)];
  expect(parts[0]!.refused + parts[1]!.refused).toBe(whole.refused);
  expect(parts[0]!.read + parts[1]!.read).toBe(whole.read);
});

it('an error of another kind is none of the ways that are right', async () => {
  const bytes = all[0]!.files[0]!.slice();
  Object.defineProperty(bytes, 'subarray', { value: () => (undefined as never as Uint8Array).length });
  await expect(outcomeOf([bytes])).rejects.toThrow(TypeError);
});
