import { readFileSync } from 'node:fs';
import { decodeTheta, veloMini } from '@velojs/weights';
import { expect, it } from 'vitest';
import { parseConfig } from './config.ts';
import { Replica } from './replica.ts';

const file = (name: string) => new URL(`../velo-mini/${name}`, import.meta.url);
const config = parseConfig(JSON.parse(readFileSync(file('config.json'), 'utf8')));
const log = readFileSync(file('log.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { step: number; objective?: number; isBest?: boolean });

// Engines round exp and its like differently, and trainings amplify it: exact for the engine it was trained with.
it.runIf(process.version.startsWith('v20.'))(
  'is trained by this code: its first update gives what its log says',
  async () => {
    const replica = await Replica.create(config);
    const { objective } = replica.update(Array.from({ length: config.pairs }, (_, pair) => replica.runPair(pair)));
    expect(objective).toBe(log.find((line) => line.step === 1 && line.objective !== undefined)!.objective);
    replica.dispose();
  },
);

it('is the theta with the best validation, in half precision', () => {
  const { theta, metadata } = decodeTheta(readFileSync(file('best.theta')));
  expect(metadata.description).toContain(`update ${log.findLast(({ isBest }) => isBest)!.step},`);
  for (const [leaf, values] of Object.entries(veloMini().leaves)) {
    const exact = theta.leaves[leaf as keyof typeof theta.leaves];
    for (const [i, value] of values.entries()) {
      expect(Math.abs(value - exact[i]!)).toBeLessThanOrEqual(2 ** -11 * Math.abs(exact[i]!) + 3e-8);
    }
  }
});
