import { describeBackend } from '@velojs/conformance';
import { underTest } from './testing.ts';

describeBackend('wasm', underTest({ simd: 'plain' }));
describeBackend('wasm-2-threads', underTest({ simd: 'plain', threads: 2 }));
