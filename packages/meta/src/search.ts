/**
 * The state of meta-training: a search vector, Adam's moments, and what the pairs have been perturbed by. A deterministic
 * function of the seed and of the results of all updates so far, which are scalars: every worker keeps a copy of it and
 * needs to be told nothing else.
 *
 * Evolution strategies with antithetic pairs (Salimans et al. 2017) where an episode is one update, persistent evolution
 * strategies (Vicol, Metz and Sohl-Dickstein 2021) where it is many: an estimate of a truncated episode's gradient without
 * bias, because the loss of a truncation is weighted by the sum of all perturbations since the episode began.
 */
import type { Episodes } from './episodes.ts';
import { type PairResult, perturbation } from './particles.ts';
import type { Key } from './random.ts';

export interface SearchSettings {
  readonly size: number;
  readonly pairs: number;
  /** Deviation of the perturbations, in units of the search vector. */
  readonly sigma: number;
  /** Each pair's difference d counts as squash * tanh(d / squash): one blow-up does not decide an update. Null: as it is. */
  readonly squash: number | null;
  /** Updates in all. */
  readonly updates: number;
  readonly learningRate: number;
  /** Share of the learning rate that is left at the end of half a cosine. */
  readonly finalRate: number;
  /** The gradient's norm is cut to this many times its running mean. */
  readonly clip: number;
  /** Decay of the average of search vectors, which is what is kept. */
  readonly averaging: number;
}

/** Plain data, for checkpoints. */
export interface SearchState {
  /** Updates made. */
  readonly step: number;
  readonly z: Float64Array;
  readonly average: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** Running mean of the gradient's norm; 0 before the first update. */
  readonly gradientNorm: number;
  /** Search vectors of past updates that unfinished episodes began with or went through, the oldest first. */
  readonly past: readonly Float64Array[];
}

/** What an update was made of, for the log. */
export interface UpdateSummary {
  /** Mean objective of all particles. */
  readonly objective: number;
  /** Pairs whose results were not finite, and were left out. */
  readonly dropped: number;
  readonly gradientNorm: number;
  /** Root mean square of the differences within pairs. */
  readonly difference: number;
}

const DECAYS = [0.9, 0.99] as const;
const EPSILON = 1e-8;
const NORM_DECAY = 0.9;

export class Search {
  readonly #settings: SearchSettings;
  readonly #episodes: Episodes;
  readonly #key: Key;
  #state: SearchState;

  constructor(settings: SearchSettings, episodes: Episodes, perturbationKey: Key) {
    const zeros = () => new Float64Array(settings.size);
    this.#settings = settings;
    this.#episodes = episodes;
    this.#key = perturbationKey;
    this.#state = {
      ...{ step: 0, z: zeros(), average: zeros(), first: zeros(), second: zeros() },
      ...{ gradientNorm: 0, past: [] },
    };
  }

  get state(): SearchState {
    return this.#state;
  }

  /** Goes on from a state of the same search. */
  restore(state: SearchState): void {
    this.#state = state;
  }

  /** Updates made; the next one has this number. */
  get step(): number {
    return this.#state.step;
  }

  /** The search vector that update `step` perturbs: the present one, or one that an unfinished episode needs. */
  centre(step: number): Float64Array {
    const { past, z } = this.#state;
    return step === this.#state.step ? z : past[past.length - (this.#state.step - step)]!;
  }

  /** Makes the next update of the results of all pairs, in their order. */
  update(results: readonly PairResult[]): UpdateSummary {
    const { size, pairs, sigma, squash, updates, learningRate, finalRate, clip, averaging } = this.#settings;
    const { step } = this.#state;
    const gradient = new Float64Array(size);
    let [used, objective, squares] = [0, 0, 0];
    for (const [pair, [plus, minus]] of results.entries()) {
      const difference = plus - minus;
      if (!Number.isFinite(difference)) continue;
      used++;
      objective += (plus + minus) / 2;
      squares += difference ** 2;
      const weight = (squash === null ? difference : squash * Math.tanh(difference / squash)) / (2 * sigma);
      if (weight === 0) continue;
      const { begin } = this.#episodes.at(pair, step);
      for (let past = begin; past <= step; past++) {
        const noise = perturbation(this.#key, past, pair, size);
        for (let i = 0; i < size; i++) gradient[i]! += weight * noise[i]!;
      }
    }
    const dropped = pairs - used;
    if (used > 0) for (let i = 0; i < size; i++) gradient[i]! /= used;
    const gradientNorm = lengthOf(gradient);
    this.#apply(gradient, gradientNorm, {
      rate: learningRate * (finalRate + ((1 - finalRate) * (1 + Math.cos((Math.PI * step) / updates))) / 2),
      clip,
      averaging,
    });
    return {
      objective: used > 0 ? objective / used : Number.NaN,
      dropped,
      gradientNorm,
      difference: used > 0 ? Math.sqrt(squares / used) : Number.NaN,
    };
  }

  /** Adam (arXiv 1412.6980), after the norm was cut. */
  #apply(gradient: Float64Array, norm: number, settings: { rate: number; clip: number; averaging: number }): void {
    const { rate, clip, averaging } = settings;
    const before = this.#state;
    const step = before.step + 1;
    const limit = clip * (before.gradientNorm || norm);
    const shrink = norm > limit ? limit / norm : 1;
    const [decay1, decay2] = DECAYS;
    const first = before.first.map((m, i) => decay1 * m + (1 - decay1) * shrink * gradient[i]!);
    const second = before.second.map((v, i) => decay2 * v + (1 - decay2) * (shrink * gradient[i]!) ** 2);
    const [correction1, correction2] = [1 - decay1 ** step, 1 - decay2 ** step];
    const z = before.z.map(
      (value, i) => value - (rate * (first[i]! / correction1)) / (Math.sqrt(second[i]! / correction2) + EPSILON),
    );
    const average = before.average.map((value, i) => averaging * value + (1 - averaging) * z[i]!);
    const met = Math.min(norm, limit);
    const gradientNorm = before.gradientNorm === 0 ? norm : NORM_DECAY * before.gradientNorm + (1 - NORM_DECAY) * met;
    // Of the past, what unfinished episodes need.
    const oldest = Math.min(
      step,
      ...Array.from({ length: this.#settings.pairs }, (_, pair) => this.#episodes.at(pair, step).begin),
    );
    const past = [...before.past, before.z];
    this.#state = {
      ...{ step, z, average, first, second, gradientNorm },
      past: past.slice(past.length - (step - oldest)),
    };
  }
}

/** What `Math.hypot` gives, which does not take as many arguments as theta may have numbers. */
function lengthOf(values: Float64Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Infinity)) return largest;
  // Scaled, and summed as Kahan does.
  let [sum, lost] = [0, 0];
  for (const value of values) {
    const term = (value / largest) ** 2 - lost;
    const next = sum + term;
    lost = next - sum - term;
    sum = next;
  }
  return Math.sqrt(sum) * largest;
}
