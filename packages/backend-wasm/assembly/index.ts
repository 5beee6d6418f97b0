// The module: no data, no heap, no imports but a memory. Every address comes in as an argument, so it runs on whatever
// memory it is given, beside whatever else lives there.
export { controller, controllerScratchBytes, packedThetaBytes, packTheta } from './controller';
export { chunkCount, firstNaN, jobScratchBytes, TILE_BYTES, update } from './update';

export function copy(to: usize, from: usize, bytes: usize): void {
  memory.copy(to, from, bytes);
}
