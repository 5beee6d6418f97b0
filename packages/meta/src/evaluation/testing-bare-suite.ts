/**
 * The suite for tests without baselines. Threads that make a task end while there is a file VELOJS_TEST_CRASH; it is removed
 * unless VELOJS_TEST_CRASH_AGAIN is set.
 */
import { existsSync, rmSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { Suite, SuiteTask } from './suite.ts';
import { testingSuite } from './testing-suite.ts';

const crashing = (task: SuiteTask): SuiteTask => ({
  ...task,
  create() {
    const file = process.env.VELOJS_TEST_CRASH;
    if (!isMainThread && file && existsSync(file)) {
      if (!process.env.VELOJS_TEST_CRASH_AGAIN) rmSync(file);
      process.exit(3);
    }
    return task.create();
  },
});

export default async function suite(): Promise<Suite> {
  const bare = testingSuite(false);
  return { ...bare, tasks: bare.tasks.map(crashing) };
}
