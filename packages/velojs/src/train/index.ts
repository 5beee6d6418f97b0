/**
 * `velojs/training`: what `velojs train` and the playground share, so that the same seed gives the same curve in both.
 * Tasks and their data, networks with gradients from jax-js, the optimizers that are compared. Nothing here needs Node.
 */
export { parseCsv, type Table } from './data/csv.ts';
export { type Dataset, sliceExamples } from './data/dataset.ts';
export { damagedGzip, type IdxFile, isGzipped, parseIdx } from './data/idx.ts';
export { type ColumnSummary, type Kind, summariseColumns, type TableOptions } from './data/table.ts';
export { type Jax, loadJax } from './jax.ts';
export { createModel, type Evaluation, type HostParameters, type Model } from './model.ts';
export {
  ADAM_DEFAULT_RATE,
  type Optimizer,
  type OptimizerSpec,
  optimizerLabel,
  optimizersFor,
  SWEEP,
  type VeloSettings,
} from './optimizers.ts';
export { logTicks } from './report/scale.ts';
export { friedmanInput, friedmanMean } from './tasks/friedman.ts';
export { GLYPH_SIDE } from './tasks/glyphs.ts';
export { createTask, DEFAULT_BATCH_SIZE, DEFAULT_STEPS, TASK_NAMES } from './tasks/index.ts';
export { csvTask, idxTask, type NamedBytes, type SplitSettings } from './tasks/own-data.ts';
export type { Task, TaskSettings } from './tasks/task.ts';
export { type Run, startTraining, type Training } from './training.ts';
