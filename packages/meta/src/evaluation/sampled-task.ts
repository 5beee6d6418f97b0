/** Tasks of a suite that are drawn from families. */
import { derive, type Key } from '../random.ts';
import type { TaskFamily } from '../task.ts';
import type { SuiteTask } from './suite.ts';

/** The key of a name: does not change when other names come or go. */
export const keyNamed = (root: Key, name: string): Key =>
  derive(root, ...Array.from(name, (character) => character.charCodeAt(0)));

/** The task of `family` with the number `index`, under the name `<prefix><family>-<index>`. */
export function sampledTask(
  family: TaskFamily,
  index: number,
  { root, group, steps, prefix = '' }: { root: Key; group: string; steps: number; prefix?: string },
): SuiteTask {
  const name = `${prefix}${family.name}-${index}`;
  return { name, group, steps, create: () => family.sample(keyNamed(root, name)) };
}
