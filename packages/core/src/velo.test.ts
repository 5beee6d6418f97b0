import { expect, it } from 'vitest';
import { type Shape, sizeOf, uploadTheta, velo } from './index.ts';
import { reference } from './reference/index.ts';
import { randomTheta } from './testing.ts';

it('updates states of other parameters in turn, each as if it were alone', async () => {
  const backend = reference();
  const theta = uploadTheta(backend, randomTheta());
  const tensor = (shape: Shape, seed: number) =>
    backend.tensor(
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(seed + i)),
      shape,
    );
  const models: readonly (readonly Shape[])[] = [[[3, 4], [4]], [[4, 3], []], [[12]]];
  const train = async (optimizers: ReturnType<typeof velo<ReturnType<typeof tensor>>>[]) => {
    let states = models.map((shapes, m) => optimizers[m]!.init(shapes.map((shape) => tensor(shape, m))));
    for (let step = 0; step < 3; step++) {
      states = states.map((state, m) => {
        const gradients = models[m]!.map((shape, j) => tensor(shape, step + 2 * j));
        return optimizers[m]!.update(state, gradients, 1 / (1 + step));
      });
    }
    return backend.read(states.flatMap(({ parameters }) => parameters));
  };
  const create = () => velo({ backend, theta, totalSteps: 10 });
  const shared = create();
  expect(await train([shared, shared, shared])).toEqual(await train([create(), create(), create()]));
});
