/** Held-out images that a network takes for something else. */
import type { Picture, Scene } from '../../engine/protocol.ts';
import { colour, colourNumbers } from '../colours.ts';
import { prepare } from './canvas.ts';

type Images = Extract<Picture, { kind: 'images' }>;
type ImageScene = Extract<Scene, { kind: 'images' }>;

const [LEAST_TILE, LABEL, GAP] = [30, 13, 4];

export function drawImages(canvas: HTMLCanvasElement, scene: ImageScene, picture: Images | null): void {
  const shown = picture?.actual.length ?? 0;
  const layout = (width: number) => {
    const columns = Math.max(1, Math.floor((width + GAP) / (LEAST_TILE + GAP)));
    const tile = (width + GAP) / columns - GAP;
    return { columns, tile, line: (tile * scene.height) / scene.width + LABEL + GAP };
  };
  // Always as high as if all were there, so that the page does not jump.
  const prepared = prepare(canvas, (width) => {
    const { columns, line } = layout(width);
    return Math.ceil(Math.min(32, 4 * columns) / columns) * line;
  });
  if (!prepared) return;
  const { context, width, height } = prepared;
  if (!picture || shown === 0) {
    context.fillStyle = colour('--faint');
    context.font = '13px system-ui, sans-serif';
    context.textAlign = 'center';
    context.fillText(picture ? 'none misread' : '', width / 2, height / 2);
    return;
  }
  const { columns, tile, line } = layout(width);
  const size = scene.width * scene.height;
  context.imageSmoothingEnabled = false;
  context.font = '10px system-ui, sans-serif';
  context.textAlign = 'center';
  for (let i = 0; i < shown; i++) {
    const [x, y] = [(i % columns) * (tile + GAP), Math.floor(i / columns) * line];
    if (y + line > height + 1) break;
    const pixels = picture.pixels.subarray(i * size, (i + 1) * size);
    context.drawImage(imageOf(pixels, scene), x, y, tile, (tile * scene.height) / scene.width);
    context.fillStyle = colour('--faint');
    const words = [picture.actual[i]!, picture.predicted[i]!].map((index) => scene.classes[index] ?? index);
    context.fillText(`${words[0]} → ${words[1]}`, x + tile / 2, y + line - GAP - 2);
  }
}

/** Ink in the colour of text on the colour of the ground. */
function imageOf(pixels: Uint8Array, { width, height }: ImageScene): HTMLCanvasElement {
  const [ink, ground] = [colourNumbers('--text'), colourNumbers('--inset')];
  const image = new ImageData(width, height);
  for (let i = 0; i < pixels.length; i++) {
    const share = pixels[i]! / 255;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = ground[c]! + share * (ink[c]! - ground[c]!);
    image.data[4 * i + 3] = 255;
  }
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  return canvas;
}

export function describeImages({ mistakes, examples, actual, predicted }: Images, { classes }: ImageScene): string {
  const first = Array.from(actual.subarray(0, 5), (digit, i) => `${classes[digit]} read as ${classes[predicted[i]!]}`);
  const list = first.length > 0 ? `; the first: ${first.join(', ')}` : '';
  return `${mistakes} of ${examples} held-out images misread${list}`;
}
