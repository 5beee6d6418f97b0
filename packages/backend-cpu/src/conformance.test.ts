import { describeBackend } from '@velojs/conformance';
import { cpu } from './index.ts';

describeBackend('cpu', {
  create: () => cpu(),
  skip: { compiledCount: 'nothing is compiled', liveTensors: 'tensors are garbage collected' },
});
