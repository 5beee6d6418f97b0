import '@tensorflow/tfjs-backend-webgl';
import { env } from '@tensorflow/tfjs-core';
import { describeTfjs } from './testing-conformance.ts';

// Else every shape is a program of its own, which takes software minutes to compile.
env().set('WEBGL_USE_SHAPES_UNIFORMS', true);

describeTfjs(
  'webgl',
  {
    kernels: 'composed only',
    hostMemory: 'values are on a device',
    compiledCount: 'programs are compiled and kept by tfjs',
  },
  'tfjs compiles programs for each shape, which takes a GPU in software seconds',
);
