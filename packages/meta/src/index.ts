export { derive, type Key, keyOf, Random } from './random.ts';
export type { Task, TaskFamily } from './task.ts';
