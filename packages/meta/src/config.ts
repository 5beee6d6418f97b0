/** What a meta-training is: one document, checked before anything runs. */
import { VeloError } from '@velojs/core';
import { z } from 'zod';
import type { TrainedLeaves } from './search-space.ts';
import type { Augmentation } from './tasks/augmentation.ts';

/** A configuration with everything filled in; see `docs/meta-training.md` for how to choose. */
export interface MetaConfig {
  /** Of everything that is drawn; default 0. */
  readonly seed: number;
  /** Where theta starts: the starter theta of these sizes (default 16 and 4), or the path or address of another. */
  readonly start: { readonly hiddenSize: number; readonly bankSize: number } | string;
  /** The numbers of theta that are trained, by leaf. */
  readonly trained: TrainedLeaves;
  readonly tasks: {
    /** ES modules that export `families`: paths relative to the configuration's file, or packages. */
    readonly modules: readonly string[];
    /** How often each family is drawn, relative to the others. */
    readonly families: Readonly<Record<string, number>>;
    /** Default: half the tasks reparametrised by up to 5, the loss of 30 % times 1e-3 to 1e3. */
    readonly augmentation: Augmentation;
  };
  /** Inner steps of a training: log-uniform. */
  readonly horizon: { readonly low: number; readonly high: number };
  /** A training is scored by ln(floor + final loss / initial loss): what is won below it counts for little. Default 0.003. */
  readonly floor: number;
  /** `es`: whole trainings; `pes`: `truncation` inner steps per update. */
  readonly estimator: { readonly kind: 'es' } | { readonly kind: 'pes'; readonly truncation: number };
  /** Antithetic pairs per update; default 24. */
  readonly pairs: number;
  /** Deviation of the perturbations, in the units that `trained` gives; default 0.01. */
  readonly sigma: number;
  /** A pair's difference d counts as squash * tanh(d / squash), default 0.05; null: as it is. */
  readonly squash: number | null;
  readonly updates: number;
  /** Of Adam on the search vector; default 6e-4. */
  readonly learningRate: number;
  /** Share of the learning rate that is left at the end of half a cosine; default 0.2. */
  readonly finalRate: number;
  /** The gradient's norm is cut to this many times its running mean; default 2. */
  readonly clip: number;
  /** Decay of the average of search vectors, which is what is kept; default 0.95. */
  readonly averaging: number;
  /** On tasks of the same families that are never trained on. */
  readonly validation: {
    /** Updates between validations; default 25. */
    readonly every: number;
    /** Tasks per horizon; default 16. */
    readonly tasks: number;
    /** Default 100, 400, 1600. */
    readonly horizons: readonly number[];
  };
}

const positive = z.number().positive();
const share = z.number().min(0).max(1);
const whole = (least: number) => z.int().min(least);
const indices = z.array(whole(0)).optional();
const rising = ({ low, high }: { low: number; high: number }) => low <= high;

const schema = z.strictObject({
  seed: whole(0).default(0),
  start: z
    .union([z.strictObject({ hiddenSize: whole(12), bankSize: whole(1) }), z.string().min(1)])
    .default({ hiddenSize: 16, bankSize: 4 }),
  trained: z.record(z.string(), z.strictObject({ scale: positive, bank: indices, units: indices })),
  tasks: z.strictObject({
    modules: z.array(z.string()).default([]),
    families: z.record(z.string(), positive).refine((names) => Object.keys(names).length > 0, 'name a family'),
    augmentation: z
      .strictObject({
        reparametrise: share,
        range: z.number().min(1),
        lossScale: z
          .strictObject({ probability: share, low: positive, high: positive })
          .refine(rising, 'low must not be above high'),
      })
      .default({ reparametrise: 0.5, range: 5, lossScale: { probability: 0.3, low: 1e-3, high: 1e3 } }),
  }),
  horizon: z.strictObject({ low: whole(1), high: whole(1) }).refine(rising, 'low must not be above high'),
  floor: positive.default(0.003),
  estimator: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('es') }),
    z.strictObject({ kind: z.literal('pes'), truncation: whole(1) }),
  ]),
  pairs: whole(1).default(24),
  sigma: positive.default(0.01),
  squash: positive.nullable().default(0.05),
  updates: whole(1),
  learningRate: positive.default(6e-4),
  finalRate: share.default(0.2),
  clip: positive.default(2),
  averaging: share.default(0.95),
  validation: z
    .strictObject({ every: whole(1), tasks: whole(1), horizons: z.array(whole(1)).min(1) })
    .default({ every: 25, tasks: 16, horizons: [100, 400, 1600] }),
});

/**
 * Checks a configuration and fills in defaults.
 *
 * @throws VeloError `INVALID_ARGUMENT` naming every unknown key and impossible value.
 * @example
 * ```ts
 * const config = parseConfig(JSON.parse(await readFile('mini.json', 'utf8')));
 * ```
 */
export function parseConfig(value: unknown): MetaConfig {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the document'}: ${message}`);
  throw new VeloError('INVALID_ARGUMENT', `The configuration cannot be used. ${problems.join('; ')}.`);
}
