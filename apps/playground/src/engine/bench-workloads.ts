/** What the bench page measures on: the lists of tensors of the benchmark of steps in Node. */
export { WORKLOADS as BENCH_WORKLOADS } from '../../../../benchmarks/step-cost/workloads.ts';
