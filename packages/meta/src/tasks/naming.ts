/** Names of tasks that a family has drawn. */
import type { Key } from '../random.ts';
import type { Task } from '../task.ts';

/** The task with a mark of its key in its name, so that two of the same sizes are told apart. */
export const named = (task: Task, key: Key): Task => ({ ...task, name: `${task.name} #${mark(key)}` });

const mark = (key: Key): string => ((key[0] ^ Math.imul(key[1], 0x9e3779b1)) >>> 0).toString(16).padStart(8, '0');
