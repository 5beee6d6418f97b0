import { type Theta, VeloError } from '@velojs/core';
import { beforeEach, expect, inject, it } from 'vitest';
import type { LoadOptions } from './fetch-remote.ts';
import { fetchSource, loadTheta } from './load-theta.ts';
import { listWeights, type WeightsEntry } from './registry.ts';
import { syntheticFiles, syntheticTheta } from './testing-weights.ts';

const { caches, location } = globalThis as unknown as {
  caches: {
    open(
      name: string,
    ): Promise<{ keys(): Promise<{ url: string }[]>; put(url: string, response: Response): Promise<void> }>;
    delete(name: string): Promise<boolean>;
  };
  location: { pathname: string };
};

const { address, gitBlob, bytes } = inject('weightsServer');
const cacheDir = 'velojs-test';
const theta = syntheticTheta();

beforeEach(() => caches.delete(cacheDir));

const entry = (path: string): WeightsEntry => ({
  ...listWeights()[0]!,
  downloads: [{ host: 'test', format: 'flax-params', files: [{ url: `${address}/${path}`, bytes, gitBlob }] }],
});
const load = (path: string, options: LoadOptions = {}) =>
  fetchSource(entry(path), { cacheDir, ...options }, { pauses: [10, 10], stall: 5000 });
const kept = async () => (await (await caches.open(cacheDir)).keys()).map(({ url }) => url.split('/').at(-1));
const requestsOf = async (path: string): Promise<string[]> => {
  const requests = (await (await fetch(`${address}/requests`)).json()) as string[];
  return requests.filter((request) => request.startsWith(`/${path}`));
};
const expectSame = ({ leaves }: Theta) => {
  const differs = Object.entries(leaves).filter(([leaf, values]) => {
    const expected = theta.leaves[leaf as keyof Theta['leaves']];
    return values.length !== expected.length || values.some((value, i) => value !== expected[i]);
  });
  expect(differs).toEqual([]);
};

it('is downloaded once, checked, and kept in the Cache API', async () => {
  const progress: number[] = [];
  const { theta: loaded, files } = await load('whole', { onProgress: ({ loaded }) => progress.push(loaded) });
  expectSame(loaded);
  expect(files[0]).toMatchObject({ verified: 'git-blob', name: 'whole' });
  expect(files[0]!.cached).toContain(`in the cache "${cacheDir}"`);
  expect(progress.at(-1)).toBe(bytes);
  expect(await kept()).toEqual([`whole-${gitBlob.slice(0, 16)}`]);
  expectSame((await load('whole')).theta);
  expectSame((await load('whole', { offline: true })).theta);
  expect(await requestsOf('whole')).toEqual(['/whole']);
});

it('goes on after a cut with a range that needs no permission', async () => {
  expectSame((await load('cut')).theta);
  const requests = await requestsOf('cut');
  expect(requests).toHaveLength(2);
  expect(requests[1]).toMatch(/^\/cut bytes=[1-9]\d+-$/);
  expect(await kept()).toEqual([`cut-${gitBlob.slice(0, 16)}`]);
});

it('may be compressed on its way, which pages of other origins are not told', async () => {
  const totals = new Set<number | null>();
  expectSame((await load('compressed', { onProgress: ({ total }) => totals.add(total) })).theta);
  expect([...totals]).toEqual([bytes]);
  expectSame(await loadTheta(`${address}/compressed`));
});

it('what was damaged in the cache is fetched again', async () => {
  await load('whole');
  const cache = await caches.open(cacheDir);
  const [{ url } = { url: '' }] = await cache.keys();
  await cache.put(url, new Response('damaged'));
  await expect(load('whole', { offline: true })).rejects.toMatchObject({ code: 'OFFLINE' });
  expectSame((await load('whole')).theta);
  expectSame((await load('whole', { offline: true })).theta);
});

it.each([
  ['damaged', 'WEIGHTS_UNVERIFIED', /git blob id is/],
  ['missing', 'DOWNLOAD_FAILED', /answers 404/],
  ['closed', 'DOWNLOAD_FAILED', /Failed to fetch.*other origins/],
])('%s: the right error, and nothing in the cache', async (path, code, message) => {
  const error = (await load(path).catch((reason) => reason)) as VeloError;
  expect(error).toBeInstanceOf(VeloError);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(await kept()).toEqual([]);
});

it('an abort rejects with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('left the page');
  const onProgress = () => controller.abort(reason);
  await expect(load('whole', { signal: controller.signal, onProgress })).rejects.toBe(reason);
});

it('Files, Blobs and bytes are read; paths are addresses relative to the page', async () => {
  const { params } = await syntheticFiles(theta);
  expectSame(await loadTheta(new File([params!], 'params')));
  expectSame(await loadTheta(params!));
  expectSame(await loadTheta(`${address}/whole`));
  const { pathname } = new URL('../golden/bare.msgpack', import.meta.url);
  const { pathname: page } = location;
  const relative = `${'../'.repeat(page.split('/').length - 2)}${pathname.slice(1)}`;
  expect(await loadTheta(relative)).toEqual(await loadTheta(pathname));
  await expect(loadTheta('file:///etc/hosts')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
