/**
 * Who does what when. A pair of particles trains task after task; a task with its number of steps is an episode, and an
 * episode lasts for one update of theta (ES) or, cut into truncations, for many (PES). Everything is drawn from the seed,
 * so that anyone can tell what pair `p` does at update `s`.
 */
import { derive, type Key, Random } from './random.ts';

export interface Episode {
  /** What the task, its initial parameters and its batches are drawn from. */
  readonly key: Key;
  /** The update at which it begins. */
  readonly begin: number;
  /** The update at which the next one begins. */
  readonly end: number;
  /** N of the training. */
  readonly totalSteps: number;
}

export interface EpisodeSettings {
  readonly pairs: number;
  /** Lengths of training are log-uniform between these, stratified over the pairs. */
  readonly horizon: { readonly low: number; readonly high: number };
  /** Inner steps per update; null for whole episodes. */
  readonly truncation: number | null;
}

export class Episodes {
  readonly #settings: EpisodeSettings;
  readonly #key: Key;
  /** The latest episode that was asked for, by pair, and its number. */
  readonly #latest = new Map<number, { readonly episode: Episode; readonly number: number }>();

  constructor(key: Key, settings: EpisodeSettings) {
    this.#key = key;
    this.#settings = settings;
  }

  /** What pair `pair` does at update `step`. */
  at(pair: number, step: number): Episode {
    if (this.#settings.truncation === null) return this.#episode(pair, step, step);
    let latest = this.#latest.get(pair);
    if (!latest || latest.episode.begin > step) latest = { number: 0, episode: this.#episode(pair, 0, 0) };
    while (latest.episode.end <= step) {
      const number: number = latest.number + 1;
      latest = { number, episode: this.#episode(pair, number, latest.episode.end) };
    }
    this.#latest.set(pair, latest);
    return latest.episode;
  }

  #episode(pair: number, number: number, begin: number): Episode {
    const { pairs, horizon, truncation } = this.#settings;
    const key = derive(this.#key, pair, number);
    // Which stratum is a pair's own changes from episode to episode, so that no pair does all the long ones.
    const stratum = (pair + number) % pairs;
    const place = (stratum + new Random(key).uniform()) / pairs;
    const totalSteps = Math.round(horizon.low * (horizon.high / horizon.low) ** place);
    return { key, begin, totalSteps, end: begin + (truncation === null ? 1 : Math.ceil(totalSteps / truncation)) };
  }
}
