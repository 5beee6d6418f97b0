import './conformance-cpu.test.ts';
