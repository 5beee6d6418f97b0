import * as tf from '@tensorflow/tfjs-core';
import { describeBackend } from '@velojs/conformance';
import { tfjs } from './index.ts';

type Skip = NonNullable<Parameters<typeof describeBackend>[1]['skip']>;

/** The suite on one of tfjs's backends, which stays the active one: a test file has one. */
export function describeTfjs(name: 'cpu' | 'wasm' | 'webgl' | 'webgpu', skip: Skip, reduced?: string): void {
  describeBackend(`tfjs-${name}`, {
    create: async () => {
      await tf.setBackend(name);
      await tf.ready();
      return tfjs();
    },
    liveTensors: () => tf.memory().numTensors,
    skip,
    ...(reduced !== undefined && { reduced }),
  });
}
