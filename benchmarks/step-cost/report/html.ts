/** A report as one web page that needs no other file. */
import { escapeHtml } from '../../../packages/velojs/src/train/report/html-text.ts';
import type { Group, ProcessResults, Results } from '../results.ts';
import { barsSvg } from './svg.ts';
import { describeRun, goalTable, groupsOf, groupTable, leftOutOf, TABLE_NOTE, type Table } from './tables.ts';

export function resultsHtml(results: Results): string {
  const { processes, goals } = results;
  const known = goals.filter(({ verdict }) => verdict !== 'not measured');
  const met = known.filter(({ verdict }) => verdict === 'met').length;
  const leftOut = leftOutOf(processes);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What a step of VeLO costs</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>What a step of VeLO costs</h1>
<p class="lead">${met} of ${known.length} goals met${known.length < goals.length ? `, ${goals.length - known.length} not measured` : ''}.</p>
<section>${tableHtml(goalTable(results))}</section>
${groupsOf(processes)
  .map((group) => groupHtml(processes, group))
  .join('\n')}
<footer>
<p>${TABLE_NOTE} Bars: time on a logarithmic axis; the thin line spans the quartiles.</p>
<p>${escapeHtml(describeRun(results)).replaceAll('\n', '<br>')}</p>
${leftOut.map(({ name, reason }) => `<p>Left out: ${escapeHtml(name)}: ${escapeHtml(reason)}</p>`).join('\n')}
</footer>
</main>
</body>
</html>
`;
}

const groupHtml = (processes: readonly ProcessResults[], group: Group): string =>
  `<section>${tableHtml(groupTable(processes, group), barsSvg(processes, group))}</section>`;

const tableHtml = ({ title, head, textColumns, rows }: Table, picture = ''): string => `<h2>${escapeHtml(title)}</h2>
${picture}
<div class="wide"><table>
<thead><tr>${head.map((cell, i) => `<th${i < textColumns ? ' class="text"' : ''}>${escapeHtml(cell)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((cells) => `<tr>${cells.map((cell, i) => cellHtml(cell, i < textColumns)).join('')}</tr>`).join('\n')}
</tbody>
</table></div>`;

const cellHtml = (cell: string, isText: boolean): string => {
  const kind = isText ? 'text' : ['met', 'MISSED'].includes(cell) ? cell.toLowerCase() : null;
  return `<td${kind === null ? '' : ` class="${kind}"`}>${escapeHtml(cell)}</td>`;
};

const STYLE = `
:root { color-scheme: light dark; --text: #1c2126; --faint: #66707a; --line: #dfe3e8; --page: #f5f6f8; --card: #fff;
  --velo: #0a8f5b; --adam: #2f6fdb; --missed: #b45309; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --faint: #98a2ac; --line: #333b44; --page: #14181c;
  --card: #1c2127; --velo: #35c98c; --adam: #76a7ff; --missed: #f0a83c; } }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 16px; }
h1 { margin: 0; font-size: 28px; }
h2 { margin: 0 0 12px; font-size: 18px; }
footer { color: var(--faint); font-size: 14px; }
.lead { margin: 8px 0 24px; font-size: 18px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin-bottom: 24px; }
svg { display: block; width: 100%; height: auto; margin-bottom: 16px; }
svg text { fill: var(--text); font-size: 12px; }
svg text.tick { fill: var(--faint); }
.grid { stroke: var(--line); }
.bar.velo { fill: var(--velo); } .bar.adam { fill: var(--adam); }
.spread { stroke: var(--text); stroke-width: 2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 0 6px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; }
.text { text-align: left; }
th { color: var(--faint); font-weight: 500; }
.met { color: var(--velo); } .missed { color: var(--missed); font-weight: 600; }
`;
