import { describe, expect, it } from 'vitest';
import { goalResults } from '../goals.ts';
import type { Results } from '../results.ts';
import { group, processOf, results, timing } from '../testing.ts';
import { resultsHtml } from './html.ts';
import { groupsOf, groupTable, leftOutOf } from './tables.ts';
import { resultsText } from './text.ts';

const first = processOf(
  group(
    '1024x1024',
    timing('VeLO wasm', [4e6, 4e6, 4e6]),
    timing('VeLO wasm', [1e6, 1e6, 1e6], { part: 'network' }),
    timing('VeLO wasm, 2 threads', [5e6, 5e6, 5e6], { threads: 2, wall: [2e6, 2e6, 2e6] }),
    timing('tfjs-wasm Adam', [2e6, 2e6, 2e6]),
  ),
  group('4M', timing('tfjs-wasm Adam', [8e6, 8e6, 8e6])),
);
const second = processOf(
  group(
    '1024x1024',
    timing('VeLO wasm', [5e6, 5e6, 5e6]),
    timing('VeLO wasm relaxed', [3e6, 3e6, 3e6]),
    timing('tfjs-wasm Adam', [1e6, 1e6, 1e6]),
  ),
);
const processes = [
  {
    ...first,
    leftOut: [
      { name: 'VeLO wasm relaxed', reason: 'no option' },
      { name: 'jax-js Adam', reason: '<no> "navigator"' },
    ],
  },
  { ...second, flags: ['--flag'] },
];
const document: Results = { ...results(...processes), goals: goalResults(processes) };

describe('groupTable', () => {
  it('has everyone once, each over the reference of his own process', () => {
    const [whole] = groupsOf(processes);
    expect(groupTable(processes, whole!).rows).toEqual([
      ['VeLO wasm', 'starter', '4.00 ms', '4000', '2.00', '2.00 - 2.00', '1.00 ms', '25 %'],
      ['VeLO wasm, 2 threads', 'starter', '2.00 ms wall', '2000', '1.00', '1.00 - 1.00', '', ''],
      ['tfjs-wasm Adam', '', '2.00 ms', '2000', '1.00', '1.00 - 1.00', '', ''],
      ['VeLO wasm relaxed', 'starter', '3.00 ms', '3000', '3.00', '3.00 - 3.00', '', ''],
    ]);
  });

  it('lists networks per tensor where there is nothing else', () => {
    const network = { ...group('network-2', timing('VeLO cpu', [3000], { part: 'network' })), parameters: null };
    expect(groupTable([processOf(network)], network).rows).toEqual([['VeLO cpu', 'starter', '3.00 µs', '1.50 µs']]);
  });
});

it('what another process measured was not left out', () => {
  expect(leftOutOf(processes).map(({ name }) => name)).toEqual(['jax-js Adam']);
});

describe('resultsText', () => {
  const text = resultsText(document, 100);

  it('ends with the goals', () => {
    const goals = text.slice(text.lastIndexOf('Goals'));
    expect(goals).toMatch(/one 1024 x 1024, WASM over tfjs-wasm Adam +<= 1\.9 +2\.00 .* cpu +MISSED/);
    expect(goals).toMatch(/one 1024 x 1024, WASM with 2 threads over tfjs-wasm Adam +<= 1 +1\.00 .* wall +met/);
    expect(goals).toMatch(/64 of 128 x 128, WASM over tfjs-wasm Adam +<= 1 +- .* not measured/);
  });

  it('draws sizes against times', () => {
    expect(text).toContain('t = tfjs-wasm Adam');
  });
});

describe('resultsHtml', () => {
  const page = resultsHtml(document);

  it('needs no other file and escapes what it is given', () => {
    expect(page).not.toMatch(/<(script|link|img|iframe)\b|https?:|url\(|@import/);
    expect(page).toContain('&lt;no&gt; &quot;navigator&quot;');
  });

  it('has a table and bars for every group, and a style for light and for dark', () => {
    expect(page.match(/<svg /g)).toHaveLength(2);
    expect(page.match(/<table>/g)).toHaveLength(3);
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).toContain('title of 1024x1024');
  });
});
