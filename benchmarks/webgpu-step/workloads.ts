/** The lists of tensors that steps on a GPU are measured on. */
import type { Shape } from '@velojs/core';
import { WORKLOADS, type Workload } from '../step-cost/workloads.ts';

export interface GpuWorkload extends Workload {
  /** Whether core's composed operations are measured too: many dispatches per tensor. */
  readonly composed: boolean;
  /** On a processor that does the work of a GPU it takes minutes, so it is measured there only if asked for by name. */
  readonly large: boolean;
}

/**
 * The encoder of ViT-B/16 (arXiv 2010.11929, table 1) on images of 224 x 224: patches, class token, positions, 12 blocks
 * with queries, keys and values in one matrix, last normalisation.
 */
function vitB16(): Shape[] {
  const [width, mlp, patch, positions] = [768, 3072, 16, (224 / 16) ** 2 + 1];
  const dense = (inputs: number, outputs: number): Shape[] => [[inputs, outputs], [outputs]];
  const norm: Shape[] = [[width], [width]];
  const block = [
    ...norm,
    ...dense(width, 3 * width),
    ...dense(width, width),
    ...norm,
    ...dense(width, mlp),
    ...dense(mlp, width),
  ];
  return [
    [patch, patch, 3, width],
    [width],
    [1, 1, width],
    [1, positions, width],
    ...Array.from({ length: 12 }, () => block).flat(),
    ...norm,
  ];
}

const known = (name: string, composed: boolean): GpuWorkload => ({
  ...WORKLOADS.find((workload) => workload.name === name)!,
  composed,
  large: false,
});

export const GPU_WORKLOADS: readonly GpuWorkload[] = [
  known('tiny-mlp', true),
  known('mlp', true),
  known('1024x1024', true),
  known('64-of-128x128', false),
  { name: 'vit-b-16', title: 'ViT-B/16, encoder', shapes: vitB16(), composed: false, large: true },
];
