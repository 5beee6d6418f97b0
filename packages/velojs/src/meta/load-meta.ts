/** Meta-training is loaded when a command of its own runs. */
import type { MetaConfig, MetaProgress, Validation } from '@velojs/meta';

export type { MetaConfig, MetaProgress, Validation };
export type Meta = typeof import('@velojs/meta');

export const loadMeta = (): Promise<Meta> => import('@velojs/meta');
