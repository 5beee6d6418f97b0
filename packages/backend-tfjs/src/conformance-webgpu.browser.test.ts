import '@tensorflow/tfjs-backend-webgpu';
import { describeTfjs } from './testing-conformance.ts';

describeTfjs(
  'webgpu',
  {
    kernels: 'composed only',
    hostMemory: 'values are on a device',
    compiledCount: 'programs are compiled and kept by tfjs',
  },
  'tfjs compiles programs for each shape, which takes a GPU in software seconds',
);
