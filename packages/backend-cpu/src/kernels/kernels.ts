import type { HostKernels } from '@velojs/core';
import type { CpuTensor } from '../tensor.ts';
import { controller } from './controller.ts';
import { Scratch } from './scratch.ts';
import { update } from './update.ts';

/** Fused kernels; they share working memory, which is kept from step to step. */
export function createKernels(): HostKernels<CpuTensor> {
  const scratch = new Scratch();
  return {
    controller: (inputs, theta) => controller(inputs, theta, scratch),
    update: (slots, mlp) => update(slots, mlp, scratch),
  };
}
