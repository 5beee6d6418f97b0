/** Fused kernels, and the look at gradients and loss that begins a step. */
import type { Kernels } from '@velojs/core';
import type { Gpu } from '../gpu.ts';
import type { Program } from '../program.ts';
import type { WebgpuTensor } from '../tensor.ts';
import { controller, controllerPrograms } from './controller.ts';
import { loss, lossPrograms } from './loss.ts';
import { update, updatePrograms } from './update.ts';

/** What `warmUp` compiles. */
export const KERNEL_PROGRAMS: readonly Program[] = [...controllerPrograms, ...lossPrograms, ...updatePrograms];

export function createKernels(gpu: Gpu): Kernels<WebgpuTensor> {
  /** What the networks were made from: `update` finds the parameters' mean squares in it. */
  const statistics = new WeakMap<WebgpuTensor, WebgpuTensor>();
  return {
    loss: (inputs) => loss(gpu, inputs),
    controller(inputs, theta) {
      const outputs = controller(gpu, inputs, theta);
      statistics.set(outputs.mlp, inputs.statistics);
      return outputs;
    },
    update(slots, mlp) {
      const known = statistics.get(mlp);
      return update(gpu, slots, mlp, known?.isDisposed ? undefined : known);
    },
  };
}

export { lookAtGradients } from './gradients.ts';
