/** The fused kernels of plain JavaScript (`@velojs/backend-cpu`) on the memory of tfjs's tensors. */
import * as tf from '@tensorflow/tfjs-core';
import { type CpuTensor, cpu } from '@velojs/backend-cpu';
import type { HostKernels } from '@velojs/core';

/**
 * @param peek the values of a tensor, to be read.
 * @param writable the values of a tensor of which there is no other handle, to be overwritten.
 */
export function hostKernels(
  peek: (tensor: tf.Tensor) => Float32Array,
  writable: (tensor: tf.Tensor) => Float32Array,
): HostKernels<tf.Tensor> {
  const host = cpu();
  const kernels = host.kernels as HostKernels<CpuTensor>;
  const borrow = (tensor: tf.Tensor) => host.wrap(peek(tensor), tensor.shape);
  const upload = (tensor: CpuTensor) => tf.tensor(new Float32Array(tensor.values), [...tensor.shape], 'float32');
  const borrowAll = <Values extends object>(values: Values) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, value instanceof tf.Tensor ? borrow(value) : value]),
    ) as { [Name in keyof Values]: Values[Name] extends tf.Tensor ? CpuTensor : Values[Name] };
  const over = (tensor: tf.Tensor) => host.wrap(writable(tensor), tensor.shape);
  return {
    controller(inputs, theta) {
      const { folded, ...leaves } = theta;
      const { mlp, hidden, cell } = kernels.controller(borrowAll(inputs), {
        ...borrowAll(leaves),
        folded: borrowAll(folded),
      });
      return { mlp: upload(mlp), hidden: upload(hidden), cell: upload(cell) };
    },
    update(slots, mlp) {
      const { statistics } = kernels.update(
        slots.map(({ geometry, parameter, gradient, accumulators: { moments, rows, columns } }) => ({
          geometry,
          parameter: over(parameter),
          gradient: borrow(gradient),
          accumulators: { moments: over(moments), rows: over(rows), columns: columns && over(columns) },
        })),
        borrow(mlp),
      );
      return { slots, statistics: upload(statistics) };
    },
  };
}
