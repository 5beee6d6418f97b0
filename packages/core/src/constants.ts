/**
 * Constants of the algorithm (SPEC section 2), rounded to float32: the original holds them so, and for the decay
 * rates it shows (SPEC section 10).
 */

/** Decays of momentum and, the same three, of the factored second moments. */
export const DECAYS: readonly [number, number, number] = [Math.fround(0.9), Math.fround(0.99), Math.fround(0.999)];
export const SECOND_MOMENT_DECAY: number = Math.fround(0.999);
export const FRACTION_SCALES: readonly number[] = [0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1].map(Math.fround);
export const GRADIENT_LIMIT = 1000;
export const BANK_MULTIPLIER = 100;
export const STEP_MULTIPLIER: number = Math.fround(0.001);
export const MAGNITUDE_MULTIPLIER: number = Math.fround(0.001);

/** Added to squared gradients before the factored averages, so that these are never 0. */
export const SQUARE_EPSILON: number = Math.fround(1e-30);
/** Floor under every reciprocal square root of a factored average, and of the parameter's scale. */
export const RSQRT_FLOOR: number = Math.fround(1e-9);
export const ROW_MEAN_EPSILON: number = Math.fround(1e-9);
export const SECOND_MOMENT_EPSILON: number = Math.fround(1e-6);
export const FACTORED_EPSILON: number = Math.fround(1e-8);
export const NORMALIZER_EPSILON: number = Math.fround(1e-5);
export const PARAMETER_SCALE_EPSILON: number = Math.fround(1e-9);
export const GRADIENT_CLIP_FEATURE: number = Math.fround(0.1);
/** Inside the logarithm of a feature. */
export const LOG_EPSILON: number = Math.fround(1e-8);
/** The 14 groups of the MLP's inputs and how many columns each has (SPEC section 11). */
export const GROUP_WIDTHS: readonly number[] = [1, 1, 1, 3, 1, 3, 1, 3, 1, 3, 3, 3, 3, 3];
