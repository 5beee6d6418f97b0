import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listWeights, loadTheta, starterTheta, writeSafetensors, writeTheta } from '@velojs/weights';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { finish, type Result, seen, start } from '../testing-cli.ts';

const [velo] = listWeights();
const [google] = velo!.downloads;
const PARAMS = google!.files[0]!;
const NETWORK = new URL('../testing-network.ts', import.meta.url).href;

/** Of the released size, but not the released weights. */
const theta = starterTheta({ hiddenSize: 512, bankSize: 256 });
let params: Uint8Array;
let sha256: string;
let folder: string;
let cache: string;
let server: Server;
let address: string;
/** Paths asked for, with their ranges. */
let requests: string[];
/** Milliseconds between the pieces of an answer. */
let pause: number;
let served: Map<string, Uint8Array>;

beforeAll(async () => {
  [params = new Uint8Array()] = await writeTheta(theta, 'flax-params');
  sha256 = createHash('sha256').update(params).digest('hex');
  folder = mkdtempSync(join(tmpdir(), 'velojs-weights-'));
  server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!.slice(1));
    requests.push(`${path}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    const bytes = served.get(path);
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(begin > 0 ? 206 : 200, {
      ETag: '"1"',
      'Content-Length': bytes.length - begin,
      ...(begin > 0 ? { 'Content-Range': `bytes ${begin}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const piece = Math.ceil(bytes.length / 10);
    const send = (from: number): void => {
      if (from >= bytes.length) response.end();
      else response.write(bytes.subarray(from, from + piece), () => setTimeout(send, pause, from + piece));
    };
    send(begin);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  requests = [];
  pause = 0;
  served = new Map([['mine.theta', params]]);
  cache = mkdtempSync(join(folder, 'cache-'));
});

const begin = (...args: string[]) =>
  start(args, { VELOJS_CACHE: cache, VELOJS_TEST_SERVER: address, NODE_OPTIONS: `--import tsx --import ${NETWORK}` });
const velojs = (...args: string[]): Promise<Result> => finish(begin(...args));
const path = (name: string): string => join(folder, name);
// biome-ignore lint/suspicious/noControlCharactersInRegex: no escape sequences, no carriage returns.
const ESCAPES = /[\x1b\r]/;

describe('velojs list', () => {
  it('tells whose the weights are, where they come from and how they are checked', async () => {
    const { code, stdout, stderr } = await velojs('list');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^velo: /);
    for (const { url } of velo!.downloads.flatMap(({ files }) => files)) expect(stdout).toContain(url);
    expect(stdout).toContain('9,282,564 bytes; checked by git blob id a1011ded0e4059aa01baab5a7e5b25374241ee56');
    expect(stdout).toMatch(/licence +Apache-2.0/);
    expect(stdout).toContain('velojs fetch velo');
    expect(stdout).toMatch(/^velo-mini: .*\n(.*\n)*? +here +yes, as part of velojs$/m);
    expect(stdout).not.toMatch(ESCAPES);
    expect(requests).toEqual([]);
  });

  it('prints the registry as JSON', async () => {
    const { weights, ...rest } = JSON.parse((await velojs('list', '--json')).stdout);
    expect(rest).toEqual({ format: 'velojs-list', version: 1 });
    expect(weights).toEqual(listWeights().map((entry) => ({ ...entry, cached: [] })));
  });
});

describe('velojs fetch', () => {
  it('writes what is part of velojs to a file, and says that there is nothing else to fetch', async () => {
    const file = join(folder, 'mini.theta');
    expect((await velojs('fetch', 'velo-mini')).stderr).toMatch(/part of velojs: there is nothing to fetch.*--output/);
    expect((await velojs('fetch', 'velo-mini', '--output', file)).code).toBe(0);
    expect(await loadTheta(file)).toEqual(await loadTheta('velo-mini'));
    expect((await velojs('inspect', 'velo-mini')).stdout).toContain('H = 16, K = 4');
    expect(requests).toEqual([]);
  });

  it('refuses what is not the known file, unless it is told to take it', async () => {
    served.set(PARAMS.url, params);
    const refused = await velojs('fetch', 'velo');
    expect(refused.code).toBe(2);
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toMatch(/^Downloading https:\/\/storage\.googleapis\.com\/.*params, 9\.28 MB$/m);
    expect(refused.stderr).toMatch(/git blob id is [\da-f]{40} instead of a1011ded0e4059aa01baab5a7e5b25374241ee56/);
    expect(refused.stderr).toMatch(/theta\.state: it answers 404/);
    expect(refused.stderr).toMatch(/--allow-unverified.*\(WEIGHTS_UNVERIFIED\)$/m);
    expect(refused.stderr).not.toMatch(/ {4}at |[\r]/);
    expect(readdirSync(cache)).toEqual([]);

    const taken = await velojs('fetch', 'velo', '--allow-unverified');
    expect(taken.code).toBe(0);
    expect(taken.stdout).toMatch(/^velo: VeLO, H = 512, K = 256, as flax-params$/m);
    expect(taken.stdout).toMatch(new RegExp(`sha256 +${sha256}$`, 'm'));
    expect(taken.stdout).toMatch(/checked +no \(unverified\)$/m);
    const kept = join(cache, 'params-a1011ded0e4059aa');
    expect(taken.stdout).toContain(kept);
    expect(readFileSync(kept).equals(params)).toBe(true);

    // It is there for those who ask for it, and is not shown as the known file.
    requests = [];
    const inspected = await velojs('inspect', 'velo', '--allow-unverified', '--json');
    expect(JSON.parse(inspected.stdout).weights[0]).toMatchObject({ isVelo: true, files: [{ sha256, known: null }] });
    expect(JSON.parse((await velojs('list', '--json')).stdout).weights[0].cached).toEqual([]);
    expect(requests).toEqual([]);
  });

  it('keeps a file of an address whose SHA-256 is given', async () => {
    const url = `${address}/mine.theta`;
    const { code, stdout, stderr } = await velojs('fetch', url, '--sha256', sha256, '--json');
    expect([code, stderr]).toEqual([0, `Downloading ${url}, 9.28 MB\n`]);
    expect(JSON.parse(stdout)).toMatchObject({
      format: 'velojs-fetch',
      weightsFormat: 'flax-params',
      hiddenSize: 512,
      files: [{ name: 'mine.theta', bytes: 9_282_564, sha256, verified: 'sha256' }],
    });
    expect(await velojs('fetch', url, '--sha256', sha256)).toMatchObject({ code: 0, stderr: '' });
    expect(requests).toEqual(['mine.theta']);
    const wrong = await velojs('fetch', url, '--sha256', '0'.repeat(64));
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('WEIGHTS_UNVERIFIED')]);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  it('writes the file where it is told to, but not over another', async () => {
    const output = path('new/mine.theta');
    const fetch = ['fetch', `${address}/mine.theta`, '--output', output];
    expect(await velojs(...fetch)).toMatchObject({ code: 0 });
    expect(readFileSync(output).equals(params)).toBe(true);
    expect(readdirSync(cache)).toEqual([]);
    writeFileSync(output, 'precious');
    const refused = await velojs(...fetch);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/exists already.*--force/)]);
    expect(readFileSync(output, 'utf8')).toBe('precious');
    expect(await velojs(...fetch, '--force')).toMatchObject({ code: 0 });
    expect(readFileSync(output).equals(params)).toBe(true);
  });

  it('stopped by Ctrl-C, goes on where it ended', async () => {
    pause = 300;
    const fetch = ['fetch', `${address}/mine.theta`, '--sha256', sha256];
    const child = begin(...fetch);
    const result = finish(child);
    await seen(child.stderr!, 'Downloading');
    while (!readdirSync(cache).some((name) => name.endsWith('.partial')))
      await new Promise((done) => setTimeout(done, 50));
    child.kill('SIGINT');
    const { code, stdout, stderr } = await result;
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(/Stopped\. What has arrived is kept/);
    pause = 0;
    const second = await velojs(...fetch);
    expect(second.code).toBe(0);
    expect(second.stderr).toMatch(/, going on at [1-9]\.\d+ MB, 9\.28 MB$/m);
    expect(requests[1]).toMatch(/^mine\.theta bytes=[1-9]\d+-$/);
    expect(readdirSync(cache)).toEqual([`mine.theta-${sha256.slice(0, 16)}`]);
  });

  it.each<[string, string[], RegExp]>([
    [
      'that cannot be reached',
      ['velo'],
      /params: it answers 404.*not tried.*npx velojs fetch velo --output velo.theta.*DOWNLOAD_FAILED/s,
    ],
    ['that are no name and no address', ['vello'], /"vello" is neither the name of known weights/],
    ['that could not be kept', ['http://localhost/x'], /give --sha256, or write it somewhere/],
    [
      'with a hash and without one',
      ['velo', '--sha256', '0'.repeat(64), '--allow-unverified'],
      /leave allowUnverified out/,
    ],
    ['with half a hash', ['velo', '--sha256', 'abc'], /64 hexadecimal digits/],
    ['of nothing', [], /missing required argument/],
  ])('refuses weights %s with exit code 2', async (_, args, message) => {
    const { code, stdout, stderr } = await velojs('fetch', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
    expect(readdirSync(cache)).toEqual([]);
  });
});

describe('velojs inspect and convert', () => {
  it('goes through every format and back to the same bytes', async () => {
    const file = (name: string) => path(`formats/${name}`);
    expect(await velojs('fetch', `${address}/mine.theta`, '--output', file('params'))).toMatchObject({ code: 0 });
    const steps: [to: string, inputs: string[], output: string][] = [
      ['velojs', ['params'], 'own.safetensors'],
      ['pylo', ['own.safetensors'], 'pylo'],
      ['flax-theta', ['pylo/VeLO_MLP/model.safetensors', 'pylo/VeLO_RNN/model.safetensors'], 'theta.state'],
      ['flax-params', ['theta.state'], 'params-again'],
    ];
    for (const [to, inputs, output] of steps) {
      const { code, stdout, stderr } = await velojs('convert', ...inputs.map(file), file(output), '--to', to);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/largest change +none, every number is the same$/m);
    }
    expect(readFileSync(file('params-again')).equals(params)).toBe(true);
    expect(readFileSync(file('theta.state'))).toHaveLength(9_282_507);

    const text = await velojs('inspect', file('params'));
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/params: VeLO$/m);
    expect(text.stdout).toMatch(/sizes +H = 512, K = 256$/m);
    expect(text.stdout).toMatch(new RegExp(`sha256 +${sha256}$`, 'm'));
    expect(text.stdout).toMatch(/gen_id +fake_initial_gen_id$/m);
    expect(text.stdout).toMatch(/^ +rnn_params\n +linear\n +b +float32 +\[512\] +2,048 bytes$/m);
    expect(text.stdout).not.toMatch(ESCAPES);

    const pylo = steps[2]![1].map(file);
    const { weights } = JSON.parse((await velojs('inspect', ...pylo, file('theta.state'), '--json')).stdout);
    expect(weights.map(({ format }: { format: string }) => format)).toEqual(['flax-theta', 'pylo']);
    expect(weights[1].files.map(({ bytes }: { bytes: number }) => bytes)).toEqual([9_119_908, 164_296]);
    expect((await velojs('inspect', pylo[0]!)).stdout).toMatch(/not usable as VeLO\n.*one of PyLO's two files/);

    const half = await velojs('convert', file('params'), file('half'), '--to', 'velojs-float16');
    expect(half.stdout).toMatch(/largest change +[\d.]+e-\d+$/m);
    expect(readFileSync(file('half')).length).toBeLessThan(4_700_000);
    expect((await loadTheta(file('half'))).hiddenSize).toBe(512);
  });

  it('shows names of all kinds, and lets none of them command the terminal', async () => {
    const tensor = { shape: [1], data: Float32Array.of(1) };
    const names = ['a.b.c', 'a.b', 'a', `${'x.'.repeat(300_000)}x`, '\x1b[2Jy\u009b'];
    const tensors = new Map(names.map((name) => [name, tensor]));
    const metadata = new Map([['\x1b]0;z', 'one\ntwo \u202e']]);
    writeFileSync(path('names'), writeSafetensors({ tensors, metadata }));
    const { code, stdout } = await velojs('inspect', path('names'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}\\u\{1b\}\]0;z +one\\u\{a\}two \\u\{202e\}$/m);
    expect(stdout).toMatch(/^ {2}a +F32 +\[1\] +4 bytes\n {2}a\n {4}b +F32 .*\n {4}b\n {6}c +F32/m);
    expect(stdout).toMatch(/^ {2}\\u\{1b\}\[2Jy\\u\{9b\} +F32/m);
    expect(stdout.length).toBeLessThan(1_000_000);
    expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    const refused = await velojs('convert', path('names'), path('y'), '--to', 'velojs');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('\\u{1b}[2Jy')]);
    expect(refused.stderr).not.toMatch(ESCAPES);
  });

  it.each<[string, () => string[], RegExp]>([
    ['no output', () => ['convert', 'x', '--to', 'velojs'], /Give what to convert/],
    ['no format', () => ['convert', 'x', 'y'], /required option '--to/],
    [
      'another format',
      () => ['convert', 'x', 'y', '--to', 'onnx'],
      /Allowed choices are velojs, velojs-float16, flax-params/,
    ],
    [
      'a file that is not there',
      () => ['convert', path('nothing'), path('y'), '--to', 'velojs'],
      /neither the name of known weights .* nor a file/,
    ],
    ['a file that is not there to inspect', () => ['inspect', path('nothing')], /cannot be read/],
    ['a text', () => ['inspect', text()], /text: .*WEIGHTS_INVALID/s],
    ['a text to convert', () => ['convert', text(), path('y'), '--to', 'velojs'], /WEIGHTS_INVALID/],
    ['an output that is there', () => ['convert', 'x', text(), '--to', 'velojs'], /exists already/],
  ])('refuses %s with exit code 2', async (_, args, message) => {
    const { code, stdout, stderr } = await velojs(...args());
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
    expect(existsSync(path('y'))).toBe(false);
  });
});

function text(): string {
  writeFileSync(path('text'), 'This is no theta.');
  return path('text');
}

it.each(['list', 'fetch', 'inspect', 'convert'])('velojs %s --help has examples', async (command) => {
  const { code, stdout } = await velojs(command, '--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`Examples:\n  velojs ${command}`));
  expect(stdout).not.toMatch(ESCAPES);
});
