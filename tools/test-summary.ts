/**
 * Closes a CI run: which backends the tests covered and where, what did not run, and as the last line the counts of
 * vitest's JSON report.
 *
 *     node --import tsx tools/test-summary.ts REPORT
 */
import { readFileSync } from 'node:fs';

interface Report {
  numPassedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    status: 'passed' | 'failed';
    assertionResults: { status: string; fullName: string; ancestorTitles: string[] }[];
  }[];
}

const report: Report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
// The report does not name vitest's projects; names of files tell.
const placeOf = (file: string) => (file.endsWith('.browser.test.ts') ? 'chromium' : 'node');
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ ...test, place: placeOf(name) })),
);
const failedTests = tests.filter((test) => test.status === 'failed').length;
// A file that cannot be imported has no failed test, and one whose browser does not start has none at all; both fail.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) =>
    assertionResults.length === 0 ||
    (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')),
);
for (const { name, assertionResults } of brokenFiles) {
  console.log(`broken test file${assertionResults.length === 0 ? ', no test of it ran' : ''}: ${name}`);
}

const backends = new Map<string, Map<string, number>>();
for (const { ancestorTitles, status, place } of tests) {
  const name = /^backend .+/.exec(ancestorTitles[0] ?? '')?.[0];
  if (name === undefined) continue;
  const counts = backends.get(`${name} in ${place}`) ?? new Map<string, number>();
  backends.set(`${name} in ${place}`, counts.set(status, (counts.get(status) ?? 0) + 1));
}
for (const [name, counts] of backends) {
  const didRun = counts.has('passed') || counts.has('failed');
  console.log(`${name}: ${didRun ? 'ran' : 'did not run'}, ${[...counts].map(([s, n]) => `${n} ${s}`).join(', ')}`);
}
if (backends.size === 0) console.log('no backend ran');
if (!report.testResults.some(({ name }) => placeOf(name) === 'chromium')) {
  console.log('nothing ran in chromium: it is not installed, or its tests were not asked for');
}

const skipped = tests.filter((test) => ['pending', 'skipped', 'todo'].includes(test.status));
for (const test of skipped) console.log(`skipped in ${test.place}: ${test.fullName}`);
console.log(`${report.numPassedTests} passed, ${failedTests + brokenFiles.length} failed, ${skipped.length} skipped`);
