/** Made-up weights of the released size, for tests in Node and in browsers. */
import { createTheta, sizeOf, type Theta, thetaShapes } from '@velojs/core';
import { writeTheta } from './formats.ts';

/** The same numbers every time; all leaves differ. */
export function syntheticTheta(hiddenSize = 512, bankSize = 256): Theta {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return createTheta(
    Object.fromEntries(
      Object.entries(thetaShapes(hiddenSize, bankSize)).map(([leaf, shape]) => [
        leaf,
        { shape, data: Float32Array.from({ length: sizeOf(shape) }, next) },
      ]),
    ),
  );
}

/** The files that the registry's entry `velo` has addresses for, with the same sizes. */
export async function syntheticFiles(theta: Theta): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const [params] = await writeTheta(theta, 'flax-params');
  const [state] = await writeTheta(theta, 'flax-theta');
  const [lstm, mlp] = await writeTheta(theta, 'pylo');
  return {
    params: params!,
    'theta.state': state!,
    'VeLO_RNN/model.safetensors': lstm!,
    'VeLO_MLP/model.safetensors': mlp!,
  };
}
