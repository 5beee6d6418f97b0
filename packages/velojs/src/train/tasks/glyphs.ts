/** Digits drawn from strokes, each turned, scaled, shifted, wobbled and noisy: images that no file has to bring. */
import { type Dataset, oneHot } from '../data/dataset.ts';
import type { Random } from '../random.ts';

export const GLYPH_SIDE = 16;
const CLASSES = 10;

type Point = readonly [x: number, y: number];

/** Points on an ellipse; angles in turns, 0 at the right, clockwise because y points down. */
const arc = (x: number, y: number, rx: number, ry: number, from: number, to: number): Point[] =>
  Array.from({ length: 9 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / 8);
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)] as const;
  });

/** Strokes of the digits 0 to 9 within -1..1, y down. */
const STROKES: readonly (readonly Point[])[][] = [
  [arc(0, 0, 0.6, 0.95, 0, 1)],
  [
    [
      [-0.35, -0.55],
      [0.1, -0.95],
      [0.1, 0.95],
    ],
  ],
  [[...arc(0, -0.4, 0.55, 0.55, 0.5, 1.1), [-0.6, 0.95], [0.65, 0.95]]],
  [arc(-0.05, -0.45, 0.55, 0.5, 0.55, 1.25), arc(-0.05, 0.45, 0.6, 0.5, 0.75, 1.45)],
  [
    [
      [0.3, 0.95],
      [0.3, -0.95],
      [-0.65, 0.35],
      [0.7, 0.35],
    ],
  ],
  [
    [
      [0.6, -0.95],
      [-0.5, -0.95],
      [-0.55, -0.1],
    ],
    arc(-0.05, 0.35, 0.6, 0.6, 0.65, 1.4),
  ],
  [
    [
      [0.4, -0.95],
      [-0.45, 0],
    ],
    arc(0, 0.4, 0.55, 0.55, 0, 1),
  ],
  [
    [
      [-0.6, -0.95],
      [0.6, -0.95],
      [-0.15, 0.95],
    ],
  ],
  [arc(0, -0.48, 0.45, 0.47, 0, 1), arc(0, 0.48, 0.55, 0.47, 0, 1)],
  [
    arc(0, -0.4, 0.55, 0.55, 0, 1),
    [
      [0.55, -0.4],
      [0.35, 0.95],
    ],
  ],
];

/** `count` grey images of `GLYPH_SIDE` squared pixels and their digits. */
export function glyphs(count: number, random: Random): Dataset {
  const pixels = GLYPH_SIDE * GLYPH_SIDE;
  const inputs = new Float32Array(count * pixels);
  const digits = Uint8Array.from({ length: count }, () => Math.floor(random.uniform(0, CLASSES)));
  digits.forEach((digit, i) => {
    drawGlyph(digit, random, inputs.subarray(i * pixels, (i + 1) * pixels));
  });
  return { count, inputSize: pixels, outputSize: CLASSES, inputs, targets: oneHot(digits, CLASSES) };
}

function drawGlyph(digit: number, random: Random, image: Float32Array): void {
  const segments = placeStrokes(STROKES[digit]!, random);
  const halfWidth = random.uniform(0.5, 1.1);
  const ink = random.uniform(0.6, 1);
  for (let i = 0; i < image.length; i++) {
    const distance = Math.sqrt(nearest(segments, i % GLYPH_SIDE, Math.floor(i / GLYPH_SIDE)));
    const coverage = Math.min(1, Math.max(0, halfWidth + 0.5 - distance));
    image[i] = ink * coverage + 0.15 * random.normal();
  }
}

/** The strokes in pixels, as line segments, after a random affine map and a wobble of every point. */
function placeStrokes(strokes: readonly (readonly Point[])[], random: Random): [Point, Point][] {
  const angle = random.uniform(-0.3, 0.3);
  const shear = random.uniform(-0.25, 0.25);
  const [scaleX, scaleY] = [random.uniform(4, 6.2), random.uniform(4.5, 6.2)];
  const [shiftX, shiftY] = [random.uniform(-1.5, 1.5), random.uniform(-1.5, 1.5)];
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const centre = (GLYPH_SIDE - 1) / 2;
  const place = ([x, y]: Point): Point => {
    const px = scaleX * (x + shear * y) + 0.25 * random.normal();
    const py = scaleY * y + 0.25 * random.normal();
    return [centre + shiftX + cosine * px - sine * py, centre + shiftY + sine * px + cosine * py];
  };
  return strokes.flatMap((stroke) => {
    const points = stroke.map(place);
    return points.slice(1).map((point, i): [Point, Point] => [points[i]!, point]);
  });
}

/** Squared distance to the nearest segment. */
function nearest(segments: readonly (readonly [Point, Point])[], x: number, y: number): number {
  let least = Infinity;
  for (const [[ax, ay], [bx, by]] of segments) {
    const [dx, dy] = [bx - ax, by - ay];
    const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
    least = Math.min(least, (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2);
  }
  return least;
}
