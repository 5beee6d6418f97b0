/** Images of a made-up alphabet: each letter a few strokes, each image another turn, size, place, pen and noise. */
import { derive, type Key, Random, threefry } from '../random.ts';
import { type Counts, type Data, split, total } from './data.ts';

export interface GlyphsOptions extends Counts {
  /** Letters: 10. */
  readonly classes?: number;
  /** Pixels of a side: 8. */
  readonly side?: number;
  /** How far an image may be from the letter, 1 for turns of 0.25 rad, sizes x0.8 to 1.25, shifts of 8 % of the side: 1. */
  readonly variation?: number;
  /** Noise of every pixel, uniform from minus to plus this: 0.2. */
  readonly noise?: number;
}

/** Points of a stroke that a curve is cut into. */
const CURVE_POINTS = 5;

/** Numbers of a segment: start x and y, end minus start x and y. */
const SEGMENT = 4;

/** A polyline of `[x0, y0, x1, y1, ...]` within -1..1. */
type Stroke = readonly number[];

/** Inputs are images of `side * side` pixels, row by row, from 0 to 1 (and noise); targets are the numbers of the letters. */
export function glyphs(options: GlyphsOptions, key: Key): Data {
  const { classes = 10, side = 8, variation = 1, noise = 0.2 } = options;
  const random = new Random(key);
  const alphabet = Array.from({ length: classes }, () => letter(random));
  const count = total(options);
  const pixels = side * side;
  const images = new Float32Array(count * pixels);
  const labels = Float32Array.from({ length: count }, () => random.integer(classes));
  const segments = new Float64Array(SEGMENT * Math.max(...alphabet.map(segmentCount)));
  for (let i = 0; i < count; i++) {
    const used = place(alphabet[labels[i]!]!, side, variation, random, segments);
    draw(segments, used, random.uniform(0.3, 0.7) * (side / 8), images.subarray(i * pixels, (i + 1) * pixels), side);
  }
  addNoise(images, noise, derive(key, 1));
  return split(images, labels, options);
}

/** Two or three strokes, straight or bent, between points of a 3 x 3 grid, each moved a little. */
function letter(random: Random): Stroke[] {
  const point = (): [number, number] => [
    0.8 * (random.integer(3) - 1) + random.uniform(-0.2, 0.2),
    0.8 * (random.integer(3) - 1) + random.uniform(-0.2, 0.2),
  ];
  return Array.from({ length: 2 + random.integer(2) }, () => {
    const [start, middle, end] = [point(), point(), point()];
    if (random.chance(0.5)) return [...start, ...middle, ...end];
    // A quadratic curve that is drawn to its middle point.
    return Array.from({ length: CURVE_POINTS }, (_, i) => {
      const t = i / (CURVE_POINTS - 1);
      return [0, 1].map((axis) => (1 - t) ** 2 * start[axis]! + 2 * t * (1 - t) * middle[axis]! + t * t * end[axis]!);
    }).flat();
  });
}

const segmentCount = (strokes: readonly Stroke[]): number =>
  strokes.reduce((sum, stroke) => sum + stroke.length / 2 - 1, 0);

/** Writes the strokes' segments, in pixels after a random affine map; returns how many numbers that are. */
function place(
  strokes: readonly Stroke[],
  side: number,
  variation: number,
  random: Random,
  segments: Float64Array,
): number {
  const angle = 0.25 * variation * random.uniform(-1, 1);
  const shear = 0.2 * variation * random.uniform(-1, 1);
  const size = 0.36 * side * 1.25 ** (variation * random.uniform(-1, 1));
  const stretch = 1.2 ** (variation * random.uniform(-1, 1));
  const centreX = (side - 1) / 2 + 0.08 * side * variation * random.uniform(-1, 1);
  const centreY = (side - 1) / 2 + 0.08 * side * variation * random.uniform(-1, 1);
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  let used = 0;
  for (const stroke of strokes) {
    let [beforeX, beforeY] = [0, 0];
    for (let i = 0; i < stroke.length; i += 2) {
      const u = size * stretch * (stroke[i]! + shear * stroke[i + 1]!);
      const v = (size / stretch) * stroke[i + 1]!;
      const x = centreX + cosine * u - sine * v;
      const y = centreY + sine * u + cosine * v;
      if (i > 0) {
        segments[used++] = beforeX;
        segments[used++] = beforeY;
        segments[used++] = x - beforeX;
        segments[used++] = y - beforeY;
      }
      [beforeX, beforeY] = [x, y];
    }
  }
  return used;
}

/** Ink where the nearest segment is nearer than the pen is wide, less up to a pixel further. */
function draw(segments: Float64Array, used: number, pen: number, image: Float32Array, side: number): void {
  const reach = pen + 0.5;
  // Squared distances first, as far as the pen reaches.
  image.fill(reach * reach);
  for (let at = 0; at < used; at += SEGMENT) {
    const startX = segments[at]!;
    const startY = segments[at + 1]!;
    const alongX = segments[at + 2]!;
    const alongY = segments[at + 3]!;
    const square = alongX * alongX + alongY * alongY + 1e-9;
    const left = Math.max(0, Math.ceil(Math.min(startX, startX + alongX) - reach));
    const right = Math.min(side - 1, Math.floor(Math.max(startX, startX + alongX) + reach));
    const top = Math.max(0, Math.ceil(Math.min(startY, startY + alongY) - reach));
    const bottom = Math.min(side - 1, Math.floor(Math.max(startY, startY + alongY) + reach));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const toX = x - startX;
        const toY = y - startY;
        let part = (toX * alongX + toY * alongY) / square;
        if (part < 0) part = 0;
        else if (part > 1) part = 1;
        const offX = toX - part * alongX;
        const offY = toY - part * alongY;
        const distance = offX * offX + offY * offY;
        if (distance < image[y * side + x]!) image[y * side + x] = distance;
      }
    }
  }
  for (let i = 0; i < image.length; i++) image[i] = Math.min(1, reach - Math.sqrt(image[i]!));
}

/** 16 bits are enough for noise: four pixels per block of random numbers. */
function addNoise(images: Float32Array, noise: number, key: Key): void {
  if (noise === 0) return;
  const words = new Uint32Array(2);
  const halves = new Uint16Array(words.buffer);
  for (let i = 0; i < images.length; i++) {
    if (i % 4 === 0) threefry(key, 0, i, words);
    images[i] = images[i]! + noise * (halves[i % 4]! / 2 ** 15 - 1);
  }
}
