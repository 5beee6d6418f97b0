/** Adam (arXiv 1412.6980, algorithm 1) as a loop in JavaScript. */
import type { Contender } from '../contender.ts';

export const RATE = 1e-3;

export const plainAdam: Contender = {
  name: 'JavaScript Adam',
  theta: null,
  threads: 1,
  start({ parameters, gradients }) {
    const tensors = parameters.map((values) => ({
      parameter: values.slice(),
      first: new Float32Array(values.length),
      second: new Float32Array(values.length),
    }));
    let step = 0;
    return {
      run() {
        const set = gradients[step % gradients.length]!;
        step++;
        for (const [j, { parameter, first, second }] of tensors.entries()) {
          adam(parameter, set[j]!, first, second, RATE / (1 - 0.9 ** step), 1 / (1 - 0.999 ** step));
        }
      },
      parameters: async () => tensors.map(({ parameter }) => parameter.slice()),
      dispose() {},
    };
  },
};

function adam(
  parameter: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
  rate: number,
  correction: number,
): void {
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]!;
    const m = 0.9 * first[i]! + 0.1 * g;
    const v = 0.999 * second[i]! + 0.001 * g * g;
    first[i] = m;
    second[i] = v;
    parameter[i] = parameter[i]! - (rate * m) / (Math.sqrt(correction * v) + 1e-8);
  }
}
