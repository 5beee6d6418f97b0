import { expect, it } from 'vitest';
import type { Task } from './contender.ts';
import { measure } from './measure.ts';

const spin = () => {
  const end = process.hrtime.bigint() + 200_000n;
  while (process.hrtime.bigint() < end);
};

it('gives every task one sample per round, prepared and finished', async () => {
  const events: string[] = [];
  const task = (name: string): Task => ({
    prepare: () => events.push(`prepare ${name}`),
    run() {
      spin();
      if (events.at(-1) !== `run ${name}`) events.push(`run ${name}`);
    },
    finish: async () => {
      await Promise.resolve();
      events.push(`finish ${name}`);
    },
    dispose() {},
  });
  const samples = await measure([task('a'), task('b')], 4);
  expect(samples.map(({ cpu, wall }) => [cpu.length, wall.length])).toEqual([
    [4, 4],
    [4, 4],
  ]);
  // Nanoseconds per run: no run is shorter than it spins.
  for (const time of samples.flatMap(({ wall }) => wall)) expect(time).toBeGreaterThanOrEqual(200_000);

  const series = Array.from({ length: events.length / 3 }, (_, i) => events.slice(3 * i, 3 * i + 3));
  for (const [prepared, run, finished] of series) {
    const name = prepared!.at(-1);
    expect([prepared, run, finished]).toEqual([`prepare ${name}`, `run ${name}`, `finish ${name}`]);
  }
  // In every round, whatever its order, both take part.
  const rounds = series.slice(-8).map(([prepared]) => prepared!.at(-1)!);
  for (let round = 0; round < 4; round++) {
    expect(rounds.slice(2 * round, 2 * round + 2).toSorted()).toEqual(['a', 'b']);
  }
});
