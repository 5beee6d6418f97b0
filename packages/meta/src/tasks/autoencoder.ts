/** Families of autoencoders: networks that say what they were told, through a narrow layer. */
import type { Activation, DenseLoss } from '../dense/network.ts';
import { denseTask } from '../dense/task.ts';
import { derive, type Key, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { drawTraining, drawWidth } from './architecture.ts';
import { type Counts, type Data, multiply, split, standardise, total } from './data.ts';
import { type GlyphsOptions, glyphs } from './glyphs.ts';
import { named } from './naming.ts';

export interface ManifoldOptions extends Counts {
  readonly dimensions: number;
  /** Of the manifold: how many numbers a point could be told by. */
  readonly latentDimensions: number;
  /** Deviation of what goes into the tanh that bends it: 1. Nearly flat at 0.2. */
  readonly curvature?: number;
}

/** Points on a bent sheet in space; targets are the inputs. */
export function manifold(options: ManifoldOptions, key: Key): Data {
  const { dimensions, latentDimensions, curvature = 1 } = options;
  const random = new Random(key);
  const places = random.normals(new Float32Array(total(options) * latentDimensions));
  const deviation = curvature / Math.sqrt(latentDimensions);
  const bends = random.normals(new Float32Array(latentDimensions * dimensions), deviation);
  const points = multiply(places, bends, latentDimensions).map(Math.tanh);
  standardise(points, dimensions);
  return split(points, points, options);
}

/** Images of glyphs; targets are the images, cut to 0..1 so that they fit the logistic loss too. */
export function glyphImages(options: GlyphsOptions, key: Key): Data {
  const { training, validation } = glyphs(options, key);
  const images = (examples: Data['training']) => ({
    count: examples.count,
    inputs: examples.inputs,
    targets: examples.inputs.map((x) => Math.min(1, Math.max(0, x))),
  });
  return { training: images(training), validation: images(validation) };
}

interface AutoencoderOptions {
  readonly of: string;
  readonly data: Data;
  readonly loss: DenseLoss;
  /** Width of the narrow layer. */
  readonly code: number;
}

/** One narrow hidden layer, or that between two wide ones. */
function autoencoder({ of, data, loss, code }: AutoencoderOptions, random: Random, key: Key): Task {
  const training = drawTraining(random);
  const wide = drawWidth(random);
  const hidden = random.chance(0.4) ? [code] : [wide, code, wide];
  const outputs = data.training.targets.length / data.training.count;
  const widths = [outputs, ...hidden, outputs].join('-');
  const activation: Activation = training.activation;
  const name = `autoencode ${of} ${widths} ${activation}${loss === 'logistic' ? ' logistic' : ''}, batch ${training.batchSize}`;
  return named(denseTask({ ...training, ...data, hidden, name, outputs, loss }), key);
}

/** Of 8 x 8 images of glyphs through 4 to 16 numbers, by squared or logistic loss. */
export const glyphAutoencoders: TaskFamily = {
  name: 'glyph-autoencoder',
  sample(key) {
    const random = new Random(key);
    const options = { variation: random.uniform(0.3, 1.2), noise: random.uniform(0, 0.3) };
    const data = glyphImages(options, derive(key, 1));
    const loss = random.chance(0.7) ? 'squared' : 'logistic';
    return autoencoder({ of: 'glyphs', data, loss, code: 4 * (1 + random.integer(4)) }, random, key);
  },
};

/** Of points on manifolds of 1 to 5 dimensions in 6 to 24. */
export const manifoldAutoencoders: TaskFamily = {
  name: 'manifold-autoencoder',
  sample(key) {
    const random = new Random(key);
    const latentDimensions = 1 + random.integer(5);
    const options = {
      latentDimensions,
      dimensions: 6 + random.integer(19),
      curvature: random.logUniform(0.3, 3),
    };
    const data = manifold(options, derive(key, 1));
    const code = latentDimensions + random.integer(4);
    return autoencoder({ of: 'manifold', data, loss: 'squared', code }, random, key);
  },
};
