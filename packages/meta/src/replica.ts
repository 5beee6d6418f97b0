/**
 * Meta-training as every worker holds it: the search state, and what it takes to run any pair of any update. Workers are
 * told the results of an update, scalars, and from then on know theta as the leader does.
 */
import { type WasmBackend, type WasmTensor, wasm } from '@velojs/backend-wasm';
import { keepTree, type Theta, type Tree, tensorsOf, uploadTheta, VeloError } from '@velojs/core';
import { loadTheta, starterTheta } from '@velojs/weights';
import type { MetaConfig } from './config.ts';
import { type EpisodeSettings, Episodes } from './episodes.ts';
import { score } from './objective.ts';
import { type PairResult, Particles } from './particles.ts';
import { derive, type Key, keyOf, Random } from './random.ts';
import { Search, type UpdateSummary } from './search.ts';
import { createSearchSpace, type SearchSpace } from './search-space.ts';
import type { TaskFamily } from './task.ts';
import { augmented } from './tasks/augmentation.ts';
import { FAMILIES } from './tasks/index.ts';
import { Training } from './training.ts';

/** What keys are derived for. */
const PURPOSE = { episodes: 0, perturbations: 1, validation: 2 } as const;

export class Replica {
  readonly config: MetaConfig;
  readonly search: Search;
  readonly space: SearchSpace;
  readonly episodes: Episodes;
  readonly #backend: WasmBackend;
  readonly #particles: Particles;
  readonly #families: (key: Key) => TaskFamily;

  private constructor(config: MetaConfig, backend: WasmBackend, start: Theta, families: (key: Key) => TaskFamily) {
    const seed = keyOf(config.seed);
    const truncation = config.estimator.kind === 'pes' ? config.estimator.truncation : null;
    const settings: EpisodeSettings = { pairs: config.pairs, horizon: config.horizon, truncation };
    const perturbationKey = derive(seed, PURPOSE.perturbations);
    this.config = config;
    this.space = createSearchSpace(start, config.trained);
    this.episodes = new Episodes(derive(seed, PURPOSE.episodes), settings);
    this.search = new Search({ ...config, size: this.space.size }, this.episodes, perturbationKey);
    this.#backend = backend;
    this.#families = families;
    this.#particles = new Particles({
      ...{ backend, space: this.space, episodes: this.episodes, families, perturbationKey },
      settings: { sigma: config.sigma, truncation, floor: config.floor },
    });
  }

  /** @throws VeloError `INVALID_ARGUMENT` for a family or module that there is not, `WEIGHTS_INVALID` for the start. */
  static async create(config: MetaConfig): Promise<Replica> {
    const start =
      typeof config.start === 'string'
        ? await loadTheta(config.start, { allowUnverified: true })
        : starterTheta(config.start);
    return new Replica(config, await wasm({ simd: 'plain' }), start, await familiesOf(config));
  }

  /** The theta that is kept: at the average of the search vectors. */
  theta(): Theta {
    return this.space.thetaAt(this.search.state.average);
  }

  /** Runs a pair for the next update. */
  runPair(pair: number): PairResult {
    return this.#particles.run(pair, this.search.step, (step) => this.search.centre(step));
  }

  update(results: readonly PairResult[]): UpdateSummary {
    return this.search.update(results);
  }

  /** Score of the kept theta on validation task `index`: the horizons one after the other, `validation.tasks` of each. */
  validate(index: number): number {
    const { tasks, horizons } = this.config.validation;
    const key = derive(keyOf(this.config.seed), PURPOSE.validation, index);
    const task = this.#families(derive(key, 0)).sample(derive(key, 1));
    const backend = this.#backend;
    const theta = uploadTheta(backend, this.theta());
    keepTree(backend, theta as unknown as Tree<WasmTensor>);
    const training = new Training(backend, theta, task, derive(key, 2), horizons[Math.floor(index / tasks)]!);
    try {
      training.run(theta, training.totalSteps, () => {});
      return score(training.trainingLoss(), training.initialLoss, this.config.floor);
    } finally {
      training.dispose();
      for (const tensor of tensorsOf(backend, theta as unknown as Tree<WasmTensor>)) backend.dispose(tensor);
    }
  }

  dispose(): void {
    this.#backend.close();
  }
}

/** How a family is chosen, with the weights of the configuration. */
async function familiesOf({ tasks }: MetaConfig): Promise<(key: Key) => TaskFamily> {
  const known = new Map(Object.entries(FAMILIES));
  for (const module of tasks.modules) {
    const { families } = (await import(module).catch((cause: unknown) => {
      throw invalid(`The module ${module} cannot be loaded: ${(cause as Error).message}`, cause);
    })) as { families?: Record<string, TaskFamily> };
    if (families === undefined || typeof families !== 'object') throw invalid(`${module} does not export "families".`);
    for (const [name, family] of Object.entries(families)) known.set(name, family);
  }
  const chosen = Object.entries(tasks.families).map(([name, weight]) => {
    const family = known.get(name);
    if (!family) throw invalid(`There is no task family "${name}". There are ${[...known.keys()].join(', ')}.`);
    return { family: augmented(family, tasks.augmentation), weight };
  });
  const total = chosen.reduce((sum, { weight }) => sum + weight, 0);
  return (key) => {
    const place = new Random(key).uniform(0, total);
    let passed = 0;
    for (const { family, weight } of chosen) {
      passed += weight;
      if (place < passed) return family;
    }
    return chosen.at(-1)!.family;
  };
}

const invalid = (message: string, cause?: unknown) =>
  new VeloError('INVALID_ARGUMENT', message, cause === undefined ? {} : { cause });
