/**
 * Closes a CI run: which backends the tests covered, what was skipped, and as the last line the counts of vitest's JSON report.
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
const tests = report.testResults.flatMap((file) => file.assertionResults);
const failedTests = tests.filter((test) => test.status === 'failed').length;
// A file that cannot be imported has no failed test, and still fails.
const brokenFiles = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
);
for (const file of brokenFiles) console.log(`broken test file: ${file.name}`);

const backends = new Map<string, Map<string, number>>();
for (const { ancestorTitles, status } of tests) {
  const name = /^backend (.+)/.exec(ancestorTitles[0] ?? '')?.[1];
  if (name === undefined) continue;
  const counts = backends.get(name) ?? new Map<string, number>();
  backends.set(name, counts.set(status, (counts.get(status) ?? 0) + 1));
}
for (const [name, counts] of backends) {
  const didRun = counts.has('passed') || counts.has('failed');
  console.log(
    `backend ${name}: ${didRun ? 'ran' : 'did not run'}, ${[...counts].map(([s, n]) => `${n} ${s}`).join(', ')}`,
  );
}
if (backends.size === 0) console.log('no backend ran');

const skipped = tests.filter((test) => ['pending', 'skipped', 'todo'].includes(test.status));
for (const test of skipped) console.log(`skipped: ${test.fullName}`);
console.log(`${report.numPassedTests} passed, ${failedTests + brokenFiles.length} failed, ${skipped.length} skipped`);
