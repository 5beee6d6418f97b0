/** Two classes in the plane: what the network says everywhere, its boundary, and the points it learns from. */
import type { Picture, Scene } from '../../engine/protocol.ts';
import { colour, colourNumbers } from '../colours.ts';
import { prepare } from './canvas.ts';

type Plane = Extract<Picture, { kind: 'plane' }>;
type PlaneScene = Extract<Scene, { kind: 'plane' }>;

/** Probability one half, of 0..255. */
const HALF = 127.5;

export function drawPlane(canvas: HTMLCanvasElement, scene: PlaneScene, picture: Plane | null): void {
  const prepared = prepare(canvas, (width) => width);
  if (!prepared) return;
  const { context, width } = prepared;
  if (picture) {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'high';
    context.drawImage(field(picture), 0, 0, width, width);
  }
  drawPoints(context, scene, width);
  if (picture) {
    context.strokeStyle = colour('--text');
    context.lineWidth = 1.5;
    context.stroke(boundary(picture, width));
  }
}

/** One pixel per entry of the grid. */
function field({ side, grid }: Plane): HTMLCanvasElement {
  const [first, second, ground] = ['--class-0', '--class-1', '--card'].map(colourNumbers) as [number, number, number][];
  const image = new ImageData(side, side);
  for (let i = 0; i < grid.length; i++) {
    const probability = grid[i]! / 255;
    // How far from the ground: strong where the network is sure.
    const strength = 0.12 + 0.38 * Math.abs(2 * probability - 1);
    const ink = probability > 0.5 ? second : first;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = ground![c]! + strength * (ink![c]! - ground![c]!);
    image.data[4 * i + 3] = 255;
  }
  const canvas = document.createElement('canvas');
  canvas.width = side;
  canvas.height = side;
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  return canvas;
}

function drawPoints(context: CanvasRenderingContext2D, { extent, points, classes }: PlaneScene, width: number): void {
  const radius = Math.max(1, width / 160);
  for (const which of [0, 1]) {
    const path = new Path2D();
    for (let i = 0; i < classes.length; i++) {
      if (classes[i] !== which) continue;
      const x = ((points[2 * i]! + extent) / (2 * extent)) * width;
      const y = ((extent - points[2 * i + 1]!) / (2 * extent)) * width;
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fillStyle = colour(`--class-${which}`);
    context.fill(path);
  }
}

/** Where the probability is one half: marching squares, with entries at the centres of their cells. */
function boundary({ side, grid }: Plane, width: number): Path2D {
  const path = new Path2D();
  const cell = width / side;
  const at = (row: number, column: number) => grid[row * side + column]! - HALF;
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const corners = [at(row, column), at(row, column + 1), at(row + 1, column + 1), at(row + 1, column)] as const;
      const crossings: [number, number][] = [];
      for (let edge = 0; edge < 4; edge++) {
        const [from, to] = [corners[edge]!, corners[(edge + 1) % 4]!];
        if (from > 0 === to > 0) continue;
        const part = from / (from - to);
        const [x, y] = [
          [part, 0],
          [1, part],
          [1 - part, 1],
          [0, 1 - part],
        ][edge] as [number, number];
        crossings.push([(column + 0.5 + x) * cell, (row + 0.5 + y) * cell]);
      }
      // Four crossings are a saddle: either way of joining them is as good.
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        path.moveTo(...crossings[i]!);
        path.lineTo(...crossings[i + 1]!);
      }
    }
  }
  return path;
}

export function describePlane({ grid }: Plane): string {
  const share = grid.reduce((sum, value) => sum + (value > HALF ? 1 : 0), 0) / grid.length;
  return `decision boundary; ${Math.round(100 * share)} % of the plane is taken for the second spiral`;
}
