/** The update of all tensors, one after the other (SPEC sections 9 and 11). */
import { MLP_ROW, type Slot, type SlotUpdate, STATISTICS_LENGTH } from '@velojs/core';
import { GRADIENT_LIMIT } from '@velojs/core/constants';
import type { Values } from '@velojs/core/typed-arrays';
import { CpuTensor } from '../tensor.ts';
import { updateMatrix } from './matrix.ts';
import type { Scratch } from './scratch.ts';
import { writeStatistics } from './sums.ts';
import { updateVector } from './vector.ts';

const LIMIT = GRADIENT_LIMIT;

/** The memory of one tensor; all but `gradient` and `mlp` is written to. */
export interface Arrays {
  readonly parameter: Float32Array;
  /** Clipped. */
  readonly gradient: Float32Array;
  readonly moments: Float32Array;
  readonly rows: Float32Array;
  readonly columns: Float32Array | null;
  /** The tensor's network, laid out as `MLP_LAYOUT` of core. */
  readonly mlp: Float64Array;
}

export function update(
  slots: readonly Slot<CpuTensor>[],
  mlp: CpuTensor,
  scratch: Scratch,
): { slots: readonly SlotUpdate<CpuTensor>[]; statistics: CpuTensor } {
  const statistics = new Float64Array(slots.length * STATISTICS_LENGTH);
  for (const [j, { geometry, parameter, accumulators, gradient }] of slots.entries()) {
    const arrays: Arrays = {
      parameter: parameter.store().data,
      gradient: clipped(gradient.values, scratch),
      moments: accumulators.moments.store().data,
      rows: accumulators.rows.store().data,
      columns: accumulators.columns?.store().data ?? null,
      mlp: new Float64Array(mlp.values.subarray(j * MLP_ROW, (j + 1) * MLP_ROW)),
    };
    if (geometry.factored) updateMatrix(geometry.factored, arrays, scratch);
    else updateVector(arrays);
    writeStatistics(geometry.size, statistics.subarray(j * STATISTICS_LENGTH, (j + 1) * STATISTICS_LENGTH));
  }
  return { slots, statistics: new CpuTensor(statistics, [slots.length, STATISTICS_LENGTH]) };
}

/** The gradient itself where it is float32 and within the limit, as it nearly always is. NaN stays. */
function clipped(values: Values, scratch: Scratch): Float32Array {
  if (values instanceof Float32Array && isWithinLimit(values)) return values;
  const copy = scratch.singles(values.length);
  for (let i = 0; i < copy.length; i++) copy[i] = Math.min(Math.max(values[i]!, -LIMIT), LIMIT);
  return copy;
}

function isWithinLimit(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) {
    if (Math.abs(values[i]!) > LIMIT) return false;
  }
  return true;
}
