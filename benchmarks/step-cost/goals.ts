/** What we want a step to cost, as ratios within one run. */
import { DIRECT, RELAXED, type ThetaName } from './contender.ts';
import { findRatio, type Ratio, type Selection } from './ratios.ts';
import type { ProcessResults } from './results.ts';

interface Goal {
  readonly measure: string;
  readonly group: string;
  readonly numerator: Selection;
  readonly denominator: Selection;
  readonly bound: 'at most' | 'at least';
  readonly goal: number;
  readonly stretch?: number;
}

export interface GoalResult {
  readonly measure: string;
  /** Such as `<= 1.5, stretch 1.3`. */
  readonly goal: string;
  /** Null where one of the two was not measured. */
  readonly figure: Ratio | null;
  /** Where the goal is about the starter theta: the same with theta in the released size. */
  readonly released: Ratio | null;
  readonly verdict: 'met' | 'missed' | 'not measured';
}

const velo = (backend: string, theta: ThetaName = 'starter'): Selection => ({ contender: `VeLO ${backend}`, theta });
const adam = (name: string): Selection => ({ contender: `${name} Adam`, theta: null });
const relaxed: Selection = { contender: RELAXED, theta: 'starter' };
const network = (contender: string): Selection => ({ contender, theta: 'released', part: 'network' });

const WASM_GOALS: readonly Goal[] = (
  [
    ['64-of-128x128', '64 of 128 x 128, WASM over tfjs-wasm Adam', velo('wasm'), 1.0],
    ['64-of-128x128', '64 of 128 x 128, WASM relaxed over tfjs-wasm Adam', relaxed, 0.9],
    ['64-of-128x128', '64 of 128 x 128, WASM with 2 threads over tfjs-wasm Adam', velo('wasm, 2 threads'), 0.55],
    ['1024x1024', 'one 1024 x 1024, WASM over tfjs-wasm Adam', velo('wasm'), 1.9],
    ['1024x1024', 'one 1024 x 1024, WASM with 2 threads over tfjs-wasm Adam', velo('wasm, 2 threads'), 1.0],
    ['mlp', 'MLP 784-128-64-10, released size, WASM over tfjs-wasm Adam', velo('wasm', 'released'), 1.5, 1.3],
    ['tiny-mlp', 'tiny MLP 2-16-16-2, released size, WASM over tfjs-wasm Adam', velo('wasm', 'released'), 1.2, 1.0],
  ] as const
).map(([group, measure, numerator, goal, stretch]) => ({
  measure,
  group,
  numerator,
  denominator: adam('tfjs-wasm'),
  bound: 'at most',
  goal,
  ...(stretch !== undefined && { stretch }),
}));

export const GOALS: readonly Goal[] = [
  ...WASM_GOALS,
  {
    measure: 'one 1024 x 1024, WASM over our WASM Adam',
    group: '1024x1024',
    numerator: velo('wasm'),
    denominator: adam('our WASM'),
    bound: 'at most',
    goal: 15,
  },
  {
    measure: 'one 1024 x 1024, plain JavaScript over WASM',
    group: '1024x1024',
    numerator: velo('cpu'),
    denominator: velo('wasm'),
    bound: 'at least',
    goal: 5,
  },
  {
    measure: 'LSTM and heads, 50 tensors, released size, folded over direct',
    group: 'network-50',
    numerator: network('VeLO wasm'),
    denominator: network(DIRECT),
    bound: 'at most',
    goal: 0.6,
  },
  ...['1024x1024', '64-of-128x128'].flatMap((group): Goal[] =>
    (
      [
        ['tfjs-cpu', 0.35],
        ['JavaScript', 12],
      ] as const
    ).map(([opponent, goal]) => ({
      measure: `${group === '1024x1024' ? 'one 1024 x 1024' : '64 of 128 x 128'}, plain JavaScript over ${opponent} Adam`,
      group,
      numerator: velo('cpu'),
      denominator: adam(opponent),
      bound: 'at most',
      goal,
    })),
  ),
  ...(
    [
      ['1024x1024', 'one 1024 x 1024'],
      ['64-of-128x128', '64 of 128 x 128'],
      ['mlp', 'MLP 784-128-64-10'],
    ] as const
  ).flatMap(([group, title]): Goal[] =>
    (
      [
        ['tfjs-cpu', 0.6],
        ['tfjs-wasm', 15, 2],
      ] as const
    ).map(([backend, goal, stretch]) => ({
      measure: `${title}, VeLO on ${backend} over Adam there`,
      group,
      numerator: velo(backend),
      denominator: adam(backend),
      bound: 'at most',
      goal,
      ...(stretch !== undefined && { stretch }),
    })),
  ),
];

/** Every goal with its figure. */
export function goalResults(processes: readonly ProcessResults[], goals: readonly Goal[] = GOALS): GoalResult[] {
  return goals.map(({ measure, group, numerator, denominator, bound, goal, stretch }) => {
    const figure = findRatio(processes, group, numerator, denominator);
    const inReleasedSize = (selection: Selection) =>
      selection.theta === 'starter' ? { ...selection, theta: 'released' as const } : selection;
    const met = figure && (bound === 'at most' ? figure.median <= goal : figure.median >= goal);
    return {
      measure,
      goal: `${bound === 'at most' ? '<=' : '>='} ${goal}${stretch === undefined ? '' : `, stretch ${stretch}`}`,
      figure,
      released:
        numerator.theta === 'starter'
          ? findRatio(processes, group, inReleasedSize(numerator), inReleasedSize(denominator))
          : null,
      verdict: met === null ? 'not measured' : met ? 'met' : 'missed',
    };
  });
}
