// A task family of one's own: networks that learn the curve of a damped oscillator from noisy measurements.
// Every key gives another oscillator, network and batch size; the same key always gives the same task.
import { Random } from '@velojs/meta';
import { denseTask } from '@velojs/meta/tasks';

/** How many measurements there are, to train on and to validate. */
const COUNTS = { training: 256, validation: 128 };

/** @type {import('@velojs/meta').TaskFamily} */
const oscillators = {
  name: 'oscillators',
  sample(key) {
    const random = new Random(key);
    const frequency = random.logUniform(2, 12);
    const damping = random.uniform(0.2, 2);
    const phase = random.uniform(0, 2 * Math.PI);
    const noise = random.uniform(0, 0.1);
    const measure = (count) => {
      const inputs = Float32Array.from({ length: count }, () => random.uniform(-1, 1));
      const targets = inputs.map((x) => {
        const time = (x + 1) / 2;
        return Math.exp(-damping * time) * Math.cos(frequency * time + phase) + noise * random.normal();
      });
      return { count, inputs, targets };
    };
    const width = 8 + random.integer(17);
    return denseTask({
      name: `oscillator ${frequency.toFixed(1)}, network 1-${width}-${width}-1`,
      training: measure(COUNTS.training),
      validation: measure(COUNTS.validation),
      hidden: [width, width],
      outputs: 1,
      activation: random.choice(['tanh', 'silu']),
      loss: 'squared',
      batchSize: random.choice([16, 32, 64]),
    });
  },
};

export const families = { oscillators };
