import { describeBackend } from '@velojs/conformance';
import { underTest } from './testing.ts';

describeBackend('webgpu', {
  ...underTest,
  reduced: 'the whole suite runs on the same shaders in Node',
});
