export { type TfjsBackend, tfjs } from './backend.ts';
export { VeloOptimizer, type VeloOptimizerOptions } from './velo-optimizer.ts';
