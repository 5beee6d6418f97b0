import '@tensorflow/tfjs-backend-wasm';
import { describeTfjs } from './testing-conformance.ts';

describeTfjs('wasm', { hostMemory: 'arrays are copied into its memory', compiledCount: 'nothing is compiled' });
