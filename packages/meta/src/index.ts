export { type MetaConfig, parseConfig } from './config.ts';
export { type MetaProgress, type MetaTrainOptions, metaTrain, type Validation } from './meta-train.ts';
export {
  type QueueWorkersOptions,
  queueWorkers,
  type RunAddress,
  type ServeWorkerOptions,
  serveWorker,
} from './queue/index.ts';
export { derive, type Key, keyOf, Random } from './random.ts';
export type { UpdateSummary } from './search.ts';
export type { TrainedLeaf, TrainedLeaves } from './search-space.ts';
export type { Task, TaskFamily } from './task.ts';
export { threads } from './threads.ts';
export { Training } from './training.ts';
export { ownThread, type StartWorkers, type Workers } from './workers.ts';
