// Node 20 has relaxed SIMD behind a flag, with which vitest.config.ts starts this file.
import { describeBackend } from '@velojs/conformance';
import { underTest } from './testing.ts';

describeBackend('wasm-relaxed', underTest({ simd: 'relaxed' }));
describeBackend('wasm-relaxed-2-threads', underTest({ simd: 'relaxed', threads: 2 }));
