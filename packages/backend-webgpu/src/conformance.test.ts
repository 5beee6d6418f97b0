import { describeBackend } from '@velojs/conformance';
import { underTest } from './testing.ts';

describeBackend('webgpu', underTest);
