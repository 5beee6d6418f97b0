import { expect, it } from 'vitest';
import type { Contender } from './contender.ts';
import { checkResults } from './correctness.ts';
import { assemblyAdam } from './optimizers/assembly-adam.ts';
import { directController } from './optimizers/direct-controller.ts';
import { plainAdam } from './optimizers/plain-adam.ts';

/** The same, but for one number of its results. */
const spoilt = (contender: Contender, error: number): Contender => ({
  ...contender,
  name: 'spoilt',
  start(problem) {
    const training = contender.start(problem);
    return {
      ...training,
      parameters: async () => {
        const trained = await training.parameters();
        trained[0]![5]! += error;
        return trained;
      },
    };
  },
});

it('lets our WASM Adam pass', async () => {
  await checkResults([await assemblyAdam()]);
});

it('lets the direct form of the network per tensor pass', async () => {
  await directController([[20, 30], [7], []]);
});

// A step of Adam is about 1e-3.
it.each([1e-5, -1, NaN])('refuses results of which one number is wrong by %d', async (error) => {
  await expect(checkResults([plainAdam, spoilt(plainAdam, error)])).rejects.toThrow(/spoilt is wrong in array 0 of 6/);
});
