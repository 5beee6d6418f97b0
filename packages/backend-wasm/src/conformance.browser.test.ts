import './conformance.test.ts';
import './relaxed-simd.test.ts';
