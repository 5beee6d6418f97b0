/** Images of stripes and checks, for networks that look at neighbouring pixels. */
import { derive, type Key, Random, threefry } from '../random.ts';
import { type Counts, type Data, split, total } from './data.ts';

export interface TexturesOptions extends Counts {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classes: number;
  /** Half the range of what is added to every number; stripes go from about -1 to 1. */
  readonly noise: number;
}

/**
 * A class is two waves, each with a direction, a length and a strength in every channel. Its images differ in where the
 * waves begin, a little in direction, in contrast and in noise. Inputs are `[height, width, channels]`, targets the
 * numbers of the classes.
 */
export function textures(options: TexturesOptions, key: Key): Data {
  const { height, width, channels, classes, noise } = options;
  const count = total(options);
  const random = new Random(key);
  const kinds = Array.from({ length: classes }, () => [wave(random, channels), wave(random, channels)] as const);
  const pixels = new Float32Array(count * height * width * channels);
  const labels = new Float32Array(count);
  const waves = new Float64Array(height * width * channels);
  const noiseKey = derive(key, 1);
  const words = new Uint32Array(waves.length + 1);
  for (let image = 0; image < count; image++) {
    const label = random.integer(classes);
    labels[image] = label;
    const contrast = random.uniform(0.6, 1.2);
    waves.fill(0);
    for (const { x, y, strengths } of kinds[label]!) {
      const turn = random.uniform(-0.15, 0.15);
      const [sine, cosine] = [Math.sin(turn), Math.cos(turn)];
      const start = random.uniform(0, 2 * Math.PI);
      addWave(waves, width, cosine * x - sine * y, sine * x + cosine * y, start, contrast, strengths);
    }
    for (let i = 0; i < waves.length; i += 2) threefry(noiseKey, image, i, words, i);
    for (let i = 0; i < waves.length; i++) {
      pixels[image * waves.length + i] = waves[i]! + noise * (words[i]! / 2 ** 31 - 1);
    }
  }
  return split(pixels, labels, options);
}

/** Adds `contrast strengths[c] sin(start + byColumn x + byRow y)`: a product of rows and columns, as sines are slow. */
function addWave(
  image: Float64Array,
  width: number,
  byColumn: number,
  byRow: number,
  start: number,
  contrast: number,
  strengths: readonly number[],
): void {
  const sines = Float64Array.from({ length: width }, (_, x) => Math.sin(byColumn * x));
  const cosines = Float64Array.from({ length: width }, (_, x) => Math.cos(byColumn * x));
  for (let y = 0, at = 0; at < image.length; y++) {
    const sine = contrast * Math.sin(start + byRow * y);
    const cosine = contrast * Math.cos(start + byRow * y);
    for (let x = 0; x < width; x++) {
      const height = sine * cosines[x]! + cosine * sines[x]!;
      for (let c = 0; c < strengths.length; c++, at++) image[at]! += height * strengths[c]!;
    }
  }
}

/** 2.2 to 8 pixels long. */
function wave(random: Random, channels: number) {
  const angle = random.uniform(0, Math.PI);
  const frequency = (2 * Math.PI) / random.logUniform(2.2, 8);
  const strengths = Array.from({ length: channels }, () => random.uniform(-0.7, 0.7));
  return { x: frequency * Math.cos(angle), y: frequency * Math.sin(angle), strengths };
}
