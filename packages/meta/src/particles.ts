/** Runs pairs of particles: the same training twice, with theta perturbed one way and the other. */
import type { WasmBackend, WasmTensor } from '@velojs/backend-wasm';
import { type DeviceTheta, keepTree, type Tree, tensorsOf, uploadTheta } from '@velojs/core';
import type { Episode, Episodes } from './episodes.ts';
import { score } from './objective.ts';
import { derive, type Key, Random } from './random.ts';
import type { SearchSpace } from './search-space.ts';
import type { TaskFamily } from './task.ts';
import { Training } from './training.ts';

/** What a pair has to tell of one update: what each particle added to its episode's objective. NaN: the task failed. */
export type PairResult = readonly [plus: number, minus: number];

/** Share of the objective that is the score at the end; the rest is the mean score of the batches. */
const FINAL = 0.8;

export interface ParticleSettings {
  readonly sigma: number;
  readonly truncation: number | null;
  /** See `score`. */
  readonly floor: number;
}

/** Two trainings in the middle of an episode. */
interface Pair {
  readonly episode: Episode;
  /** The update that comes next. */
  next: number;
  readonly trainings: readonly [Training, Training];
}

export class Particles {
  readonly #backend: WasmBackend;
  readonly #space: SearchSpace;
  readonly #episodes: Episodes;
  readonly #families: (key: Key) => TaskFamily;
  readonly #perturbationKey: Key;
  readonly #settings: ParticleSettings;
  readonly #pairs = new Map<number, Pair>();

  constructor(options: {
    backend: WasmBackend;
    space: SearchSpace;
    episodes: Episodes;
    /** The family that the task of an episode is sampled from. */
    families: (key: Key) => TaskFamily;
    perturbationKey: Key;
    settings: ParticleSettings;
  }) {
    this.#backend = options.backend;
    this.#space = options.space;
    this.#episodes = options.episodes;
    this.#families = options.families;
    this.#perturbationKey = options.perturbationKey;
    this.#settings = options.settings;
  }

  /**
   * Runs pair `pair` for update `step`. Where its state is not here, because another worker had it or it is gone, the
   * episode is repeated from its beginning: the result is the same.
   *
   * @param centre the search vector at an update since the episode began.
   */
  run(pair: number, step: number, centre: (step: number) => Float64Array): PairResult {
    const episode = this.#episodes.at(pair, step);
    let held = this.#pairs.get(pair);
    if (held && (held.episode.begin !== episode.begin || held.next > step)) {
      this.#drop(pair);
      held = undefined;
    }
    held ??= this.#begin(pair, episode, centre(episode.begin));
    let result: PairResult = [Number.NaN, Number.NaN];
    try {
      while (held.next <= step) result = this.#advance(pair, held, centre(held.next));
    } catch (error) {
      // Whoever tries again begins again: a particle may be further than the other.
      this.#drop(pair);
      throw error;
    }
    if (step + 1 >= episode.end) this.#drop(pair);
    return result;
  }

  dispose(): void {
    for (const pair of [...this.#pairs.keys()]) this.#drop(pair);
  }

  #begin(pair: number, episode: Episode, z: Float64Array): Pair {
    const task = this.#families(derive(episode.key, 0)).sample(derive(episode.key, 1));
    const trainings = this.#withThetas(pair, episode.begin, z, (theta) => {
      return new Training(this.#backend, theta, task, derive(episode.key, 2), episode.totalSteps);
    });
    const held = { episode, next: episode.begin, trainings };
    this.#pairs.set(pair, held);
    return held;
  }

  #advance(pair: number, held: Pair, z: Float64Array): PairResult {
    const { totalSteps } = held.episode;
    const { truncation, floor } = this.#settings;
    const steps = Math.min(truncation ?? totalSteps, totalSteps);
    const result = this.#withThetas(pair, held.next, z, (theta, sign) => {
      const training = held.trainings[sign]!;
      const { initialLoss } = training;
      const before = (held.next - held.episode.begin) * steps;
      const count = Math.min(steps, totalSteps - before);
      let sum = 0;
      let done = 0;
      training.run(theta, count, (loss) => {
        sum += score(loss, initialLoss, floor);
        done++;
      });
      sum += (count - done) * score(Infinity, initialLoss, floor);
      const final = before + count === totalSteps ? score(training.trainingLoss(), initialLoss, floor) : 0;
      return FINAL * final + ((1 - FINAL) * sum) / totalSteps;
    });
    held.next++;
    return result;
  }

  #withThetas<R>(
    pair: number,
    step: number,
    z: Float64Array,
    use: (theta: DeviceTheta<WasmTensor>, sign: 0 | 1) => R,
  ): [R, R] {
    const backend = this.#backend;
    const noise = perturbation(this.#perturbationKey, step, pair, this.#space.size);
    const one = (sign: 0 | 1): R => {
      const amount = sign === 0 ? this.#settings.sigma : -this.#settings.sigma;
      const theta = uploadTheta(backend, this.#space.thetaAt(z.map((value, i) => value + amount * noise[i]!)));
      keepTree(backend, theta as unknown as Tree<WasmTensor>);
      try {
        return use(theta, sign);
      } finally {
        for (const tensor of tensorsOf(backend, theta as unknown as Tree<WasmTensor>)) backend.dispose(tensor);
      }
    };
    return [one(0), one(1)];
  }

  #drop(pair: number): void {
    for (const training of this.#pairs.get(pair)?.trainings ?? []) training.dispose();
    this.#pairs.delete(pair);
  }
}

/** The direction that pair `pair` is perturbed in at update `step`: standard normal, `size` numbers. */
export const perturbation = (key: Key, step: number, pair: number, size: number): Float64Array =>
  new Random(derive(key, step, pair)).normals(new Float64Array(size));
