export { type BackendUnderTest, type Capability, describeBackend } from './describe-backend.ts';
