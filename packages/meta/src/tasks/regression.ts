/** Families of regressions: networks of dense layers, or linear ones, on data that is made. */
import type { DenseLoss } from '../dense/network.ts';
import { denseTask } from '../dense/task.ts';
import { derive, type Key, Random } from '../random.ts';
import type { Task, TaskFamily } from '../task.ts';
import { type Architecture, drawArchitecture, drawTraining } from './architecture.ts';
import type { Data } from './data.ts';
import { friedman, linearSigns, linearValues, sines } from './functions.ts';
import { named } from './naming.ts';
import { teacherValues } from './teacher.ts';

function regression(of: string, data: Data, loss: DenseLoss, architecture: Architecture, key: Key): Task {
  const { hidden, activation, batchSize } = architecture;
  const { inputs, targets, count } = data.training;
  const outputs = targets.length / count;
  const widths = [inputs.length / count, ...hidden, outputs].join('-');
  const name = `${of} ${widths}${hidden.length > 0 ? ` ${activation}` : ''}, batch ${batchSize}`;
  return named(denseTask({ ...architecture, ...data, name, outputs, loss }), key);
}

/** Without a hidden layer there is nothing to learn of a curved function. */
function drawDeepArchitecture(random: Random): Architecture {
  for (;;) {
    const architecture = drawArchitecture(random);
    if (architecture.hidden.length > 0) return architecture;
  }
}

/** Random networks' outputs, Friedman's function, sums of sines. */
export const curveRegressions: TaskFamily = {
  name: 'regression',
  sample(key) {
    const random = new Random(key);
    const noise = random.chance(0.3) ? 0 : random.logUniform(0.01, 0.5);
    const kind = random.choice(['teacher', 'friedman', 'sines'] as const);
    const dataKey = derive(key, 1);
    const draw = (): Data => {
      if (kind === 'friedman') return friedman({ dimensions: 5 + random.integer(6), noise }, dataKey);
      const dimensions = 1 + random.integer(kind === 'sines' ? 4 : 20);
      if (kind === 'sines') {
        const options = { waves: 2 + random.integer(6), frequency: random.logUniform(1, 6) };
        return sines({ ...options, dimensions, noise }, dataKey);
      }
      const options = { outputs: 1 + random.integer(4), width: 4 + random.integer(21) };
      return teacherValues({ ...options, roughness: random.logUniform(0.4, 4), dimensions, noise }, dataKey);
    };
    return regression(`regression ${kind}`, draw(), 'squared', drawDeepArchitecture(random), key);
  },
};

/** Linear models, condition numbers 1 to 1,000, 4 to 32 dimensions. */
export const linearRegressions: TaskFamily = {
  name: 'linear',
  sample(key) {
    const random = new Random(key);
    const options = {
      dimensions: 4 + random.integer(29),
      outputs: random.chance(0.5) ? 1 : 2 + random.integer(7),
      conditionNumber: random.logUniform(1, 1e3),
      noise: random.chance(0.3) ? 0 : random.logUniform(0.01, 0.5),
    };
    const of = `linear regression, condition ${options.conditionNumber.toPrecision(2)},`;
    return regression(of, linearValues(options, derive(key, 1)), 'squared', drawLinear(random), key);
  },
};

/** Yes or no by a linear model, separable or not. */
export const logisticRegressions: TaskFamily = {
  name: 'logistic',
  sample(key) {
    const random = new Random(key);
    const options = {
      dimensions: 4 + random.integer(29),
      outputs: random.chance(0.7) ? 1 : 2 + random.integer(4),
      conditionNumber: random.logUniform(1, 1e3),
      noise: random.chance(0.2) ? 0 : random.logUniform(0.1, 2),
    };
    const of = `logistic regression, condition ${options.conditionNumber.toPrecision(2)},`;
    return regression(of, linearSigns(options, derive(key, 1)), 'logistic', drawLinear(random), key);
  },
};

const drawLinear = (random: Random): Architecture => ({ hidden: [], ...drawTraining(random) });
