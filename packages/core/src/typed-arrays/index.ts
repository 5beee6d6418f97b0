/** What backends in host memory share; which shapes operations give is the same on devices. */
export { matmul } from './matmul.ts';
export { type ArrayOperations, type ArrayTensor, arrayOperations, type Values } from './operations.ts';
export {
  broadcastShape,
  checkExpansion,
  concatenatedShape,
  productShape,
  reducedShape,
  slicedShape,
} from './shapes.ts';
export { stridesIn } from './strided.ts';
