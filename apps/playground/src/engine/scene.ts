/** The task's own picture: what it is drawn on, and what a run has learned by now. */
import {
  type Dataset,
  friedmanInput,
  friedmanMean,
  type HostParameters,
  type Model,
  sliceExamples,
} from 'velojs/training';
import type { OpenedTask } from './data-files.ts';
import type { Picture, RunEvaluation, Scene, Slice } from './protocol.ts';

/** Held-out examples that a picture is made of. */
const EXAMPLES = 500;
/** Points of the plane that are drawn; cells of its grid along one side. */
const POINTS = 1000;
const GRID_SIDE = 64;
const MOST_MISTAKES = 32;
const SLICE_POINTS = 41;
/** Inputs of Friedman's function that matter. */
const SLICES = 5;

export interface Painter {
  readonly scene: Scene;
  /** What the model knows with these parameters. */
  evaluate(model: Model, parameters: HostParameters): Omit<RunEvaluation, 'run' | 'step'>;
}

export function createPainter({ task, image }: OpenedTask): Painter {
  const { train, kind, targetScale, targetMean } = task;
  const test = sliceExamples(task.test, 0, Math.min(EXAMPLES, task.test.count));
  const inUnits = (values: Float32Array) => values.map((value) => value * targetScale + targetMean);
  const { scene, paint } = choose();
  return {
    scene,
    evaluate(model, parameters) {
      const { loss, accuracy } = model.evaluate(parameters, test);
      return { testLoss: loss, testAccuracy: accuracy, picture: paint((inputs) => model.predict(parameters, inputs)) };
    },
  };

  type Predict = (inputs: Float32Array) => Float32Array;
  function choose(): { scene: Scene; paint: (predict: Predict) => Picture } {
    if (kind === 'classification' && train.inputSize === 2 && train.outputSize === 2) return plane(train);
    if (kind === 'classification' && image) return images(test, image, task.classes!);
    if (kind === 'classification') {
      return {
        scene: { kind: 'table', target: task.title, classes: task.classes },
        paint: (predict) => confusion(test, predict(test.inputs)),
      };
    }
    const actual = inUnits(test.targets);
    if (task.name === 'friedman') {
      const slices = Array.from({ length: SLICES }, (_, input) => sliceAlong(input));
      const inputs = sliceInputs(slices, train.inputSize);
      return {
        scene: { kind: 'slices', slices },
        paint: (predict) => {
          const lines = inUnits(predict(inputs));
          return {
            kind: 'slices',
            predictions: slices.map((_, i) => lines.slice(i * SLICE_POINTS, (i + 1) * SLICE_POINTS)),
            actual,
            predicted: inUnits(predict(test.inputs)),
          };
        },
      };
    }
    return {
      scene: { kind: 'table', target: task.title, classes: null },
      paint: (predict) => ({ kind: 'table', actual, predicted: inUnits(predict(test.inputs)) }),
    };
  }
}

function plane(train: Dataset): { scene: Scene; paint: (predict: (inputs: Float32Array) => Float32Array) => Picture } {
  const shown = sliceExamples(train, 0, Math.min(POINTS, train.count));
  const extent = 1.1 * shown.inputs.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
  const centre = (cell: number) => extent * ((2 * cell + 1) / GRID_SIDE - 1);
  const cells = new Float32Array(2 * GRID_SIDE * GRID_SIDE);
  for (let row = 0; row < GRID_SIDE; row++) {
    for (let column = 0; column < GRID_SIDE; column++) {
      cells.set([centre(column), -centre(row)], 2 * (row * GRID_SIDE + column));
    }
  }
  return {
    scene: {
      kind: 'plane',
      extent,
      points: shown.inputs.slice(),
      classes: Uint8Array.from({ length: shown.count }, (_, i) => classOf(shown.targets, i, 2)),
    },
    paint: (predict) => {
      const outputs = predict(cells);
      const probability = (i: number) => 1 / (1 + Math.exp(outputs[2 * i]! - outputs[2 * i + 1]!));
      const grid = Uint8Array.from({ length: GRID_SIDE * GRID_SIDE }, (_, i) => Math.round(255 * probability(i)));
      return { kind: 'plane', side: GRID_SIDE, grid };
    },
  };
}

function images(
  test: Dataset,
  { height, width }: { height: number; width: number },
  classes: readonly string[],
): { scene: Scene; paint: (predict: (inputs: Float32Array) => Float32Array) => Picture } {
  return {
    scene: { kind: 'images', height, width, classes },
    paint: (predict) => {
      const outputs = predict(test.inputs);
      const predicted = classesOf(outputs, test);
      const actual = classesOf(test.targets, test);
      const wrong = [...predicted.keys()].filter((i) => predicted[i] !== actual[i]);
      const shown = wrong.slice(0, MOST_MISTAKES);
      const pixels = new Uint8Array(shown.length * height * width);
      for (const [j, i] of shown.entries()) {
        const { inputs } = sliceExamples(test, i, i + 1);
        // Drawn digits are noisy beyond 0..1.
        pixels.set(
          inputs.map((value) => Math.round(255 * Math.min(1, Math.max(0, value)))),
          j * height * width,
        );
      }
      return {
        kind: 'images',
        mistakes: wrong.length,
        examples: test.count,
        pixels,
        actual: Uint16Array.from(shown, (i) => actual[i]!),
        predicted: Uint16Array.from(shown, (i) => predicted[i]!),
      };
    },
  };
}

function confusion(test: Dataset, outputs: Float32Array): Picture {
  const classes = test.outputSize;
  const counts = new Uint32Array(classes * classes);
  const predicted = classesOf(outputs, test);
  const actual = classesOf(test.targets, test);
  for (const [i, label] of actual.entries()) counts[label * classes + predicted[i]!]!++;
  return { kind: 'confusion', classes, counts };
}

/** Friedman's function along one input, the others in the middle of the unit cube. */
function sliceAlong(input: number): Slice {
  const x = Float32Array.from({ length: SLICE_POINTS }, (_, i) => i / (SLICE_POINTS - 1));
  const at = (value: number) => Array.from({ length: SLICES }, (_, j) => (j === input ? value : 0.5));
  return { input: `x${input}`, x, truth: x.map((value) => friedmanMean(at(value))) };
}

function sliceInputs(slices: readonly Slice[], inputSize: number): Float32Array {
  // 0 is the middle of an input.
  const inputs = new Float32Array(slices.length * SLICE_POINTS * inputSize);
  slices.forEach(({ x }, input) => {
    x.forEach((value, i) => {
      inputs[(input * SLICE_POINTS + i) * inputSize + input] = friedmanInput(value);
    });
  });
  return inputs;
}

const classesOf = (outputs: Float32Array, { count, outputSize }: Dataset): Uint16Array =>
  Uint16Array.from({ length: count }, (_, i) => classOf(outputs, i, outputSize));

/** Index of the largest output of example `i`. */
function classOf(outputs: Float32Array, i: number, size: number): number {
  let best = 0;
  for (let j = 1; j < size; j++) if (outputs[i * size + j]! > outputs[i * size + best]!) best = j;
  return best;
}
