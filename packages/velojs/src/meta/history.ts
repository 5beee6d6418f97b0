/** What has happened in a run so far: read from its log, and added to. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MetaProgress, Validation } from './load-meta.ts';

/** Updates that rates are measured over. */
const WINDOW = 20;

export class History {
  readonly horizons: readonly number[];
  /** Of update 1, 2, ... */
  readonly objectives: number[] = [];
  readonly validations: Validation[] = [];
  /** Pairs left out so far, over the whole run. */
  dropped = 0;
  /** The latest update of this process. */
  latest: MetaProgress | null = null;
  readonly #recent: MetaProgress[] = [];

  constructor(folder: string, horizons: readonly number[]) {
    this.horizons = horizons;
    const log = join(folder, 'log.jsonl');
    if (!existsSync(log)) return;
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      try {
        const entry = JSON.parse(line);
        if ('validation' in entry) this.#validated({ ...entry, score: entry.validation });
        else this.#updated(entry);
      } catch {
        // Half a line.
      }
    }
  }

  update(progress: MetaProgress): void {
    this.#updated(progress);
    this.latest = progress;
    this.#recent.push(progress);
    if (this.#recent.length > WINDOW + 1) this.#recent.shift();
  }

  validate(validation: Validation): void {
    this.#validated(validation);
  }

  /** Per second, over the last updates; null after less than two. */
  rates(): { updates: number; innerSteps: number } | null {
    const [first, ...others] = this.#recent;
    const last = others.at(-1);
    if (!first || !last || last.seconds === first.seconds) return null;
    const seconds = last.seconds - first.seconds;
    return {
      updates: others.length / seconds,
      innerSteps: others.reduce((sum, { innerSteps }) => sum + innerSteps, 0) / seconds,
    };
  }

  /** Seconds; null as long as that is unknown. */
  remaining(): number | null {
    const rates = this.rates();
    return rates && this.latest ? (this.latest.updates - this.latest.step) / rates.updates : null;
  }

  /** Mean objective of the last updates. */
  objective(): number {
    const values = this.objectives.slice(-WINDOW).filter(Number.isFinite);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  #updated({ step, objective, dropped }: Pick<MetaProgress, 'step' | 'objective' | 'dropped'>): void {
    // A log may go further than the checkpoint that was gone on from.
    this.objectives.length = Math.min(this.objectives.length, step - 1);
    this.objectives[step - 1] = objective ?? Number.NaN;
    this.dropped += dropped;
  }

  #validated(validation: Validation): void {
    while ((this.validations.at(-1)?.step ?? -1) >= validation.step) this.validations.pop();
    this.validations.push(validation);
  }
}
