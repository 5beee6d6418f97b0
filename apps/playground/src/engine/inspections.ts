/** What VeLO did to every tensor, in rows of numbers until the next message. */
import type { TensorInspection } from '@velojs/core';
import type { Inspection } from './protocol.ts';

export interface Inspections {
  push(step: number, tensors: readonly TensorInspection[]): void;
  /** Those since the last call; null if there are none. */
  take(): Omit<Inspection, 'type'> | null;
}

export function createInspections(): Inspections {
  let rows: { step: number; tensors: readonly TensorInspection[] }[] = [];
  return {
    push(step, tensors) {
      rows.push({ step, tensors });
    },
    take() {
      if (rows.length === 0) return null;
      const taken = rows;
      rows = [];
      const flat = taken.flatMap(({ tensors }) => tensors);
      return {
        step: Float64Array.from(taken, ({ step }) => step),
        stepFactor: Float32Array.from(flat, ({ stepFactor }) => stepFactor),
        relativeUpdate: Float32Array.from(flat, ({ relativeUpdate }) => relativeUpdate),
      };
    },
  };
}
