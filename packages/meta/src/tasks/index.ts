/** The families of tasks that there are. */
import { VeloError } from '@velojs/core';
import type { TaskFamily } from '../task.ts';
import { attentions } from './attention.ts';
import { glyphAutoencoders, manifoldAutoencoders } from './autoencoder.ts';
import { blobClassifiers, glyphClassifiers, spiralClassifiers, teacherClassifiers } from './classification.ts';
import { convolutions } from './convolution.ts';
import { languages } from './language.ts';
import { matrixFactorisations } from './matrix-factorisation.ts';
import { quadratics } from './quadratic.ts';
import { recurrents } from './recurrent.ts';
import { curveRegressions, linearRegressions, logisticRegressions } from './regression.ts';
import { testFunctions } from './test-functions.ts';

const families: readonly TaskFamily[] = [
  // dense networks
  blobClassifiers,
  teacherClassifiers,
  spiralClassifiers,
  glyphClassifiers,
  glyphAutoencoders,
  manifoldAutoencoders,
  curveRegressions,
  linearRegressions,
  logisticRegressions,
  // other networks
  convolutions,
  recurrents,
  languages,
  attentions,
  // no networks
  matrixFactorisations,
  quadratics,
  testFunctions,
];

/** All families by their names. */
export const FAMILIES: Readonly<Record<string, TaskFamily>> = Object.fromEntries(
  families.map((family) => [family.name, family]),
);

/**
 * A family by its name.
 *
 * @throws VeloError `INVALID_ARGUMENT`, whose message has the names that there are.
 * @example
 * ```ts
 * const task = familyNamed('quadratic').sample(keyOf(1));
 * ```
 */
export function familyNamed(name: string): TaskFamily {
  const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined;
  if (!family) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `There is no task family "${name}"; there are ${Object.keys(FAMILIES).sort().join(', ')}.`,
    );
  }
  return family;
}
