/** What backends in host memory share; how shapes broadcast is the same on devices. */
export { matmul } from './matmul.ts';
export { type ArrayOperations, type ArrayTensor, arrayOperations, type Values } from './operations.ts';
export { broadcastShape, stridesIn } from './strided.ts';
