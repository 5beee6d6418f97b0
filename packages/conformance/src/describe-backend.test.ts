import { type ReferenceBackend, reference } from '@velojs/core/reference';
import { describeBackend } from './describe-backend.ts';

describeBackend('reference', {
  create: () => reference(),
  liveTensors: (backend: ReferenceBackend) => backend.liveTensors,
  skip: { kernels: 'it is what kernels are compared with', compiledCount: 'nothing is compiled' },
});
