export { type ReferenceBackend, type ReferenceTensor, reference } from './reference.ts';
