/** The rows of tables, for the terminal and the page alike. */
import { ADAM_DEFAULT, meanLoss, type TaskEvaluation } from '../outcomes.ts';
import { ADAM } from '../plan.ts';
import { median } from '../statistics.ts';
import { type GroupSummary, OPPONENTS } from '../summary.ts';
import { formatDifference, formatEstimate, formatLoss, formatRate, formatShare } from './format.ts';

export interface Row {
  readonly label: string;
  readonly cell: (summary: GroupSummary) => string;
}

const COSINE = 'adam-cosine';

/** The figures of a summary; those that a suite without comparison has not are left out. */
export function summaryRows(summary: GroupSummary): Row[] {
  const wins = OPPONENTS.filter(({ id }) => summary.against[id]).map(
    ({ id, title }): Row => ({
      label: `lower training loss than ${title}${id === ADAM_DEFAULT.id ? '' : ', tuned'}`,
      cell: ({ against, tasks }) => formatShare(against[id]!.wins, tasks),
    }),
  );
  const validation = [ADAM.id, COSINE]
    .filter((id) => summary.against[id])
    .map(
      (id): Row => ({
        label: `lower validation loss than ${titleOf(id)}, tuned`,
        cell: ({ against, tasks }) => formatShare(against[id]!.validationWins, tasks),
      }),
    );
  const scores = [ADAM.id, COSINE]
    .filter((id) => summary.against[id])
    .map(
      (id): Row => ({
        label: `score minus that of ${titleOf(id)}, tuned`,
        cell: ({ against }) => formatDifference(against[id]!.score),
      }),
    );
  const speed: Row[] = summary.speedUp
    ? [
        { label: 'speed-up over tuned Adam, median', cell: ({ speedUp }) => formatEstimate(speedUp!.median) },
        { label: '  interquartile mean', cell: ({ speedUp }) => formatEstimate(speedUp!.interquartileMean) },
        { label: '  runs at the cap', cell: ({ speedUp }) => `${Math.round(100 * speedUp!.capped)} %` },
        {
          label: '  by smoothed batch losses, median',
          cell: ({ smoothedSpeedUp }) => formatEstimate(smoothedSpeedUp!.median),
        },
      ]
    : [];
  const told = summary.told.map(
    ({ factor }, i): Row => ({
      label: `told ${factor} x the steps: score minus that of told right`,
      cell: (group) => formatDifference(group.told[i]!.score),
    }),
  );
  const toldWins = summary.told.map(
    ({ factor }, i): Row => ({
      label: `told ${factor} x the steps: lower than Adam, tuned`,
      cell: (group) => formatShare(group.told[i]!.wins, group.tasks),
    }),
  );
  return [
    ...wins,
    ...validation,
    ...speed,
    { label: 'score, interquartile mean', cell: ({ score }) => formatDifference(score) },
    ...scores,
    ...told,
    ...toldWins,
    {
      label: 'runs that diverged or ended above their start',
      cell: ({ diverged, runs, told }) => `${diverged.length} of ${runs * (1 + told.length)}`,
    },
  ];
}

const titleOf = (id: string): string => OPPONENTS.find((opponent) => opponent.id === id)!.title;

/** What the figures mean. */
export const NOTE: string =
  'Losses: over (up to 512 examples of) the training set after the last step, as the mean over seeds. Tuned: at the best of ' +
  '15 learning rates from 1e-6 to 10, chosen per task by that same loss. Speed-up: the steps that Adam needs for the loss ' +
  'that the optimizer ended with, at whichever constant rate gets there first, over the steps the optimizer had. Score: ' +
  'ln(0.01 + final / initial training loss), lower is better. In brackets: 95 % bootstrap intervals over tasks and seeds.';

/** Head and rows of the table of tasks. */
export function taskRows(
  tasks: readonly TaskEvaluation[],
  names: readonly string[],
): { head: string[]; rows: string[][] } {
  const compared = [ADAM.id, COSINE].filter((id) => tasks.every(({ baselines }) => baselines[id]));
  return {
    head: [
      'task',
      'steps',
      'start',
      ...names,
      ...compared.flatMap((id) => [`${titleOf(id)}, tuned`, 'rate']),
      ...(compared.length > 0 ? names.map((name) => (names.length > 1 ? `speed-up of ${name}` : 'speed-up')) : []),
    ],
    rows: tasks.map(({ name, steps, initialLoss, candidates, baselines }) => [
      name,
      String(steps),
      formatLoss(meanLoss(initialLoss)),
      ...names.map((candidate) => formatLoss(meanLoss(candidates[candidate]!.trainingLoss))),
      ...compared.flatMap((id) => [
        formatLoss(meanLoss(baselines[id]!.trainingLoss)),
        formatRate(baselines[id]!.learningRate),
      ]),
      ...(compared.length > 0 ? names.map((candidate) => median(candidates[candidate]!.speedUp).toFixed(2)) : []),
    ]),
  };
}
