import '@tensorflow/tfjs-backend-cpu';
import { describeTfjs } from './testing-conformance.ts';

describeTfjs('cpu', { compiledCount: 'nothing is compiled' });
