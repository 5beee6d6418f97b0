import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Theta, VeloError } from '@velojs/core';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { browserCache } from './cache.ts';
import type { LoadOptions } from './fetch-remote.ts';
import { folderCache } from './file-system.ts';
import { readTheta, writeTheta } from './formats.ts';
import { fetchSource, fetchWeights, loadTheta, type ThetaSource } from './load-theta.ts';
import { listWeights, type WeightsEntry } from './registry.ts';
import {
  type Behaviour,
  damaged,
  file,
  gitBlobOf,
  inTurn,
  sha256Of,
  startServer,
  status,
  type TestServer,
} from './testing-server.ts';
import { syntheticFiles, syntheticTheta } from './testing-weights.ts';

const theta = syntheticTheta();
const PARAMS = 9_282_564;
const STATE = 9_282_507;
const QUICK = { pauses: [10, 20, 30], stall: 5000 };
const IMPATIENT = { ...QUICK, stall: 500 };

let files: Record<string, Uint8Array<ArrayBuffer>>;
let params: Uint8Array<ArrayBuffer>;
let cacheDir: string;
let server: TestServer;

beforeAll(async () => {
  files = await syntheticFiles(theta);
  params = files.params!;
});
beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'velojs-cache-'));
  server = await startServer();
});
afterEach(async () => {
  rmSync(cacheDir, { recursive: true });
  await server.close();
});

/** The registry's `velo`, with this server in place of the addresses and the hashes of the synthetic files. */
function entry(...names: ('params' | 'theta.state' | 'pylo')[]): WeightsEntry {
  const place = (...paths: string[]) => ({
    files: paths.map((path) => ({
      url: `${server.address}/${path}`,
      bytes: files[path]!.length,
      ...(path.startsWith('VeLO') ? {} : { gitBlob: gitBlobOf(files[path]!) }),
    })),
  });
  const places = {
    params: place('params'),
    'theta.state': place('theta.state'),
    pylo: place('VeLO_RNN/model.safetensors', 'VeLO_MLP/model.safetensors'),
  };
  const [velo] = listWeights();
  const downloads = velo!.downloads.map((download) => ({
    ...download,
    ...places[
      ({ 'flax-params': 'params', 'flax-theta': 'theta.state' }[download.format as string] as 'params') ?? 'pylo'
    ],
  }));
  return {
    ...velo!,
    downloads: downloads.filter((_, i) => names.includes((['params', 'theta.state', 'pylo'] as const)[i]!)),
  };
}

const load = (source: ThetaSource | ThetaSource[], options: LoadOptions = {}, patience = QUICK) =>
  fetchSource(source, { cacheDir, ...options }, patience);
/** What is in the cache and could be taken for weights; unfinished downloads cannot. */
const kept = () => readdirSync(cacheDir).filter((name) => !name.endsWith('.partial'));
const partials = () => readdirSync(cacheDir).filter((name) => name.endsWith('.partial'));
const isKeptRight = () => kept().length === 1 && readFileSync(join(cacheDir, kept()[0]!)).equals(params);

/** Bytes, because `toEqual` takes seconds for millions of numbers. */
const expectSame = ({ leaves, dead }: Theta) => {
  const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const all = Object.entries({ ...theta.leaves, ...theta.dead });
  const found: Readonly<Record<string, Float32Array>> = { ...leaves, ...dead };
  expect(Object.keys(found)).toEqual(all.map(([leaf]) => leaf));
  expect(all.filter(([leaf, values]) => !bytesOf(values).equals(bytesOf(found[leaf]!)))).toEqual([]);
};

const failsWith = async (promise: Promise<unknown>, code: string, message: RegExp) => {
  const error = await promise.then(
    () => expect.unreachable('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VeloError);
  expect((error as VeloError).message).toMatch(message);
  expect((error as VeloError).code).toBe(code);
  expect(kept()).toEqual([]);
};

it('the synthetic files have the sizes of the published ones', () => {
  const sizes = listWeights()[0]!.downloads.flatMap((download) => download.files.map(({ bytes }) => bytes));
  expect(Object.values(files).map(({ length }) => length)).toEqual(sizes);
  expect(sizes.slice(0, 2)).toEqual([PARAMS, STATE]);
});

describe('a server that is well', () => {
  it('is asked once; then the cache answers, without a network too', async () => {
    server.on('params', file(params));
    const progress: number[] = [];
    const first = await load(entry('params'), { onProgress: ({ loaded }) => progress.push(loaded) });
    expectSame(first.theta);
    expect(first).toMatchObject({ format: 'flax-params', metadata: { gen_id: 'fake_initial_gen_id' } });
    const [{ cached, verified, origin } = { cached: null }] = first.files;
    expect([verified, origin]).toEqual(['git-blob', `${server.address}/params`]);
    expect(cached).toBe(join(cacheDir, `params-${gitBlobOf(params).slice(0, 16)}`));
    expect(isKeptRight()).toBe(true);
    expect(progress.at(-1)).toBe(PARAMS);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));

    expectSame((await load(entry('params'))).theta);
    expect(server.requests).toEqual(['/params']);
    await server.close();
    expectSame((await load(entry('params'))).theta);
    expect((await load(entry('params'), { offline: true })).files[0]!.cached).toBe(cached);
    server = await startServer();
  });

  it.each<[string, () => Behaviour]>([
    ['slowly', () => file(params, { pause: 20 })],
    ['without saying its length', () => (_, response) => void response.writeHead(200).end(params)],
    [
      'compressed',
      () => {
        const compressed = gzipSync(params, { level: 1 });
        return (_, response) => void response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(compressed);
      },
    ],
    ['through redirects', () => (_, response) => void response.writeHead(302, { Location: '/elsewhere' }).end()],
    ['after a 500', () => inTurn(status(500), file(params))],
    ['after being busy', () => inTurn(status(429), status(503, { 'Retry-After': '0' }), file(params))],
    ['after a refused connection', () => inTurn((request) => void request.socket.destroy(), file(params))],
  ])('serves %s', async (_, behaviour) => {
    server.on('params', behaviour());
    server.on('elsewhere', file(params));
    expectSame((await load(entry('params'))).theta);
    expect(isKeptRight()).toBe(true);
    expect(partials()).toEqual([]);
  });

  it('gives an address with a sha256, which is kept, and one without, which is not', async () => {
    server.on('params', file(params));
    const sha256 = sha256Of(params);
    expectSame((await load(`${server.address}/params`)).theta);
    expect(readdirSync(cacheDir)).toEqual([]);
    const { files: fetched } = await load(new URL('/params', server.address), { sha256: sha256.toUpperCase() });
    expect(fetched[0]).toMatchObject({ name: 'params', verified: 'sha256' });
    expect(isKeptRight()).toBe(true);
    await load(`${server.address}/params`, { sha256 });
    expect(server.requests).toEqual(['/params', '/params']);
  });

  it('gives the files of PyLO together', async () => {
    const [lstm, mlp] = entry('pylo').downloads[0]!.files;
    for (const { url } of [lstm!, mlp!]) {
      const path = url.slice(server.address.length + 1);
      server.on(path, file(files[path]!));
    }
    expectSame((await load([mlp!.url, lstm!.url])).theta);
    // Sizes alone prove nothing.
    await failsWith(load(entry('pylo')), 'WEIGHTS_UNVERIFIED', /not tried, as no hash is known.*\n.*allow-unverified/s);
    const requests = server.requests.length;
    const { files: fetched, format } = await load(entry('pylo'), { allowUnverified: true });
    expect([format, fetched.map(({ verified }) => verified)]).toEqual(['pylo', [null, null]]);
    expect(kept()).toHaveLength(2);
    expectSame((await load(entry('pylo'), { allowUnverified: true })).theta);
    expect(server.requests).toHaveLength(requests + 2);
  });
});

describe('a connection that breaks', () => {
  it('goes on where it ended', async () => {
    server.on('params', file(params, { cutAfter: () => 3_000_000 }));
    expectSame((await load(entry('params'))).theta);
    expect(isKeptRight()).toBe(true);
    expect(partials()).toEqual([]);
    const starts = server.requests.map((request) => Number(/bytes=(\d+)-/.exec(request)?.[1] ?? 0));
    expect(starts).toHaveLength(4);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts[1]).toBeGreaterThan(1_000_000);
  });

  it.each<[string, () => Behaviour]>([
    ['knows no ranges', () => file(params, { ranges: false, cutAfter: (attempt) => (attempt === 0 ? 3_000_000 : 0) })],
    ['sends no ETag', () => file(params, { etag: null, cutAfter: (attempt) => (attempt === 0 ? 3_000_000 : 0) })],
    ['has another file by then', () => inTurn(file(damaged(params), { cutAfter: () => 6_000_000 }), file(params))],
    [
      'has another file under the same ETag by then',
      () => inTurn(file(damaged(params), { etag: '"1"', cutAfter: () => 6_000_000 }), file(params, { etag: '"1"' })),
    ],
  ])('starts again, or goes on, where the server %s', async (_, behaviour) => {
    server.on('params', behaviour());
    expectSame((await load(entry('params'))).theta);
    expect(isKeptRight()).toBe(true);
    expect(partials()).toEqual([]);
  });

  it('goes on where the server stopped sending without a word', async () => {
    const silent: Behaviour = (_, response) =>
      void response.writeHead(200, { ETag: '"1"' }).write(params.subarray(0, 3_000_000));
    server.on('params', inTurn(silent, file(params, { etag: '"1"' })));
    expectSame((await load(entry('params'), {}, { ...QUICK, stall: 2000 })).theta);
    expect(server.requests[1]).toMatch(/^\/params bytes=[1-9]\d+-$/);
    expect(isKeptRight()).toBe(true);
  });

  it('goes on in a later call, whose cache was left with an unfinished download', async () => {
    server.on('params', file(params, { cutAfter: () => 3_000_000 }));
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ loaded }: { loaded: number }) => void (loaded > 4_000_000 && controller.abort(reason));
    await expect(load(entry('params'), { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(kept()).toEqual([]);
    expect(partials()).toEqual([`params-${gitBlobOf(params).slice(0, 16)}.partial`]);
    // Not to be mistaken for the file, wherever it gets to.
    await expect(readTheta(readFileSync(join(cacheDir, partials()[0]!)))).rejects.toThrow(VeloError);

    server.on('params', file(params));
    const loaded: number[] = [];
    const { theta: whole } = await load(entry('params'), { onProgress: (progress) => loaded.push(progress.loaded) });
    expectSame(whole);
    expect(loaded[0]).toBeGreaterThan(4_000_000);
    expect(server.requests.at(-1)).toBe(`/params bytes=${loaded[0]}-`);
    expect([isKeptRight(), partials()]).toEqual([true, []]);
  });

  it.each<[string, (partial: Uint8Array) => Uint8Array]>([
    ['damaged', damaged],
    ['cut short', (partial) => partial.subarray(0, 50)],
    ['without head', (partial) => partial.subarray(1)],
    ['empty', () => new Uint8Array(0)],
    ['too long', (partial) => Buffer.concat([partial, params])],
  ])('an unfinished download that is %s does no harm', async (_, change) => {
    server.on('params', file(params, { cutAfter: () => 3_000_000 }));
    const controller = new AbortController();
    const onProgress = ({ loaded }: { loaded: number }) => void (loaded > 4_000_000 && controller.abort());
    await expect(load(entry('params'), { signal: controller.signal, onProgress })).rejects.toThrow(/abort/);
    const partial = join(cacheDir, partials()[0]!);
    writeFileSync(partial, change(readFileSync(partial)));
    server.on('params', file(params));
    expectSame((await load(entry('params'))).theta);
    expect([isKeptRight(), partials()]).toEqual([true, []]);
  });

  it('is told of when it never gets anywhere', async () => {
    server.on('params', file(params, { cutAfter: () => 1000 }));
    await failsWith(
      load(entry('params')),
      'DOWNLOAD_FAILED',
      /\/params: .* after \d+ bytes\n.*npx velojs fetch velo --output/s,
    );
    expect(server.requests).toHaveLength(4);
  });
});

describe('a server that is not well', () => {
  it.each<[string, () => Behaviour, string, RegExp, number]>([
    ['404', () => status(404), 'DOWNLOAD_FAILED', /params: it answers 404 Not Found/, 1],
    ['500', () => status(500), 'DOWNLOAD_FAILED', /params: it answers 500 Internal Server Error/, 4],
    ['204', () => status(204), 'DOWNLOAD_FAILED', /params: it answers 204/, 1],
    ['redirects to nothing', () => status(302, { Location: '/nowhere' }), 'DOWNLOAD_FAILED', /it answers 404/, 2],
    ['redirects in circles', () => status(302, { Location: '/params' }), 'DOWNLOAD_FAILED', /redirect/, 84],
    [
      'one byte too few',
      () => file(params.subarray(1)),
      'DOWNLOAD_FAILED',
      /announces 9282563 bytes instead of 9282564/,
      1,
    ],
    [
      'one byte too many',
      () => file(Buffer.concat([params, new Uint8Array(1)])),
      'DOWNLOAD_FAILED',
      /announces 9282565 bytes/,
      1,
    ],
    [
      'more than announced',
      () => (_, response) => void response.writeHead(200).end(Buffer.concat([params, params])),
      'DOWNLOAD_FAILED',
      /sends more than 9282564 bytes/,
      1,
    ],
    [
      'less than needed',
      () => (_, response) => void response.writeHead(200).end(params.subarray(0, 5000)),
      'DOWNLOAD_FAILED',
      /ended after 5000 of 9282564 bytes/,
      4,
    ],
    ['an unasked range', () => status(206), 'DOWNLOAD_FAILED', /it answers 206/, 1],
    [
      'damaged bytes',
      () => file(damaged(params)),
      'WEIGHTS_UNVERIFIED',
      /git blob id is [\da-f]{40} instead of [\da-f]{40}, which was read from the tree.*\n.*--sha256/s,
      1,
    ],
    [
      'damaged bytes in pieces',
      () => file(damaged(params), { cutAfter: (attempt) => (attempt % 2 === 0 ? 6_000_000 : 0) }),
      'WEIGHTS_UNVERIFIED',
      /git blob/,
      4,
    ],
    [
      'a login page of the right length',
      () => file(new Uint8Array(PARAMS).fill(60)),
      'WEIGHTS_UNVERIFIED',
      /git blob/,
      1,
    ],
  ])('%s: the right error, and nothing in the cache', async (_, behaviour, code, message, requests) => {
    server.on('params', behaviour());
    await failsWith(load(entry('params')), code, message);
    expect(server.requests).toHaveLength(requests);
  });

  it('is not waited for without end', async () => {
    server.on('params', () => {});
    await failsWith(load(entry('params'), {}, IMPATIENT), 'DOWNLOAD_FAILED', /params: nothing arrived for 0.5 s/);
    expect(server.requests).toHaveLength(4);
  });

  it('cannot fill the memory, announced or not', async () => {
    server.on('params', status(200, { 'Content-Length': `${2 ** 40}` }));
    await failsWith(load(`${server.address}/params`), 'DOWNLOAD_FAILED', /announces 1099511627776 bytes, more than/);
    const endless: Behaviour = (_, response) => {
      const more = () => void (response.destroyed || response.write(new Uint8Array(2 ** 24), more));
      more();
    };
    server.on('endless', endless);
    await failsWith(load(`${server.address}/endless`), 'DOWNLOAD_FAILED', /sends more than 268435456 bytes/);
  });

  it('gives way to the next place, in the order of the registry', async () => {
    server.on('params', status(404));
    server.on('theta.state', inTurn(status(500), file(files['theta.state']!)));
    const { theta: loaded, format } = await load(entry('params', 'theta.state', 'pylo'));
    expectSame(loaded);
    expect(format).toBe('flax-theta');
    expect(server.requests).toEqual(['/params', '/theta.state', '/theta.state']);
    expect((await load(entry('params', 'theta.state'), { offline: true })).format).toBe('flax-theta');
  });

  it('tells the reason of every place', async () => {
    server.on('params', file(damaged(params)));
    await failsWith(
      load(entry('params', 'theta.state', 'pylo')),
      'WEIGHTS_UNVERIFIED',
      /params: its git blob.*theta.state: it answers 404.*VeLO_RNN.*not tried.*VeLO_MLP/s,
    );
  });

  it('may be trusted all the same, but what is right is preferred', async () => {
    const [own] = await writeTheta(theta, 'flax-params', { gen_id: 'another_initial_id.' });
    expect(own).toHaveLength(PARAMS);
    server.on('params', file(own!));
    server.on('theta.state', file(files['theta.state']!));
    const both = await load(entry('params', 'theta.state'), { allowUnverified: true });
    expect([both.format, both.files[0]!.verified]).toEqual(['flax-theta', 'git-blob']);
    const one = await load(entry('params'), { allowUnverified: true });
    expect([one.format, one.files[0]!.verified]).toEqual(['flax-params', null]);
    expect(kept()).toHaveLength(2);
    // Kept, but not for those who did not ask for it.
    expect((await load(entry('params'), { allowUnverified: true, offline: true })).format).toBe('flax-params');
    await expect(load(entry('params'), { offline: true })).rejects.toMatchObject({ code: 'OFFLINE' });
    await expect(load(entry('params'))).rejects.toMatchObject({ code: 'WEIGHTS_UNVERIFIED' });
    // What is right is preferred in the cache too.
    const cached = await load(entry('params', 'theta.state'), { allowUnverified: true, offline: true });
    expect([cached.format, cached.files[0]!.verified]).toEqual(['flax-theta', 'git-blob']);
    // Pinned, it is as good as any.
    const pinned = await load(entry('params'), { sha256: sha256Of(own!) });
    expect(pinned.files[0]!.verified).toBe('sha256');
  });

  it('is not asked where nothing can be checked, unless that is accepted', async () => {
    server.on('params', file(params));
    vi.stubGlobal('crypto', {});
    try {
      const message = /params: not tried, as there is no crypto.subtle.*https/;
      await failsWith(load(entry('params')), 'WEIGHTS_UNVERIFIED', message);
      await failsWith(load(`${server.address}/params`, { sha256: '0'.repeat(64) }), 'WEIGHTS_UNVERIFIED', message);
      await failsWith(load(params, { sha256: '0'.repeat(64) }), 'WEIGHTS_UNVERIFIED', /no crypto.subtle/);
      expect(server.requests).toEqual([]);
      const { theta: loaded, files: fetched } = await load(entry('params'), { allowUnverified: true });
      expectSame(loaded);
      expect(fetched[0]!.verified).toBeNull();
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('is not trusted with what is no theta', async () => {
    server.on('params', file(new Uint8Array(PARAMS)));
    await failsWith(load(entry('params'), { allowUnverified: true }), 'WEIGHTS_UNVERIFIED', /git blob/);
    const page = new TextEncoder().encode('<!doctype html>');
    server.on('page', file(page));
    await failsWith(load(`${server.address}/page`), 'WEIGHTS_INVALID', /./);
    await failsWith(load(`${server.address}/page`, { sha256: sha256Of(page) }), 'WEIGHTS_INVALID', /./);
    await failsWith(load(`${server.address}/page`, { sha256: sha256Of(params) }), 'WEIGHTS_UNVERIFIED', /SHA-256 is/);
  });
});

describe('the cache', () => {
  it('is checked every time: what was damaged in it is fetched again', async () => {
    server.on('params', file(params));
    await load(entry('params'));
    const path = join(cacheDir, kept()[0]!);
    for (const content of [damaged(params), params.subarray(0, 1000), new Uint8Array(0)]) {
      writeFileSync(path, content);
      await expect(load(entry('params'), { offline: true })).rejects.toMatchObject({ code: 'OFFLINE' });
      expectSame((await load(entry('params'))).theta);
      expect(isKeptRight()).toBe(true);
    }
    expect(server.requests).toHaveLength(4);
  });

  it('offline, an error names the command and the file; a file put in place serves', async () => {
    const error = (await load(entry('params'), { offline: true }).catch((reason) => reason)) as VeloError;
    expect(error.code).toBe('OFFLINE');
    expect(error.message).toContain('npx velojs fetch velo --output velo.theta');
    expect(error.message).toContain('(9282564 bytes)');
    const place = join(cacheDir, `params-${gitBlobOf(params).slice(0, 16)}`);
    expect(error.message).toContain(place);
    writeFileSync(place, params);
    expectSame((await load(entry('params'), { offline: true })).theta);
    expect(server.requests).toEqual([]);
  });

  it('is not promised a name that the command does not know', async () => {
    const url = `${server.address}/params`;
    const error = await load({ ...entry('params'), name: 'ours' }, { offline: true }).catch((reason) => reason);
    expect(error.message).toContain(`npx velojs fetch ${url} --output weights.theta`);
  });

  it.each<[string, () => unknown]>([
    ['is missing', () => undefined],
    ['cannot be opened', () => ({ open: () => Promise.reject(new Error('sandboxed')) })],
    [
      'must not be looked at',
      () => {
        throw new Error('sandboxed');
      },
    ],
  ])('of browsers that %s is none', async (_, get) => {
    Object.defineProperty(globalThis, 'caches', { get, configurable: true });
    try {
      expect(await browserCache()).toBeNull();
    } finally {
      Reflect.deleteProperty(globalThis, 'caches');
    }
  });

  it('that cannot be written to costs a warning', async () => {
    server.on('params', file(params));
    const blocked = join(cacheDir, 'a-file');
    writeFileSync(blocked, '');
    const onWarning = vi.fn();
    const { theta: loaded, files: fetched } = await load(entry('params'), { cacheDir: join(blocked, 'x'), onWarning });
    expectSame(loaded);
    expect(fetched[0]!.cached).toBeNull();
    expect(onWarning.mock.calls.flat().join('\n')).toMatch(/cannot be kept in .*a-file/);
  });

  it('is the folder of VELOJS_CACHE, or of the platform', async () => {
    const { defaultFolder } = await import('./file-system.ts');
    vi.stubEnv('VELOJS_CACHE', '');
    expect(defaultFolder()).toMatch(/velojs/);
    vi.stubEnv('VELOJS_CACHE', join(cacheDir, 'own'));
    server.on('params', file(params));
    await fetchWeights(entry('params'));
    vi.unstubAllEnvs();
    expect(readdirSync(join(cacheDir, 'own'))).toEqual([`params-${gitBlobOf(params).slice(0, 16)}`]);
  });

  it('keeps the old file when a new one cannot be written', async () => {
    const cache = folderCache(cacheDir);
    await cache.put('x', Uint8Array.of(1, 2, 3));
    await expect(cache.put('x/y', Uint8Array.of(4))).rejects.toThrow();
    expect(await cache.get('x')).toEqual(Uint8Array.of(1, 2, 3));
    expect(readdirSync(cacheDir)).toEqual(['x']);
    await cache.delete('x');
    await cache.delete('x');
    expect(await cache.get('x')).toBeNull();
  });
});

describe('processes', { timeout: 60_000 }, () => {
  const PROCESS = fileURLToPath(new URL('./testing-process.ts', import.meta.url));
  const start = (): ChildProcess =>
    spawn(process.execPath, [
      '--conditions=@velojs/source',
      '--import',
      'tsx',
      PROCESS,
      JSON.stringify(entry('params')),
      cacheDir,
    ]);
  const finish = (child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    new Promise((done) => {
      let [stdout, stderr] = ['', ''];
      child.stdout!.on('data', (text) => {
        stdout += text;
      });
      child.stderr!.on('data', (text) => {
        stderr += text;
      });
      child.on('close', (code) => done({ code, stdout, stderr }));
    });

  it('may fill the cache at once', async () => {
    server.on('params', file(params, { pause: 20, cutAfter: (attempt) => (attempt === 1 ? 5_000_000 : 0) }));
    const results = await Promise.all([start(), start(), start()].map(finish));
    for (const { code, stdout } of results) {
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual({ hiddenSize: 512, hashes: [sha256Of(params)] });
    }
    expect(isKeptRight()).toBe(true);
    expectSame((await load(entry('params'), { offline: true })).theta);
  });

  it('that are killed leave something to go on with', async () => {
    // Does not get to its end, however slow this process is to kill it.
    const half: Behaviour = (_, response) =>
      void response.writeHead(200, { ETag: '"1"', 'Content-Length': PARAMS }).write(params.subarray(0, 6_000_000));
    server.on('params', inTurn(half, file(params, { etag: '"1"' })));
    const child = start();
    const result = finish(child);
    await new Promise<void>((halfway) => {
      child.stderr!.on(
        'data',
        (text) => `${text}`.split('\n').some((loaded) => Number(loaded) > 5_000_000) && halfway(),
      );
    });
    child.kill('SIGKILL');
    expect((await result).code).toBeNull();
    expect(kept().filter((name) => !name.endsWith('.tmp'))).toEqual([]);
    expectSame((await load(entry('params'))).theta);
    expect(server.requests.at(-1)).toMatch(/^\/params bytes=[1-9]\d{6}-$/);
    expect(existsSync(join(cacheDir, `params-${gitBlobOf(params).slice(0, 16)}`))).toBe(true);
  });
});

describe('what is at hand', () => {
  it('is read from paths, file addresses, Blobs, buffers and bytes', async () => {
    const path = join(cacheDir, 'my theta');
    writeFileSync(path, params);
    const file = new File([params], 'mine');
    for (const source of [
      path,
      pathToFileURL(path),
      `${pathToFileURL(path)}`,
      file,
      new Blob([params]),
      params.slice().buffer,
      params,
    ]) {
      expectSame(await loadTheta(source));
    }
    expect((await fetchWeights(path, { sha256: sha256Of(params) })).files[0]).toMatchObject({
      name: 'my theta',
      origin: path,
      verified: 'sha256',
      cached: null,
    });
    expect((await fetchWeights(file)).files[0]).toMatchObject({ name: 'mine', verified: null });
    const pylo = [files['VeLO_MLP/model.safetensors']!, files['VeLO_RNN/model.safetensors']!];
    expectSame(await loadTheta(pylo));
  });

  it.each<[string, () => unknown, LoadOptions, string, RegExp]>([
    ['nothing', () => [], {}, 'INVALID_ARGUMENT', /no source/],
    ['undefined', () => undefined, {}, 'INVALID_ARGUMENT', /loaded from a name/],
    [
      'a typing error',
      () => 'vello',
      {},
      'INVALID_ARGUMENT',
      /"vello" is neither the name of known weights \(velo, velo-mini\) nor a file/,
    ],
    ['a folder', () => cacheDir, {}, 'INVALID_ARGUMENT', /cannot be read: EISDIR/],
    [
      'an entry without places',
      () => ({ name: 'x', downloads: [] }),
      {},
      'INVALID_ARGUMENT',
      /needs a name and downloads/,
    ],
    [
      'an entry with a bad address',
      () => ({ name: 'x', downloads: [{ files: [{ url: 'params' }] }] }),
      {},
      'INVALID_ARGUMENT',
      /absolute/,
    ],
    ...['../../../../x', 'a'.repeat(63)].map(
      (hash) =>
        [
          `an entry with the hash ${hash}`,
          () => ({ name: 'x', downloads: [{ files: [{ url: `${server.address}/x`, sha256: hash }] }] }),
          {},
          'INVALID_ARGUMENT',
          /hexadecimal digits/,
        ] satisfies [string, () => unknown, LoadOptions, string, RegExp],
    ),
    ['an entry of nothing', () => ({ name: 'x', downloads: [null] }), {}, 'INVALID_ARGUMENT', /needs a name/],
    ['addresses and paths', () => ['http://localhost/a', './b'], {}, 'INVALID_ARGUMENT', /cannot be mixed/],
    ['a short sha256', () => params, { sha256: 'abc' }, 'INVALID_ARGUMENT', /64 hexadecimal digits/],
    ['a sha256 for two', () => [params, params], { sha256: '0'.repeat(64) }, 'INVALID_ARGUMENT', /one file/],
    [
      'a sha256 for an entry in two files',
      () => entry('pylo'),
      { sha256: '0'.repeat(64) },
      'INVALID_ARGUMENT',
      /several/,
    ],
    [
      'a sha256 and no check',
      () => params,
      { sha256: '0'.repeat(64), allowUnverified: true },
      'INVALID_ARGUMENT',
      /leave allowUnverified out/,
    ],
    ['another sha256', () => params, { sha256: '0'.repeat(64) }, 'WEIGHTS_UNVERIFIED', /SHA-256 is/],
    ['an empty cacheDir', () => params, { cacheDir: '' }, 'INVALID_ARGUMENT', /cacheDir/],
    ['what is no theta', () => Uint8Array.of(1, 2, 3), {}, 'WEIGHTS_INVALID', /./],
    ['a scheme that nobody serves', () => 'gopher://localhost/params', {}, 'DOWNLOAD_FAILED', /gopher/],
  ])('%s is refused', async (_, source, options, code, message) => {
    await failsWith(load(source() as ThetaSource, options), code, message);
  });
});

describe('a signal', () => {
  it('that is aborted already lets nothing begin', async () => {
    const reason = new Error('stop');
    await expect(load(entry('params'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });

  it('ends the waiting for an answer', async () => {
    const reason = new Error('stop');
    const controller = new AbortController();
    server.on('params', () => controller.abort(reason));
    await expect(load(entry('params'), { signal: controller.signal })).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  it('ends a pause', async () => {
    server.on('params', status(503, { 'Retry-After': '20' }));
    const reason = new Error('stop');
    const controller = new AbortController();
    const loading = load(entry('params'), { signal: controller.signal });
    await vi.waitUntil(() => server.requests.length === 1, { timeout: 30_000 });
    await new Promise((done) => setTimeout(done, 50));
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
  });

  it('is not confused with an error of onProgress', async () => {
    server.on('params', file(params));
    const broken = new Error('no terminal');
    const onProgress = () => {
      throw broken;
    };
    await expect(load(entry('params'), { onProgress })).rejects.toBe(broken);
    expect(kept()).toEqual([]);
  });
});
