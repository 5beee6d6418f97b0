import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finish, seen, start, velojs } from '../testing-cli.ts';

const TIMEOUT = 240_000;

/** A bowl, as somebody would write a task family of their own. */
const FAMILY = `
export const families = {
  bowl: {
    name: 'bowl',
    sample: () => ({
      name: 'bowl',
      shapes: [[2, 2]],
      initialParameters: () => [Float32Array.of(0.1, 0.2, -0.1, 0.3)],
      lossAndGradients([p], [g]) {
        for (let i = 0; i < 4; i++) g[i] = p[i] - i;
        return p.reduce((sum, value, i) => sum + (value - i) ** 2 / 2, 0);
      },
      trainingLoss: ([p]) => p.reduce((sum, value, i) => sum + (value - i) ** 2 / 2, 0),
      validationLoss: ([p]) => p.reduce((sum, value, i) => sum + (value - i) ** 2 / 2, 0),
    }),
  },
};
`;
const CONFIG = {
  seed: 2,
  trained: { stepBias: { scale: 10 }, stepWeight: { scale: 10 } },
  tasks: { modules: ['./bowl.mjs'], families: { bowl: 1 } },
  horizon: { low: 5, high: 20 },
  estimator: { kind: 'es' },
  pairs: 3,
  updates: 4,
  validation: { every: 2, tasks: 2, horizons: [10, 20] },
};
const SUITE = `
import { families } from './bowl.mjs';
export default {
  name: 'bowls', version: 1, compared: true, extent: 1,
  tasks: [{ name: 'a bowl', group: 'bowls', steps: 12, create: () => families.bowl.sample() }],
};
`;

let folder: string;
let config: string;
const inFolder = (name: string) => join(folder, name);
const write = (name: string, content: string) => {
  writeFileSync(inFolder(name), content);
  return inFolder(name);
};
const logOf = (run: string) => readFileSync(join(run, 'log.jsonl'), 'utf8').replaceAll(/"seconds":[\d.]+/g, '');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'velojs-meta-cli-'));
  write('bowl.mjs', FAMILY);
  write('suite.mjs', SUITE);
  config = write('mine.json', JSON.stringify(CONFIG));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('velojs meta-train', { timeout: TIMEOUT }, () => {
  it('trains on a family of the user’s own and prints plain lines where there is no terminal', async () => {
    const { code, stdout, stderr } = await velojs('meta-train', '--config', config, '--threads', '1');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^4 updates of 3 pairs \(ES, whole trainings\), trainings of 5 to 20 steps, 1 task family/);
    for (const step of [0, 2, 4]) expect(stdout).toContain(`validation after ${step}: `);
    expect(stdout).toMatch(/^update 4 of 4: objective -?[\d.]+/m);
    expect(stdout).toMatch(/^Done .*\. Validation score -?[\d.]+, -?[\d.]+ before training\.$/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no escape sequences, no carriage returns.
    expect(stdout).not.toMatch(/[\x1b\r]/);
    // Beside the configuration, by its name.
    for (const name of ['best.theta', 'latest.theta', 'checkpoint.json', 'config.json']) {
      expect(existsSync(join(folder, 'mine', name))).toBe(true);
    }
    const inspected = await velojs('inspect', inFolder('mine/best.theta'));
    expect(inspected.stdout).toContain('H = 16, K = 4');
  });

  it('prints one JSON document with --json, nothing but the result with --quiet', async () => {
    const args = ['meta-train', '--config', config, '--threads', '1', '--folder', inFolder('json')];
    const first = await velojs(...args, '--json');
    expect(first.code).toBe(0);
    expect(first.stderr).toContain('validation after 4');
    expect(JSON.parse(first.stdout)).toMatchObject({
      ...{ format: 'velojs-meta-train', version: 1, interrupted: false, updates: 4 },
      best: { score: expect.any(Number), horizons: [expect.any(Number), expect.any(Number)] },
    });
    // A run that is done has nothing left to do, and says the same.
    const second = await velojs(...args, '--quiet');
    expect(second.stdout).toMatch(/^Done\. Validation score/);
    expect(second.stdout.trim().split('\n')).toHaveLength(2);
  });

  it('saves a checkpoint at Ctrl-C, and goes on from it', async () => {
    const long = write(
      'long.json',
      JSON.stringify({ ...CONFIG, updates: 150, validation: { ...CONFIG.validation, every: 75 } }),
    );
    const args = ['meta-train', '--config', long, '--threads', '1', '--folder'];
    const child = start([...args, inFolder('stopped')]);
    const done = finish(child);
    await seen(child.stdout!, 'update 1 of 150');
    child.kill('SIGINT');
    const { code, stdout } = await done;
    expect(code).toBe(130);
    const updates = Number(/Stopped after update (\d+)\. The same command goes on from there\./.exec(stdout)![1]);
    expect(updates).toBeLessThan(150);
    expect(JSON.parse(readFileSync(inFolder('stopped/checkpoint.json'), 'utf8')).step).toBe(updates);
    const [resumed, whole] = [await velojs(...args, inFolder('stopped')), await velojs(...args, inFolder('whole'))];
    expect([resumed.code, whole.code]).toEqual([0, 0]);
    expect(logOf(inFolder('stopped'))).toBe(logOf(inFolder('whole')));
    expect(readFileSync(inFolder('stopped/best.theta'))).toEqual(readFileSync(inFolder('whole/best.theta')));
  });

  it.each([
    ['a file that is not there', ['--config', 'nowhere.json'], /nowhere\.json cannot be read as JSON/],
    ['an unknown key', { ...CONFIG, typo: 1 }, /typo/],
    ['an impossible value', { ...CONFIG, pairs: -1 }, /pairs/],
    ['a module that is not there', { ...CONFIG, tasks: { ...CONFIG.tasks, modules: ['./no.mjs'] } }, /no\.mjs cannot/],
    [
      'half of an address',
      ['--config', 'CONFIG', '--redis', 'redis://127.0.0.1:1'],
      /--redis and --run belong together/,
    ],
    ['an address that is none', ['--config', 'CONFIG', '--redis', 'queue', '--run', 'x'], /redis:\/\/host/],
    ['no thread', ['--config', 'CONFIG', '--threads', '0'], /whole number from 1/],
  ])('exits with 2 on %s', async (_, problem, message) => {
    const args = Array.isArray(problem)
      ? problem.map((arg) => (arg === 'CONFIG' ? config : arg))
      : ['--config', write('bad.json', JSON.stringify(problem))];
    const { code, stderr } = await velojs('meta-train', '--folder', inFolder('bad'), ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('velojs evaluate', { timeout: TIMEOUT }, () => {
  it('evaluates thetas on a suite of the user’s own, and a second time only what is new', async () => {
    const report = inFolder('report.html');
    const args = [
      'evaluate',
      '--suite',
      inFolder('suite.mjs'),
      '--folder',
      inFolder('runs'),
      '--seeds',
      '2',
      '--threads',
      '1',
    ];
    const first = await velojs(...args, '--theta', 'starter', '--report', report);
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('starter');
    expect(first.stdout).toContain(`The report is in ${report}.`);
    expect(first.stderr).toMatch(/^156 of 156 runs$/m);
    expect(readFileSync(report, 'utf8')).toMatch(/^<!doctype html>/);
    const second = await velojs(...args, '--theta', 'starter', '--theta', 'velo-mini', '--json');
    expect(second.code).toBe(0);
    expect(second.stderr).toMatch(/^156 of 162 runs$/m);
    const documents = second.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(documents.map(({ optimizer }) => optimizer.name)).toEqual(['starter', 'velo-mini']);
  });

  it.each([
    [['--suite', 'nothing'], /no suite "nothing"/],
    [['--suite', 'mnist'], /--data/],
    [['--theta', 'nowhere.theta'], /nowhere\.theta/],
  ])('exits with 2 on %s', async (args, message) => {
    const { code, stderr } = await velojs('evaluate', '--folder', inFolder('runs'), ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis) {
  const reason = 'there is no redis-server (on Debian: apt-get install redis-server)';
  if (process.env.CI) throw new Error(`Tests of velojs meta-worker cannot run: ${reason}.`);
  console.warn(`No tests of velojs meta-worker: ${reason}.`);
}

describe.skipIf(!hasRedis)('velojs meta-worker', { timeout: TIMEOUT }, () => {
  let redis: ReturnType<typeof spawn>;
  let address: string;
  beforeAll(async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]);
    await seen(redis.stdout!, 'Ready to accept connections');
    address = `redis://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    redis.kill('SIGKILL');
    await once(redis, 'exit');
  });

  it('does the work of a run, and ends with it', async () => {
    const place = ['--redis', address, '--run', 'mine'];
    const worker = velojs('meta-worker', ...place, '--threads', '1');
    const leader = await velojs('meta-train', '--config', config, '--folder', inFolder('led'), ...place);
    expect([leader.code, leader.stderr]).toEqual([0, '']);
    expect(await worker).toMatchObject({ code: 0, stdout: expect.stringContaining('the run mine is finished') });
    expect(logOf(inFolder('led'))).toBe(logOf(inFolder('mine')));
  });

  it('leads and works in one process, too', async () => {
    const args = ['--redis', address, '--run', 'both', '--threads', '1', '--folder', inFolder('both')];
    expect((await velojs('meta-train', '--config', config, ...args)).code).toBe(0);
    expect(logOf(inFolder('both'))).toBe(logOf(inFolder('mine')));
  });

  it('ends at Ctrl-C, having nothing to do', async () => {
    const child = start(['meta-worker', '--redis', address, '--run', 'nobody', '--threads', '1']);
    const done = finish(child);
    await seen(child.stdout!, 'waiting for the run nobody to begin');
    child.kill('SIGTERM');
    expect(await done).toMatchObject({ code: 130, stderr: '' });
  });
});
