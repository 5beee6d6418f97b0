/** The figures of an optimizer over all tasks, and over each group of them. */
import { ADAM_DEFAULT, type CandidateOutcome, meanLoss, type Outcome, type TaskEvaluation } from './outcomes.ts';
import { ADAM, TUNED_BASELINES } from './plan.ts';
import { createBootstrap, type Estimate, interquartileMean, mean, median, type Sample } from './statistics.ts';

/** A candidate beside an opponent. */
export interface Comparison {
  /** Share of the tasks on which its training loss, as the mean over seeds, ends lower. */
  readonly wins: Estimate;
  readonly won: number;
  /** The same by the loss on examples that nothing was trained on. */
  readonly validationWins: Estimate;
  /** Interquartile mean over tasks and seeds of its score minus the opponent's: below 0 it is better. */
  readonly score: Estimate;
}

export interface SpeedUps {
  /** Over tasks, of the medians over seeds. */
  readonly median: Estimate;
  /** Over tasks and seeds. */
  readonly interquartileMean: Estimate;
  /** Share of the runs that reached what Adam does not within its longest run; they count with the cap. */
  readonly capped: number;
}

export interface GroupSummary {
  /** Null: all tasks. */
  readonly group: string | null;
  readonly tasks: number;
  readonly runs: number;
  /** Runs that left the finite or ended above their initial training loss, however many steps they were told. */
  readonly diverged: readonly { readonly task: string; readonly seed: number; readonly told: number }[];
  /** Interquartile mean over tasks and seeds of ln(0.01 + final / initial training loss). */
  readonly score: Estimate;
  /** Their plain mean. */
  readonly meanScore: number;
  /** By the opponent's id; empty unless the suite compares, as what follows. */
  readonly against: Readonly<Record<string, Comparison>>;
  readonly speedUp: SpeedUps | null;
  readonly smoothedSpeedUp: SpeedUps | null;
  /** Told half and twice the number of steps: its score minus that of being told right, and its wins over tuned Adam. */
  readonly told: readonly { readonly factor: number; readonly score: Estimate; readonly wins: Estimate }[];
}

export interface CandidateSummary {
  readonly name: string;
  /** Of the theta, by its values. */
  readonly id: string;
  /** All tasks, then each group. */
  readonly groups: readonly GroupSummary[];
}

/** Opponents in the order of tables. */
export const OPPONENTS: readonly { readonly id: string; readonly title: string }[] = [
  ...TUNED_BASELINES.map(({ id, title }) => ({ id, title })),
  { id: ADAM_DEFAULT.id, title: ADAM_DEFAULT.title },
];

/** Below a hundredth of the initial loss, going on counts for little. */
const OFFSET = 0.01;
/** Whoever ends at ten times the initial loss, or leaves the finite, counts as this. */
const WORST = 10;

/** ln(0.01 + final / initial loss): from -4.6 (solved) over 0.01 (no progress) to 2.3 (diverged). */
export const score = (loss: number | null, initialLoss: number): number =>
  Math.log(OFFSET + Math.min(WORST, Math.max(0, (loss ?? Infinity) / initialLoss)));

/** @param cap of speed-ups. */
export function summarise(name: string, id: string, tasks: readonly TaskEvaluation[], cap: number): CandidateSummary {
  const groups = [...new Set(tasks.map(({ group }) => group))];
  const parts = groups.map((group) => ({ group, tasks: tasks.filter((task) => task.group === group) }));
  return {
    name,
    id,
    groups: [{ group: null, tasks }, ...(groups.length > 1 ? parts : [])].map((part) =>
      summariseGroup(name, part.group, part.tasks, cap),
    ),
  };
}

type Losses = readonly (number | null)[];

function summariseGroup(
  name: string,
  group: string | null,
  tasks: readonly TaskEvaluation[],
  cap: number,
): GroupSummary {
  const own = tasks.map(({ candidates }) => candidates[name]!);
  const cells = tasks.map(({ group, initialLoss }) => ({ group, seeds: initialLoss.length }));
  const estimate = createBootstrap(cells);
  const scores = (losses: readonly Losses[]) =>
    losses.map((bySeed, i) => bySeed.map((loss, seed) => score(loss, tasks[i]!.initialLoss[seed]!)));
  const ownScores = scores(own.map(({ trainingLoss }) => trainingLoss));

  const estimateOver = (values: readonly (readonly number[])[], of: (values: readonly number[]) => number) =>
    estimate((sample) => of(drawn(values, sample)));
  const winsOver = (ours: readonly Losses[], theirs: readonly Losses[]) =>
    estimate((sample) =>
      mean(
        sample.map(({ task, seeds }) => {
          const meanOf = (losses: Losses) => meanLoss(seeds.map((seed) => losses[seed]!));
          return meanOf(ours[task]!) < meanOf(theirs[task]!) ? 1 : 0;
        }),
      ),
    );
  const differences = (ours: readonly (readonly number[])[], theirs: readonly (readonly number[])[]) =>
    ours.map((bySeed, task) => bySeed.map((value, seed) => value - theirs[task]![seed]!));

  const compared = OPPONENTS.filter(({ id }) => tasks.every(({ baselines }) => baselines[id]));
  const against = compared.map(({ id }): [string, Comparison] => {
    const opponent: readonly Outcome[] = tasks.map(({ baselines }) => baselines[id]!);
    const losses = (outcomes: readonly Outcome[]) => outcomes.map(({ trainingLoss }) => trainingLoss);
    const validation = (outcomes: readonly Outcome[]) => outcomes.map(({ validationLoss }) => validationLoss);
    const wins = winsOver(losses(own), losses(opponent));
    return [
      id,
      {
        wins,
        won: Math.round(wins.value * tasks.length),
        validationWins: winsOver(validation(own), validation(opponent)),
        score: estimateOver(differences(ownScores, scores(losses(opponent))), interquartileMean),
      },
    ];
  });

  const speedUps = (key: 'speedUp' | 'smoothedSpeedUp'): SpeedUps | null => {
    if (compared.length === 0) return null;
    const values = own.map((outcome) => outcome[key]);
    return {
      median: estimate((sample) =>
        median(sample.map(({ task, seeds }) => median(seeds.map((seed) => values[task]![seed]!)))),
      ),
      interquartileMean: estimateOver(values, interquartileMean),
      capped: mean(values.flat().map((value) => (value >= cap ? 1 : 0))),
    };
  };

  const adam = tasks.map(({ baselines }) => baselines[ADAM.id]?.trainingLoss ?? []);
  const told = (own[0]?.told ?? []).map(({ factor }, i) => {
    const losses = own.map((outcome) => outcome.told[i]!.trainingLoss);
    return {
      factor,
      score: estimateOver(differences(scores(losses), ownScores), interquartileMean),
      wins: winsOver(losses, adam),
    };
  });
  return {
    group,
    tasks: tasks.length,
    runs: ownScores.flat().length,
    diverged: tasks.flatMap((task) => divergences(task, task.candidates[name]!)),
    score: estimateOver(ownScores, interquartileMean),
    meanScore: mean(ownScores.flat()),
    against: Object.fromEntries(against),
    speedUp: speedUps('speedUp'),
    smoothedSpeedUp: speedUps('smoothedSpeedUp'),
    told,
  };
}

const drawn = (values: readonly (readonly number[])[], sample: Sample): number[] =>
  sample.flatMap(({ task, seeds }) => seeds.map((seed) => values[task]![seed]!));

function divergences(task: TaskEvaluation, { trainingLoss, told }: CandidateOutcome): GroupSummary['diverged'] {
  return [{ factor: 1, trainingLoss }, ...told].flatMap(({ factor, trainingLoss }) =>
    trainingLoss.flatMap((loss, seed) =>
      loss === null || loss > task.initialLoss[seed]! ? [{ task: task.name, seed, told: factor }] : [],
    ),
  );
}
