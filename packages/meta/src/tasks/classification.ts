/** Families of classifiers: networks of dense layers on data that is made. */
import { denseTask } from '../dense/task.ts';
import { derive, type Key, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { drawArchitecture, drawLabelNoise } from './architecture.ts';
import type { Data } from './data.ts';
import { glyphs } from './glyphs.ts';
import { named } from './naming.ts';
import { blobs, spirals } from './point-clouds.ts';
import { teacherClasses } from './teacher.ts';

/** A classifier of `data` with a random architecture. */
function classifier(of: string, data: Data, classes: number, random: Random, key: Key): Task {
  const architecture = drawArchitecture(random);
  const { hidden, activation, batchSize } = architecture;
  const widths = [data.training.inputs.length / data.training.count, ...hidden, classes].join('-');
  const name = `classify ${of} ${widths}${hidden.length > 0 ? ` ${activation}` : ''}, batch ${batchSize}`;
  return named(denseTask({ ...architecture, ...data, name, outputs: classes, loss: 'softmax' }), key);
}

/** Gaussian blobs of 2 to 10 classes in 2 to 16 dimensions, apart or overlapping. */
export const blobClassifiers: TaskFamily = {
  name: 'blobs',
  sample(key) {
    const random = new Random(key);
    const classes = 2 + random.integer(9);
    const options = {
      classes,
      dimensions: 2 + random.integer(15),
      blobsPerClass: 1 + random.integer(3),
      spread: random.logUniform(0.2, 1),
      labelNoise: drawLabelNoise(random),
    };
    return classifier('blobs', blobs(options, derive(key, 1)), classes, random, key);
  },
};

/** The answers of random networks, 2 to 10 classes, 4 to 24 dimensions. */
export const teacherClassifiers: TaskFamily = {
  name: 'teacher',
  sample(key) {
    const random = new Random(key);
    const outputs = 2 + random.integer(9);
    const options = {
      outputs,
      dimensions: 4 + random.integer(21),
      width: 4 + random.integer(21),
      roughness: random.logUniform(0.4, 4),
      labelNoise: drawLabelNoise(random),
    };
    return classifier('teacher', teacherClasses(options, derive(key, 1)), outputs, random, key);
  },
};

/** Two to four spirals, in the plane or in up to 6 dimensions. */
export const spiralClassifiers: TaskFamily = {
  name: 'spirals',
  sample(key) {
    const random = new Random(key);
    const arms = 2 + random.integer(3);
    const options = {
      arms,
      turns: random.uniform(0.5, 1.5),
      noise: random.logUniform(0.01, 0.1),
      dimensions: random.chance(0.6) ? 2 : 3 + random.integer(4),
      otherNoise: random.uniform(0.05, 0.4),
    };
    return classifier('spirals', spirals(options, derive(key, 1)), arms, random, key);
  },
};

/** Images of 8 x 8 pixels of the 3 to 10 letters of a made-up alphabet. */
export const glyphClassifiers: TaskFamily = {
  name: 'glyphs',
  sample(key) {
    const random = new Random(key);
    const classes = random.chance(0.6) ? 10 : 3 + random.integer(7);
    const options = { classes, variation: random.uniform(0.3, 1.5), noise: random.uniform(0, 0.5) };
    return classifier('glyphs', glyphs(options, derive(key, 1)), classes, random, key);
  },
};
