/** All results as one web page that needs no other file. */
import { type Comparison, shownRuns, verdict } from '../comparison.ts';
import { optimizerLabel, SWEEP } from '../optimizers.ts';
import { describeTask, formatLoss, formatTest, TABLE_NOTE, tableRows, testHeading } from './format.ts';
import { escapeHtml } from './html-text.ts';
import type { Session } from './json.ts';
import { lossSvg } from './svg.ts';

export function htmlReport(session: Session): string {
  const { version, seed, interrupted, comparisons } = session;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VeLO beside Adam</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>VeLO beside Adam</h1>
<p class="verdict">${escapeHtml(verdict(comparisons))}${interrupted ? ' Stopped before all was trained.' : ''}</p>
${comparisons.map(section).join('\n')}
<footer>
<p>${TABLE_NOTE} Curves show the mean loss of the training batches over windows of steps.</p>
<p>VeLO has no learning rate; it is told the number of steps. Its weights here are velo-mini, the default. Adam: decays 0.9 and 0.999, epsilon 1e-8, constant learning rate; the sweep tries ${SWEEP.join(', ')}.
All optimizers start from the same weights and see the same batches (seed ${seed}).</p>
<p>velojs ${escapeHtml(version)}, Node.js ${process.versions.node} on ${process.platform} ${process.arch}, ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC</p>
</footer>
</main>
</body>
</html>
`;
}

function section(comparison: Comparison): string {
  const { task, runs } = comparison;
  const shown = shownRuns(comparison);
  const { head, rows } = tableRows(comparison);
  const others = runs.filter((run) => !shown.some((other) => other.run === run));
  return `<section>
<h2>${escapeHtml(task.name)}</h2>
<p>${escapeHtml(task.title)}: ${escapeHtml(describeTask(task))}</p>
${lossSvg(comparison) ?? ''}
<ul class="legend">
${shown.map(({ role, label }) => `<li><span class="key ${role}"></span>${label}</li>`).join('\n')}
${others.length > 0 ? '<li><span class="key other"></span>the other learning rates</li>' : ''}
</ul>
<div class="wide"><table>
<thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n')}
</tbody>
</table></div>
${
  others.length > 0
    ? `<details><summary>All learning rates</summary><div class="wide"><table>
<thead><tr><th></th><th>final loss</th><th>${testHeading(task)}</th></tr></thead>
<tbody>
${runs
  .map(
    (run) =>
      `<tr><td>${optimizerLabel(run.optimizer)}</td><td>${formatLoss(run.trainLoss)}</td><td>${formatTest(task, run)}</td></tr>`,
  )
  .join('\n')}
</tbody>
</table></div></details>`
    : ''
}
</section>`;
}

const STYLE = `
:root { color-scheme: light dark; --text: #1c2126; --faint: #66707a; --line: #dfe3e8; --page: #f5f6f8; --card: #fff;
  --velo: #0a8f5b; --default: #c77700; --best: #2f6fdb; --other: #b9c0c8; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --faint: #98a2ac; --line: #333b44; --page: #14181c; --card: #1c2127;
  --velo: #35c98c; --default: #f0a83c; --best: #76a7ff; --other: #4b545e; } }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 800px; margin: 0 auto; padding: 32px 16px; }
h1 { margin: 0; font-size: 28px; }
h2 { margin: 0; font-size: 20px; }
section p, footer { color: var(--faint); font-size: 14px; }
section p { margin: 4px 0 16px; }
.verdict { margin: 8px 0 24px; font-size: 18px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin-bottom: 24px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 12px; }
.grid { stroke: var(--line); }
.axis { stroke: var(--faint); }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.curve.velo { stroke: var(--velo); stroke-width: 3; }
.curve.default { stroke: var(--default); }
.curve.best { stroke: var(--best); }
.curve.other { stroke: var(--other); stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 8px 0 16px; padding: 0; font-size: 14px; }
.key { display: inline-block; width: 20px; height: 3px; margin-right: 8px; vertical-align: middle; }
.key.velo { background: var(--velo); } .key.default { background: var(--default); }
.key.best { background: var(--best); } .key.other { background: var(--other); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 0 6px 16px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th { color: var(--faint); font-weight: 500; }
details { margin-top: 12px; font-size: 14px; } summary { cursor: pointer; color: var(--faint); }
`;
