import { type ReferenceBackend, reference } from '@velojs/core/reference';
import { describeBackend } from './describe-backend.ts';

// What a device does differently: memory that the host does not see, bad values found late.
describeBackend('reference', {
  create: () => reference({ memory: 'device' }),
  liveTensors: (backend: ReferenceBackend) => backend.liveTensors,
  skip: {
    kernels: 'it is what kernels are compared with',
    hostMemory: 'devices have none',
    compiledCount: 'nothing is compiled',
  },
});
