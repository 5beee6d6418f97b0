import './open-webgpu.test.ts';
