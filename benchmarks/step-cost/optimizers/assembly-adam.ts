/** Our own Adam in WebAssembly with SIMD: `benchmarks/assembly/adam.ts`. */
import { Arena, compileAssembly } from '../assembly.ts';
import type { Contender } from '../contender.ts';
import { RATE } from './plain-adam.ts';

interface Exports {
  adam(
    parameter: number,
    gradient: number,
    first: number,
    second: number,
    length: number,
    rate: number,
    correction: number,
  ): void;
}

export async function assemblyAdam(): Promise<Contender> {
  const module = await compileAssembly('adam');
  return {
    name: 'our WASM Adam',
    theta: null,
    threads: 1,
    start({ parameters, gradients }) {
      const arena = new Arena<Exports>(module);
      const tensors = parameters.map((values) => ({
        length: values.length,
        parameter: arena.store(values),
        first: arena.allocate(values.length * 4),
        second: arena.allocate(values.length * 4),
      }));
      const sets = gradients.map((set) => set.map((values) => arena.store(values)));
      let step = 0;
      return {
        run() {
          const set = sets[step % sets.length]!;
          step++;
          const rate = RATE / (1 - 0.9 ** step);
          const correction = 1 / (1 - 0.999 ** step);
          for (const [j, { parameter, first, second, length }] of tensors.entries()) {
            arena.exports.adam(parameter, set[j]!, first, second, length, rate, correction);
          }
        },
        parameters: async () => tensors.map(({ parameter, length }) => arena.floats(parameter, length).slice()),
        dispose() {},
      };
    },
  };
}
