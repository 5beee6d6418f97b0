/** Many short and long trainings at all scales of the loss: whether an optimizer ever diverges. */
import { derive, keyOf, Random } from '../random.ts';
import { scaledLoss } from '../tasks/augmentation.ts';
import { glyphAutoencoders, manifoldAutoencoders } from '../tasks/autoencoder.ts';
import { blobClassifiers, glyphClassifiers, spiralClassifiers, teacherClassifiers } from '../tasks/classification.ts';
import { convolutions } from '../tasks/convolution.ts';
import { quadratics } from '../tasks/quadratic.ts';
import { recurrents } from '../tasks/recurrent.ts';
import { curveRegressions, linearRegressions, logisticRegressions } from '../tasks/regression.ts';
import { keyNamed } from './sampled-task.ts';
import type { Suite, SuiteTask } from './suite.ts';

const ROOT = keyOf(2 ** 52 + 6103);
const TASKS = 500;

const FAMILIES = [
  blobClassifiers,
  teacherClassifiers,
  spiralClassifiers,
  glyphClassifiers,
  curveRegressions,
  glyphAutoencoders,
  manifoldAutoencoders,
  linearRegressions,
  logisticRegressions,
  quadratics,
  convolutions,
  recurrents,
];

/** 500 tasks without baselines, losses times 1e-3 to 1e3, for 50 to 10,000 steps (both log-uniform); one seed will do. */
export function robustnessSuite(): Suite {
  return {
    name: 'robustness',
    version: 1,
    compared: false,
    extent: 1,
    tasks: Array.from({ length: TASKS }, (_, i): SuiteTask => {
      const name = `task-${i}`;
      const key = keyNamed(ROOT, name);
      const random = new Random(key);
      const steps = Math.round(random.logUniform(50, 10_000));
      const factor = random.logUniform(1e-3, 1e3);
      const family = FAMILIES[i % FAMILIES.length]!;
      return { name, group: family.name, steps, create: () => scaledLoss(family.sample(derive(key, 1)), factor) };
    }),
  };
}
