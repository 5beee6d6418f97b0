/** The families of `testing-mortal-family.ts`, and one that takes for ever the first time, which a file tells. */
import { existsSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { TaskFamily } from '../task.ts';
import { families as others } from '../testing-mortal-family.ts';

export const families: Readonly<Record<string, TaskFamily>> = {
  ...others,
  stuck: {
    name: 'stuck',
    sample(key) {
      const file = process.env.VELOJS_TEST_STUCK;
      if (!isMainThread && file && !existsSync(file)) {
        writeFileSync(file, '');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      return others.bowl!.sample(key);
    },
  },
};
