import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finish, seen, start, velojs } from './testing-cli.ts';

const QUICK = ['--steps', '3', '--batch-size', '4', '--hidden', '4'];
const TIMEOUT = 60_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe('velojs train', { timeout: TIMEOUT }, () => {
  it('prints plain lines, plots and tables where there is no terminal', async () => {
    const { code, stdout, stderr } = await velojs('train', '--task', 'spirals,friedman', ...QUICK);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('spirals: two spirals in the plane, 2 classes');
    expect(stdout).toContain('network 2-4-2 (22 numbers)');
    expect(stdout).toMatch(/^VeLO: final loss [\d.]+, test accuracy [\d.]+ %$/m);
    expect(stdout).toMatch(/^Adam 0\.03: final loss [\d.]+, test RMSE [\d.]+$/m);
    expect(stdout).toMatch(/ +final loss +test accuracy +steps +ms per step +of it optimizer\n/);
    expect(stdout).toMatch(/^VeLO's final loss is below Adam's at its default rate 0\.001 on \d of 2/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no escape sequences, no carriage returns.
    expect(stdout).not.toMatch(/[\x1b\r]/);
  });

  it('prints one JSON document with --json', async () => {
    const { code, stdout, stderr } = await velojs('train', '--task', 'glyphs', '--seed', '5', '--json', ...QUICK);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^VeLO: final loss/);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ format: 'velojs-train', version: 1, seed: 5, interrupted: false });
    expect(report.tasks).toHaveLength(1);
    expect(report.tasks[0]).toMatchObject({
      name: 'glyphs',
      kind: 'classification',
      layers: [256, 4, 10],
      parameters: 256 * 4 + 4 + 4 * 10 + 10,
      examples: { train: 4000, test: 500 },
      steps: 3,
      batchSize: 4,
    });
    const { runs } = report.tasks[0];
    expect(runs.map(({ learningRate }: { learningRate: number | null }) => learningRate)).toEqual([
      null,
      0.001,
      0.0003,
      0.003,
      0.01,
      0.03,
    ]);
    for (const run of runs) {
      expect(run.trainLoss).toBeGreaterThan(0);
      expect(run.testAccuracy).toBeGreaterThanOrEqual(0);
      expect(run.millisecondsPerStep).toBeGreaterThan(run.optimizerMillisecondsPerStep);
      expect(run.curve).toHaveLength(3);
    }
  });

  it('trains on a CSV file and writes a page that needs no other file', async () => {
    const rows = Array.from({ length: 50 }, (_, i) => `${i},${i % 3 ? 'red' : 'blue'},${i % 2 ? 'odd' : 'even'}`);
    const data = file('own.csv', ['\uFEFFn,colour,<b>', ...rows].join('\r\n'));
    const report = join(folder, 'report.html');
    const options = ['--data', data, '--target', '<b>', '--test', '10', '--report', report];
    const { code, stdout } = await velojs('train', ...options, ...QUICK);
    expect(code).toBe(0);
    expect(stdout).toContain('own.csv: predicts "<b>"');
    expect(stdout).toContain('network 3-4-2 (26 numbers), 40 examples to train on and 10 to test on');
    expect(stdout).toContain(`The report is in ${report}.`);
    const page = readFileSync(report, 'utf8');
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/\b(?:src|href)=|url\(|@import|https?:|<b>/);
    expect(page.match(/<polyline /g)).toHaveLength(6);
    expect(page).toContain('predicts &quot;&lt;b&gt;&quot;');
    expect(page).toContain('prefers-color-scheme: dark');
  });

  it('trains on IDX files, plain or gzipped', async () => {
    const images = Uint8Array.from([
      0,
      0,
      8,
      3,
      0,
      0,
      0,
      20,
      0,
      0,
      0,
      2,
      0,
      0,
      0,
      2,
      ...Array.from({ length: 80 }, (_, i) => (i * 37) % 256),
    ]);
    const labels = Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 20, ...Array.from({ length: 20 }, (_, i) => i % 3)]);
    const { code, stdout } = await velojs(
      'train',
      '--images',
      file('images.gz', gzipSync(images)),
      '--labels',
      file('labels', labels),
      '--examples',
      '15',
      '--no-sweep',
      ...QUICK,
    );
    expect(code).toBe(0);
    expect(stdout).toContain('images of 4 pixels, 3 classes');
    expect(stdout).not.toContain('best of');
    expect(stdout).toContain('network 4-4-3 (35 numbers), 12 examples to train on and 3 to test on');
  });

  it.each<[string, () => string[], RegExp]>([
    ['an unknown option', () => ['--learning-rate', '1'], /unknown option '--learning-rate'/],
    ['a ragged file', () => ['--data', file('r.csv', 'a,y\n1,2\n3\n'), '--target', 'y'], /row 3 has 1 .*DATA_INVALID/],
    ['a report in no folder', () => ['--report', join(folder, 'no', 'x.html')], /--report .* cannot be written/],
    ['a report in a file', () => ['--report', join(file('f', ''), 'x.html')], /--report .* cannot be written/],
    ['a folder as report', () => ['--report', folder], /--report .* cannot be written.*EISDIR.*INVALID_ARGUMENT/],
    ['a made-up task with --test', () => ['--task', 'glyphs', '--test', '20%'], /--test belong to --data/],
  ])('refuses %s with exit code 2', async (_, args, message) => {
    const { code, stderr } = await velojs('train', ...args());
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(2);
  });

  it('leaves reports as they were if nothing is trained', async () => {
    const [old, fresh] = [file('old.html', 'old'), join(folder, 'fresh.html')];
    for (const report of [old, fresh]) {
      expect((await velojs('train', '--task', 'chess', '--report', report)).stderr).toMatch(/no task "chess"/);
    }
    expect(readFileSync(old, 'utf8')).toBe('old');
    expect(existsSync(fresh)).toBe(false);
  });

  it('ends cleanly on Ctrl-C, with what is done so far', async () => {
    const child = start(['train', '--task', 'spirals,glyphs', '--steps', '500', '--no-sweep']);
    const result = finish(child);
    await seen(child.stdout!, 'VeLO: final loss');
    child.kill('SIGINT');
    const { code, stdout, stderr } = await result;
    expect([code, stderr]).toEqual([130, '']);
    expect(stdout).toMatch(/^VeLO +[\d.e-]+ +[\d.]+ % +500 /m);
    expect(stdout).toContain('Stopped before all was trained.');
  });

  it('prints valid JSON on Ctrl-C', async () => {
    const child = start(['train', '--task', 'spirals', '--steps', '500', '--json']);
    const result = finish(child);
    await seen(child.stderr!, 'VeLO: final loss');
    child.kill('SIGINT');
    const { code, stdout } = await result;
    expect(code).toBe(130);
    const { interrupted, tasks } = JSON.parse(stdout);
    expect(interrupted).toBe(true);
    expect(tasks[0].runs[0].optimizer).toBe('velo');
    expect(tasks[0].runs.length).toBeLessThan(6);
  });
});

describe('velojs', { timeout: TIMEOUT }, () => {
  it('explains itself', async () => {
    const { code, stdout } = await velojs('train', '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('--data <file>');
    expect(stdout).toContain('velojs train --task spirals --steps 500');
  });

  it('says how to build it where it is not built', async () => {
    for (const part of ['bin', 'package.json']) {
      cpSync(fileURLToPath(new URL(`../${part}`, import.meta.url)), join(folder, 'clone', part), { recursive: true });
    }
    const result = await finish(spawn(process.execPath, [join(folder, 'clone/bin/velojs.js'), '--version']));
    expect(result).toEqual({ code: 1, stdout: '', stderr: 'velojs is not built: run `npm run build`\n' });
  });

  it('knows its version', async () => {
    const { version } = JSON.parse(readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8'));
    expect(await velojs('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});
