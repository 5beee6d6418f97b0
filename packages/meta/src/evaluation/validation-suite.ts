/** What to choose a theta by while it is meta-trained. */
import { keyOf } from '../random.ts';
import type { Task } from '../task.ts';
import { scaledLoss } from '../tasks/augmentation.ts';
import { glyphAutoencoders, manifoldAutoencoders } from '../tasks/autoencoder.ts';
import { blobClassifiers, glyphClassifiers, teacherClassifiers } from '../tasks/classification.ts';
import { curveRegressions, linearRegressions, logisticRegressions } from '../tasks/regression.ts';
import { sampledTask } from './sampled-task.ts';
import type { Suite, SuiteTask } from './suite.ts';

/** Other tasks than those of the held-out suite. */
const ROOT = keyOf(2 ** 52 + 6102);

const FAMILIES = [
  blobClassifiers,
  teacherClassifiers,
  glyphClassifiers,
  curveRegressions,
  glyphAutoencoders,
  manifoldAutoencoders,
  linearRegressions,
  logisticRegressions,
];

const HORIZONS = [
  { steps: 100, perFamily: 3 },
  { steps: 400, perFamily: 3 },
  { steps: 1600, perFamily: 3 },
  { steps: 6400, perFamily: 2 },
] as const;

/** Twice the longest of those. */
const BEYOND_STEPS = 12_800;

/**
 * 128 tasks without baselines, in groups: those of families for 100, 400, 1,600 and 6,400 steps, and what a
 * theta must stand: losses times 100 and 1,000, output layers that start at zero, and 12,800 steps. The same for every
 * theta, so that scores can be compared group by group.
 */
export function validationSuite(): Suite {
  const tasks = (group: string, steps: number, perFamily: number, change?: (task: Task) => Task): SuiteTask[] =>
    FAMILIES.flatMap((family) =>
      Array.from({ length: perFamily }, (_, index) => {
        const task = sampledTask(family, index, { root: ROOT, group, steps, prefix: `${group} ` });
        return change ? { ...task, create: () => change(task.create()) } : task;
      }),
    );
  return {
    name: 'validation',
    version: 1,
    compared: false,
    extent: 1,
    tasks: [
      ...HORIZONS.flatMap(({ steps, perFamily }) => tasks(`N = ${steps}`, steps, perFamily)),
      ...tasks('loss x100', 800, 1, (task) => scaledLoss(task, 100)),
      ...tasks('loss x1000', 800, 1, (task) => scaledLoss(task, 1000)),
      ...tasks('zero output layer', 800, 2, withZeroOutputs),
      ...tasks(`N = ${BEYOND_STEPS}`, BEYOND_STEPS, 1),
    ],
  };
}

/** The last matrix starts at 0, and what follows it, which is its bias. */
function withZeroOutputs(task: Task): Task {
  const last = task.shapes.findLastIndex((shape) => shape.length > 1);
  return {
    ...task,
    name: `${task.name}, zero output layer`,
    initialParameters: (key) =>
      task.initialParameters(key).map((values, j) => (j < last ? values : new Float32Array(values.length))),
  };
}
