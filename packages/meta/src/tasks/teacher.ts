/** What a random network of one hidden layer says of normal inputs: any difficulty, and a network can learn it. */
import { type Key, Random } from '../random.ts';
import { blur, type Counts, confuse, type Data, multiply, split, standardise, total } from './data.ts';

export interface TeacherOptions extends Counts {
  readonly dimensions: number;
  /** Classes, or numbers to predict. */
  readonly outputs: number;
  /** Hidden units of the teacher: 16. */
  readonly width?: number;
  /** Deviation of what goes into its hidden units (tanh): 1.5. Nearly linear at 0.3, rough at 5. */
  readonly roughness?: number;
}

/** Targets are the number of the teacher's largest output, each of which is largest about equally often. */
export function teacherClasses(options: TeacherOptions & { readonly labelNoise?: number }, key: Key): Data {
  const random = new Random(key);
  const { outputs, labelNoise = 0 } = options;
  const { inputs, answers } = ask(options, random);
  const labels = Float32Array.from({ length: total(options) }, (_, i) => {
    let best = 0;
    for (let j = 1; j < outputs; j++) if (answers[i * outputs + j]! > answers[i * outputs + best]!) best = j;
    return best;
  });
  confuse(labels, outputs, labelNoise, random);
  return split(inputs, labels, options);
}

/** Targets are the teacher's outputs, of mean 0 and deviation 1, and noise (deviation 0). */
export function teacherValues(options: TeacherOptions & { readonly noise?: number }, key: Key): Data {
  const random = new Random(key);
  const { inputs, answers } = ask(options, random);
  blur(answers, options.noise ?? 0, random);
  return split(inputs, answers, options);
}

function ask(options: TeacherOptions, random: Random): { inputs: Float32Array; answers: Float32Array } {
  const { dimensions, outputs, width = 16, roughness = 1.5 } = options;
  const inputs = random.normals(new Float32Array(total(options) * dimensions));
  const first = random.normals(new Float32Array(dimensions * width), roughness / Math.sqrt(dimensions));
  const shifts = random.normals(new Float32Array(width), roughness / 2);
  const hidden = multiply(inputs, first, dimensions);
  for (let i = 0; i < hidden.length; i++) hidden[i] = Math.tanh(hidden[i]! + shifts[i % width]!);
  const answers = multiply(hidden, random.normals(new Float32Array(width * outputs)), width);
  return { inputs, answers: standardise(answers, outputs) };
}
