/** An evaluation as one web page that needs no other file. */
import type { Evaluation } from '../evaluate.ts';
import { meanLoss, type TaskEvaluation } from '../outcomes.ts';
import { ADAM } from '../plan.ts';
import { escapeHtml, formatCount, formatLoss, formatRate, formatShare } from './format.ts';
import { curvesSvg, ratiosSvg, type Shown, speedUpSvg } from './svg.ts';
import { NOTE, summaryRows, taskRows } from './tables.ts';

const COSINE = 'adam-cosine';
/** Candidates have so many colours. */
const COLOURS = 4;

/** The whole page: figures, charts, and the curves of every task. */
export function htmlReport(evaluation: Evaluation): string {
  const { suite, seeds, tasks, optimizers } = evaluation;
  const names = optimizers.map(({ name }) => name);
  const compared = tasks.every(({ baselines }) => baselines[ADAM.id] && baselines[COSINE]);
  const candidates = names.map((name, i) => ({ role: `candidate${i % COLOURS}`, label: name, candidate: name }));
  const baselines: (Shown & { id: string })[] = compared
    ? [
        { role: 'adam', label: 'Adam, tuned', id: ADAM.id },
        { role: 'cosine', label: 'Adam with cosine decay, tuned', id: COSINE },
      ]
    : [];
  const legend = `<ul class="legend">
${[...candidates, ...baselines].map(({ role, label }) => `<li><span class="key ${role}"></span>${escapeHtml(label)}</li>`).join('\n')}
</ul>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(`${names.join(', ') || 'Baselines'}: evaluation`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(names.join(', ') || 'Baselines')}</h1>
<p class="lead">${formatCount(tasks.length)} tasks (${escapeHtml(suite.name)}, version ${suite.version}), ${seeds} ${seeds === 1 ? 'seed' : 'seeds'} each.</p>
${optimizers.map(({ name, groups }) => summarySection(name, groups, optimizers.length > 1)).join('\n')}
${
  compared && names.length > 0
    ? `<section>
<h2>Speed-up over tuned Adam</h2>
<p>A dot per task: the steps that Adam needs for the same training loss, over the steps the optimizer had. ${suite.extent} is the most that was tried.</p>
<div class="wide">${speedUpSvg(tasks, suite.extent, candidates)}</div>
</section>
<section>
<h2>Final training loss over that of tuned Adam</h2>
<p>A row per task; left of the line is better.</p>
${legend}
<div class="wide">${ratiosSvg(tasks, ADAM.id, [
        ...baselines
          .filter(({ id }) => id !== ADAM.id)
          .map(({ id, ...shown }) => ({
            ...shown,
            lossOf: (task: TaskEvaluation) => meanLoss(task.baselines[id]!.trainingLoss),
          })),
        ...candidates.map(({ candidate, ...shown }) => ({
          ...shown,
          lossOf: (task: TaskEvaluation) => meanLoss(task.candidates[candidate]!.trainingLoss),
        })),
      ])}</div>
</section>`
    : ''
}
<section>
<h2>Curves</h2>
<p>Losses of the batches, smoothed (0.95), as the geometric mean over the seeds; both axes are logarithmic.</p>
${legend}
<div class="tasks">
${tasks.map((task) => taskCard(task, candidates, baselines)).join('\n')}
</div>
</section>
<section>
<h2>All tasks</h2>
${tasksTable(tasks, names)}
</section>
<footer><p>${NOTE}</p></footer>
</main>
</body>
</html>
`;
}

function summarySection(name: string, groups: Evaluation['optimizers'][number]['groups'], isNamed: boolean): string {
  const [all] = groups;
  const verdict = [ADAM.id, COSINE]
    .filter((id) => all!.against[id])
    .map(
      (id) =>
        `${id === ADAM.id ? 'tuned Adam' : 'Adam with cosine decay, tuned,'} on ${formatShare(all!.against[id]!.wins, all!.tasks)}`,
    );
  return `<section>
${isNamed ? `<h2>${escapeHtml(name)}</h2>` : ''}
${verdict.length > 0 ? `<p class="verdict">Ends below ${verdict.join(', and below ')}.</p>` : ''}
<div class="wide"><table>
<thead><tr><th></th>${groups.map(({ group, tasks }) => `<th>${escapeHtml(group ?? 'all')} (${tasks})</th>`).join('')}</tr></thead>
<tbody>
${summaryRows(all!)
  .map(
    ({ label, cell }) =>
      `<tr><td>${label.replace(/^ +/, '&emsp;')}</td>${groups.map((group) => `<td>${cell(group)}</td>`).join('')}</tr>`,
  )
  .join('\n')}
</tbody>
</table></div>
</section>`;
}

function taskCard(
  task: TaskEvaluation,
  candidates: readonly (Shown & { readonly candidate: string })[],
  baselines: readonly (Shown & { readonly id: string })[],
): string {
  const lines = [
    ...baselines.map(({ role, id }) => {
      const { title, learningRate, trainingLoss, curve } = task.baselines[id]!;
      return {
        role,
        label: `${title} at ${formatRate(learningRate)}: ${formatLoss(meanLoss(trainingLoss))}`,
        points: curve,
      };
    }),
    ...candidates.map(({ role, label, candidate }) => {
      const { trainingLoss, curve } = task.candidates[candidate]!;
      return { role, label: `${label}: ${formatLoss(meanLoss(trainingLoss))}`, points: curve };
    }),
  ];
  return `<figure>
<figcaption><strong>${escapeHtml(task.name)}</strong><br>${escapeHtml(task.title)}; ${formatCount(task.parameters)} numbers, ${formatCount(task.steps)} steps</figcaption>
${curvesSvg(task, lines)}
<ul class="finals">${lines.map(({ role, label }) => `<li class="${role}">${escapeHtml(label)}</li>`).join('')}</ul>
</figure>`;
}

function tasksTable(tasks: readonly TaskEvaluation[], names: readonly string[]): string {
  const { head, rows } = taskRows(tasks, names);
  return `<div class="wide"><table>
<thead><tr>${head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`).join('\n')}
</tbody>
</table></div>`;
}

const STYLE = `
:root { color-scheme: light dark; --text: #1c2126; --faint: #66707a; --line: #dfe3e8; --page: #f5f6f8; --card: #fff;
  --candidate0: #0a8f5b; --candidate1: #8b45c9; --candidate2: #c2306a; --candidate3: #7a6a00; --adam: #c77700; --cosine: #2f6fdb; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --faint: #98a2ac; --line: #333b44; --page: #14181c; --card: #1c2127;
  --candidate0: #35c98c; --candidate1: #b98aec; --candidate2: #f0719f; --candidate3: #c9b83c; --adam: #f0a83c; --cosine: #76a7ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 16px; }
h1 { margin: 0; font-size: 28px; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 20px; }
section > p, footer, .lead { color: var(--faint); font-size: 14px; margin: 4px 0 16px; }
section > .verdict { color: var(--text); font-size: 17px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin-bottom: 24px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 12px; }
.grid { stroke: var(--line); } .axis { stroke: var(--faint); }
.curve { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
.median { stroke-width: 2; }
.dot { stroke: var(--card); stroke-width: 0.75; }
.key { display: inline-block; width: 20px; height: 3px; margin-right: 8px; vertical-align: middle; }
${['candidate0', 'candidate1', 'candidate2', 'candidate3', 'adam', 'cosine']
  .map(
    (role) =>
      `.curve.${role}, .median.${role} { stroke: var(--${role}); } .dot.${role} { fill: var(--${role}); } .key.${role} { background: var(--${role}); } .finals .${role} { color: var(--${role}); }`,
  )
  .join('\n')}
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 8px 0 16px; padding: 0; font-size: 14px; }
.tasks { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(280px, 100%), 1fr)); gap: 24px 20px; }
figure { margin: 0; min-width: 0; } figcaption { font-size: 12px; color: var(--faint); margin-bottom: 6px; }
figcaption strong { color: var(--text); font-size: 14px; }
.finals { list-style: none; margin: 4px 0 0; padding: 0; font-size: 12px; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .wide svg { min-width: 560px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 0 5px 16px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; text-align: left; white-space: normal; min-width: 140px; }
th { color: var(--faint); font-weight: 500; }
@media (max-width: 480px) { section { padding: 14px; } main { padding: 20px 10px; } }
`;
