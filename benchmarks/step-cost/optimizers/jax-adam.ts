/** Adam in one `jit` of jax-js, on its WebAssembly device: the package of its own optimizers is not part of it. */
import type { Array as JaxArray } from '@jax-js/jax';
import type { Contender } from '../contender.ts';
import { RATE } from './plain-adam.ts';

/** @throws where jax-js cannot start */
export async function jaxAdam(): Promise<Contender> {
  const { blockUntilReady, defaultDevice, init, jit, numpy } = await import('@jax-js/jax');
  if (!(await init('wasm')).includes('wasm')) throw new Error('jax-js has no wasm device here.');
  defaultDevice('wasm');

  // Functions of jax-js consume their arguments; `ref` keeps one for another use.
  const updated = (
    parameters: JaxArray[],
    gradients: JaxArray[],
    firsts: JaxArray[],
    seconds: JaxArray[],
    rate: JaxArray,
    correction: JaxArray,
  ): [JaxArray[], JaxArray[], JaxArray[]] => {
    const nextFirsts = firsts.map((first, j) => first.mul(0.9).add(gradients[j]!.ref.mul(0.1)));
    const nextSeconds = seconds.map((second, j) => second.mul(0.999).add(numpy.square(gradients[j]!).mul(0.001)));
    const next = parameters.map((parameter, j) =>
      parameter.sub(
        nextFirsts[j]!.ref.mul(rate.ref).div(numpy.sqrt(nextSeconds[j]!.ref.mul(correction.ref)).add(1e-8)),
      ),
    );
    return [next, nextFirsts, nextSeconds];
  };

  return {
    name: 'jax-js Adam',
    theta: null,
    threads: 1, // Its workers are those of browsers.
    start({ shapes, parameters, gradients }) {
      const upload = (values: Float32Array, j: number) =>
        numpy.array(values as Float32Array<ArrayBuffer>, { shape: [...shapes[j]!] });
      const update = jit(updated);
      const sets = gradients.map((set) => set.map(upload));
      let state: [JaxArray[], JaxArray[], JaxArray[]] = [
        parameters.map(upload),
        shapes.map((shape) => numpy.zeros([...shape])),
        shapes.map((shape) => numpy.zeros([...shape])),
      ];
      let step = 0;
      return {
        run() {
          const set = sets[step % sets.length]!.map((gradient) => gradient.ref);
          step++;
          const rate = numpy.array(RATE / (1 - 0.9 ** step));
          const correction = numpy.array(1 / (1 - 0.999 ** step));
          state = update(state[0], set, state[1], state[2], rate, correction);
        },
        finish: async () => {
          await blockUntilReady(state);
        },
        parameters: () => Promise.all(state[0].map(async (array) => (await array.ref.data()) as Float32Array)),
        dispose() {
          for (const array of [...state, ...sets].flat()) array.dispose();
          update.dispose();
        },
      };
    },
  };
}
