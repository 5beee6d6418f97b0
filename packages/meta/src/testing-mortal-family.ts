/** The bowl of `testing-tasks.ts`, in families that end threads: `mortal` the one that first draws it, once per file that the environment names. */
import { existsSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { TaskFamily } from './task.ts';
import { families as others } from './testing-tasks.ts';

export const families: Readonly<Record<string, TaskFamily>> = {
  ...others,
  mortal: {
    name: 'mortal',
    sample(key) {
      const file = process.env.VELOJS_TEST_MORTAL;
      if (!isMainThread && file && (file === 'always' || !existsSync(file))) {
        if (file !== 'always') writeFileSync(file, '');
        process.exit(1);
      }
      return others.bowl!.sample(key);
    },
  },
  /** Ends the thread that draws it, when that has answered. */
  mayfly: {
    name: 'mayfly',
    sample(key) {
      if (!isMainThread) setTimeout(() => process.exit(1), 20);
      return others.bowl!.sample(key);
    },
  },
};
