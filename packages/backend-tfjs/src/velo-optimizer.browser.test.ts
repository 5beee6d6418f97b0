import '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { describeVeloOptimizer } from './testing-optimizer.ts';

tf.env().set('PROD', true);

for (const backend of ['webgl', 'webgpu']) describeVeloOptimizer(backend, { onDevice: true });
