/** The settings of a run in the page's address: `#task=spirals&steps=600&seed=0&vs=adam:0.001,sgd:0.1:0.9`. */
import type { BackendId, OpponentSpec } from '../engine/protocol.ts';

export interface Settings {
  /** Name of a task, or `own` for files, which no link can hold. */
  readonly task: string;
  readonly steps: number;
  readonly seed: number;
  /** null: as the task has it. */
  readonly hidden: readonly number[] | null;
  readonly batchSize: number | null;
  /** null: the first that the browser has. */
  readonly backend: BackendId | null;
  readonly opponents: readonly OpponentSpec[];
  /** `default`, the name of known weights, or `file`. */
  readonly theta: string;
}

export const MOST_STEPS = 1_000_000;
export const MOST_LAYERS = 8;
export const WIDEST_LAYER = 4096;
export const MOST_BATCH = 100_000;
export const MOMENTUM = 0.9;
const MOST_SEED = 2 ** 32 - 1;
const BACKENDS: readonly BackendId[] = ['wasm', 'wasm-threads', 'cpu', 'webgpu'];

export function writeAddress(settings: Settings): string {
  const { task, steps, seed, hidden, batchSize, backend, opponents, theta } = settings;
  const entries: [string, string | number | null | undefined][] = [
    ['task', task],
    ['hidden', hidden?.join(',')],
    ['steps', steps],
    ['batch', batchSize],
    ['seed', seed],
    ['backend', backend],
    ['theta', theta === 'default' ? null : theta],
    ['vs', opponents.map(writeOpponent).join(',')],
  ];
  return entries
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/**
 * Reads what is there and right; the rest comes from `defaults`.
 *
 * @param most opponents to read.
 * @returns sentences on what was not understood, for the person who followed the link.
 */
export function readAddress(
  hash: string,
  { defaults, tasks, most }: { defaults: Settings; tasks: readonly string[]; most: number },
): { settings: Settings; complaints: string[] } {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  const complaints: string[] = [];
  const names = new Set<string>();
  const read = <Value>(name: string, fallback: Value, parse: (text: string) => Value | undefined): Value => {
    names.add(name);
    const text = parameters.get(name);
    if (text === null) return fallback;
    const value = parse(text);
    if (value !== undefined) return value;
    complaints.push(`This link has ${name}=${text}, which is not understood; the default is taken.`);
    return fallback;
  };
  const settings: Settings = {
    task: read('task', defaults.task, (text) => ([...tasks, 'own'].includes(text) ? text : undefined)),
    steps: read('steps', defaults.steps, wholeNumber(1, MOST_STEPS)),
    seed: read('seed', defaults.seed, wholeNumber(0, MOST_SEED)),
    hidden: read('hidden', defaults.hidden, readHidden),
    batchSize: read('batch', defaults.batchSize, wholeNumber(1, MOST_BATCH)),
    backend: read('backend', defaults.backend, (text) => BACKENDS.find((id) => id === text)),
    opponents: read('vs', defaults.opponents, (text) => {
      const opponents = text === '' ? [] : text.split(',').map(readOpponent);
      return opponents.length <= most && opponents.every((one) => one !== undefined) ? opponents : undefined;
    }),
    theta: read('theta', defaults.theta, (text) => (['default', 'velo', 'file'].includes(text) ? text : undefined)),
  };
  for (const name of new Set(parameters.keys())) {
    if (!names.has(name)) complaints.push(`This link has ${name}, which is not understood and does nothing.`);
  }
  return { settings, complaints };
}

/** `64, 32` as widths; undefined where it is none. */
export function readHidden(text: string): readonly number[] | undefined {
  const widths = text.split(',').map((width) => wholeNumber(1, WIDEST_LAYER)(width.trim()));
  return widths.length <= MOST_LAYERS && widths.every((width) => width !== undefined) ? widths : undefined;
}

function writeOpponent(spec: OpponentSpec): string {
  if (spec.name === 'sgd') return `sgd:${spec.learningRate}:${spec.momentum}`;
  return `${spec.decay === 'cosine' ? 'adam-cosine' : 'adam'}:${spec.learningRate}`;
}

function readOpponent(text: string): OpponentSpec | undefined {
  const [name, rate = '', momentum] = text.split(':');
  const learningRate = Number(rate);
  if (!(learningRate > 0 && learningRate <= 100)) return undefined;
  if (name === 'adam' && momentum === undefined) return { name, learningRate };
  if (name === 'adam-cosine' && momentum === undefined) return { name: 'adam', learningRate, decay: 'cosine' };
  if (name !== 'sgd') return undefined;
  const share = momentum === undefined ? MOMENTUM : Number(momentum);
  return share >= 0 && share < 1 ? { name, learningRate, momentum: share } : undefined;
}

const wholeNumber = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= least && value <= most ? value : undefined;
};
