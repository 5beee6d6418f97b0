/** What backends in host memory share. */
export { matmul } from './matmul.ts';
export { type ArrayOperations, type ArrayTensor, arrayOperations, type Values } from './operations.ts';
