// What a theta for oscillators is judged on: tasks that no training has drawn, some longer than any of those.
import { keyOf } from '@velojs/meta';
import { families } from './oscillators.js';

const STEPS = [200, 500, 1000, 2000];
/** Far from the seeds of configurations. */
const SEED = 1e9;

/** @type {import('@velojs/meta/evaluation').Suite} */
const suite = {
  name: 'oscillators',
  version: 1,
  compared: true,
  extent: 4,
  tasks: Array.from({ length: 12 }, (_, i) => {
    const steps = STEPS[i % STEPS.length];
    return {
      name: `oscillator ${i + 1}, ${steps} steps`,
      group: steps > 1000 ? 'longer than trained' : 'as trained',
      steps,
      create: () => families.oscillators.sample(keyOf(SEED + i)),
    };
  }),
};

export default suite;
