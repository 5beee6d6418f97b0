import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright';
import { decodeState } from 'velojs';
import { createModel, createTask, loadJax } from 'velojs/training';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { train as trainInNode } from '../../../packages/velojs/src/train/train.ts';
import { TEN_LINES } from '../src/ui/code.ts';
import { canRun, curvesOf, finished, openSite, type Site, save, TIMEOUT, train, type Visit, visit } from './page.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value / values.length, 0);

/** The gzipped files that a page may load before Start. */
const BUDGET = 250 * 1024;

describe.skipIf(!canRun)('the playground', { timeout: TIMEOUT }, () => {
  let site: Site;
  const visits: Visit[] = [];
  const open = async (...[path, options]: [path?: string, options?: Parameters<typeof visit>[2]]) => {
    const opened = await visit(site, path, options);
    visits.push(opened);
    return opened.page;
  };

  beforeAll(async () => {
    site = await openSite();
  }, TIMEOUT);
  beforeEach(() => {
    visits.length = 0;
  });
  afterEach(async () => {
    for (const opened of visits) await opened.end();
  });
  afterAll(() => site?.close());

  it('loads little before Start', async () => {
    const bodies: Promise<Buffer>[] = [];
    const context = await site.browser.newContext();
    context.on('response', (response) => bodies.push(response.body()));
    const page = await context.newPage();
    await page.goto(site.address);
    await page.getByRole('status').getByText('Ready.').waitFor();
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
    await context.close();
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(BUDGET);
  });

  it.each(
    ['spirals', 'glyphs', 'friedman'].flatMap((task) =>
      ['wasm', 'wasm-threads', 'cpu', 'webgpu'].map((backend) => [task, backend] as const),
    ),
  )('trains %s on %s', async (task, backend) => {
    const steps = backend === 'webgpu' ? 25 : 60;
    const page = await open(`#task=${task}&hidden=16&batch=256&steps=${steps}&backend=${backend}&vs=adam:0.003`);
    await train(page);
    const { runs, backend: used } = await curvesOf(page);
    expect(used).toBe(backend);
    expect(runs.map(({ label }) => label)).toEqual(['VeLO', 'Adam 0.003']);
    for (const { loss } of runs) expect(loss).toHaveLength(steps);
    const { loss } = runs[0]!;
    expect(mean(loss.slice(-5))).toBeLessThan(mean(loss.slice(0, 5)));
    // Its picture has something in it, for every run.
    const descriptions = await page
      .locator('#picture .figures:last-of-type canvas')
      .evaluateAll((all) => all.map((canvas) => canvas.getAttribute('aria-label')!));
    expect(descriptions.every((text) => !text.includes('nothing yet'))).toBe(true);
    expect(await page.locator('#summary').textContent()).toMatch(/^Lowest final training loss: /);
  });

  it('gives the curve that the command gives', async () => {
    const page = await open('#task=spirals&seed=3&steps=100&backend=cpu&vs=adam:0.001');
    await train(page);
    const { runs } = await curvesOf(page);
    const task = createTask('spirals', { seed: 3, steps: 100 });
    const model = createModel(await loadJax(), task.layers, task.kind);
    for (const [i, optimizer] of [
      { name: 'velo' } as const,
      { name: 'adam', learningRate: 0.001 } as const,
    ].entries()) {
      const { curve } = await trainInNode({ task, model, optimizer, seed: 3 });
      expect(curve).toHaveLength(100);
      const differences = curve.map(({ loss }, step) => Math.abs(loss - runs[i]!.loss[step]!) / loss);
      expect(Math.max(...differences)).toBeLessThan(1e-3);
    }
  });

  it('reproduces a run from its link', async () => {
    const page = await open();
    await page.getByLabel('Steps', { exact: false }).first().fill('40');
    await page.getByRole('spinbutton', { name: 'Seed' }).fill('11');
    await page.getByLabel('Hidden layers').fill('12, 8');
    await page.getByLabel('Glyphs').check();
    await page.getByRole('button', { name: 'Remove opponent 3' }).click();
    await page.getByLabel('Learning rate of opponent 1').press('ArrowRight');
    await train(page);
    const first = await curvesOf(page);
    expect(first.link).toContain('#task=glyphs&hidden=12,8&steps=40&seed=11&backend=wasm&vs=adam:0.0015,adam:0.01');
    expect(page.url()).toBe(first.link);
    const again = await open(first.link.slice(site.address.length));
    await train(again);
    expect((await curvesOf(again)).runs.map(({ loss }) => loss)).toEqual(first.runs.map(({ loss }) => loss));
  });

  it('says what it does not understand of a link', async () => {
    const page = await open('#task=chess&steps=50&vs=adam:fast');
    const messages = page.locator('.message');
    expect(await messages.allTextContents()).toEqual([
      expect.stringContaining('task=chess'),
      expect.stringContaining('vs=adam:fast'),
    ]);
    expect(await page.locator('input[name=steps]').inputValue()).toBe('50');
  });

  it('pauses, steps and goes on', async () => {
    const page = await open('#steps=2000&hidden=4&vs=sgd:0.1');
    const progress = page.locator('#progress-text');
    await page.getByRole('button', { name: 'Step', exact: true }).click();
    await progress.getByText('1 of 2,000 steps').waitFor();
    await page.getByRole('button', { name: 'Step', exact: true }).click();
    await progress.getByText('2 of 2,000 steps').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.waitForFunction(() => Number.parseInt(document.querySelector('#progress-text')!.textContent!, 10) > 10);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('#status').getByText('Paused.').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('#status').getByText('Stopped.').waitFor();
    // What there is can be saved.
    const { loss } = (await curvesOf(page)).runs[0]!;
    expect(loss.length).toBeGreaterThan(10);
    expect(loss.length).toBeLessThan(2000);
  });

  it('stops what has just been started', async () => {
    const page = await open('#steps=500000&hidden=4&vs=');
    // One after the other, before anything that trains is loaded.
    await page.evaluate(() => {
      for (const id of ['start', 'stop']) document.getElementById(id)!.click();
    });
    await page.locator('#status').getByText('Stopped.').waitFor();
  });

  it('saves curves as CSV and the state of VeLO', async () => {
    const page = await open('#steps=12&hidden=4&vs=sgd:0.1:0.5');
    await train(page);
    const csv = (await save(page, 'Curves, CSV')).content.toString().trimEnd().split('\n');
    expect(csv[0]).toBe('step,VeLO loss,VeLO ms,"SGD 0.1, momentum 0.5 loss","SGD 0.1, momentum 0.5 ms"');
    expect(csv).toHaveLength(13);
    const state = decodeState(new Uint8Array((await save(page, 'VeLO’s state')).content));
    expect(state.stepsTaken).toBe(12);
  });

  it('shows what is inside VeLO', async () => {
    const page = await open('#steps=30&hidden=6&vs=');
    await train(page);
    expect(await page.locator('.tensor h3').allTextContents()).toEqual([
      'weight1 2 × 6',
      'bias1 6',
      'weight2 6 × 2',
      'bias2 2',
    ]);
    await page.locator('#response-note').getByText('after step').waitFor();
    await page.getByLabel('Network generated for').selectOption('weight2');
    await page.locator('#response-chart[aria-label*="weight2"]').waitFor();
  });

  describe('own data', () => {
    const dropped = async (page: Page, files: { name: string; bytes: Uint8Array | string }[]) => {
      const transfer = await page.evaluateHandle(
        (list) => {
          const data = new DataTransfer();
          for (const { name, bytes } of list) data.items.add(new File([new Uint8Array(bytes)], name));
          return data;
        },
        files.map(({ name, bytes }) => ({ name, bytes: [...Buffer.from(bytes)] })),
      );
      await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
    };

    it('trains on a CSV file that is dropped', async () => {
      const page = await open('#steps=40&vs=adam:0.01');
      await dropped(page, [
        { name: 'pendulum.csv', bytes: readFileSync(new URL('../../../examples/pendulum.csv', import.meta.url)) },
      ]);
      await page.locator('.found').getByText('pendulum.csv:').waitFor();
      await page.getByLabel('Predict').selectOption('period_s');
      await train(page);
      const { loss } = (await curvesOf(page)).runs[0]!;
      expect(mean(loss.slice(-5))).toBeLessThan(loss[0]!);
      expect(await page.locator('#picture canvas').first().getAttribute('aria-label')).toContain(
        'predicted against true',
      );
    });

    it('trains on IDX files', async () => {
      // Two kinds of images: light above or light below.
      const [count, side] = [120, 6];
      const header = (rank: number, sizes: number[]) => {
        const bytes = new DataView(new ArrayBuffer(4 + 4 * rank));
        bytes.setUint32(0, 0x800 + rank);
        sizes.forEach((size, i) => {
          bytes.setUint32(4 + 4 * i, size);
        });
        return new Uint8Array(bytes.buffer);
      };
      const pixels = Uint8Array.from({ length: count * side * side }, (_, i) =>
        Math.floor((i % (side * side)) / (side * side) + 0.5) === Math.floor(i / (side * side)) % 2 ? 200 : i % 50,
      );
      const page = await open('#steps=60&hidden=8&vs=adam:0.01');
      await dropped(page, [
        { name: 'images.idx', bytes: new Uint8Array([...header(3, [count, side, side]), ...pixels]) },
        {
          name: 'labels.idx',
          bytes: new Uint8Array([...header(1, [count]), ...Array.from({ length: count }, (_, i) => i % 2)]),
        },
      ]);
      await page.locator('.found').getByText('120 images of 6 x 6, 2 classes').waitFor();
      await train(page);
      const { loss } = (await curvesOf(page)).runs[0]!;
      expect(mean(loss.slice(-5))).toBeLessThan(loss[0]!);
    });

    it('says what is wrong with a file, and does not start', async () => {
      const page = await open();
      await dropped(page, [
        { name: 'noise.bin.csv', bytes: Uint8Array.from({ length: 500 }, (_, i) => (i * 37) % 256) },
      ]);
      await page.getByRole('alert').getByText('neither CSV nor IDX').waitFor();
      await page.getByRole('button', { name: 'Start', exact: true }).click();
      expect(await page.locator('#status').textContent()).toContain('missing');
      await dropped(page, [{ name: 'good.csv', bytes: 'a,b\n1,2\n3,4\n5,6\n' }]);
      await page.locator('.found').getByText('3 rows').waitFor();
      expect(await page.locator('.fault:visible').count()).toBe(0);
    });
  });

  it('says so where a theta cannot be read, and goes on with another', async () => {
    const page = await open('#steps=10&hidden=4&vs=');
    await page
      .locator('#theta-file')
      .setInputFiles({ name: 'my.theta', mimeType: '', buffer: Buffer.from('no theta') });
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('alert').getByText('my.theta').waitFor();
    const golden = new URL('../../../packages/weights/golden/parameter_checkpoint.msgpack', import.meta.url);
    await page
      .locator('#theta-file')
      .setInputFiles({ name: 'own.msgpack', mimeType: '', buffer: readFileSync(golden) });
    await train(page);
    expect(await page.locator('#describe').textContent()).toContain('own.msgpack (H = 16, K = 8)');
  });

  it('ends a run that diverges and lets the others go on', async () => {
    const page = await open('#steps=60&hidden=16&task=friedman&vs=sgd:100:0.9,adam:0.001');
    await train(page);
    expect(await page.getByRole('alert').textContent()).toMatch(
      /^SGD 100, momentum 0.9 ended at step \d+: .*The others go on\./,
    );
    const { runs } = await curvesOf(page);
    expect(runs[0]!.loss).toHaveLength(60);
    expect(runs[1]!.loss.length).toBeLessThan(60);
    expect(runs[2]!.loss).toHaveLength(60);
  });

  it('can be used with keys alone', async () => {
    const page = await open('#steps=20&hidden=4&vs=adam:0.01', { reducedMotion: 'reduce' });
    const focused = () => page.evaluate(() => document.activeElement?.id ?? '');
    const tabTo = async (id: string) => {
      for (let i = 0; i < 60 && (await focused()) !== id; i++) await page.keyboard.press('Tab');
      expect(await focused()).toBe(id);
    };
    await tabTo('start');
    await page.keyboard.press('Enter');
    await finished(page);
    await tabTo('loss-chart');
    await page.keyboard.press('Home');
    await page.locator('#loss-note').getByText('Values at step 1.').waitFor();
    await page.keyboard.press('ArrowRight');
    await page.locator('#loss-note').getByText('Values at step 2.').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    expect(await page.locator('#legend button').first().getAttribute('aria-pressed')).toBe('false');
  });

  it('skips to the results and keeps the settings', async () => {
    const page = await open('#steps=50');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('results');
    expect(await page.locator('input[name=steps]').inputValue()).toBe('50');
    expect(page.url()).toContain('#steps=50');
  });

  it.each(['', 'bench.html'])('fits a telephone: %s', async (path) => {
    const page = await open(path, { viewport: { width: 360, height: 740 } });
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await width()).toBe(360);
    if (path) return;
    await page.locator('input[name=steps]').fill('15');
    await train(page);
    expect(await width()).toBe(360);
  });

  it('needs no network once it has trained', async () => {
    // Long enough to be seen training.
    const page = await open('#steps=1500&hidden=32&vs=adam:0.01');
    await train(page);
    await page.context().setOffline(true);
    const before = visits[0]!.requests.length;
    await page.locator('input[name=seed]').fill('5');
    await page.getByRole('button', { name: 'Restart' }).click();
    await page.locator('#status').getByText('Training').waitFor();
    await finished(page);
    expect(visits[0]!.requests.slice(before)).toEqual([]);
  });

  it('answers while a million parameters train', async () => {
    const page = await open('#task=glyphs&hidden=1024,700&batch=16&steps=400&vs=adam:0.001');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.waitForFunction(() => Number.parseInt(document.querySelector('#progress-text')!.textContent!, 10) >= 2);
    const late = await page.evaluate(
      () =>
        new Promise<number[]>((resolve) => {
          const waits: number[] = [];
          let last = performance.now();
          const timer = setInterval(() => {
            const now = performance.now();
            waits.push(now - last - 10);
            last = now;
            if (waits.length === 400) {
              clearInterval(timer);
              resolve(waits);
            }
          }, 10);
        }),
    );
    // Others use the machine too: one wait in twenty may be theirs.
    expect(late.toSorted((a, b) => a - b)[Math.floor(0.95 * late.length)]).toBeLessThan(50);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('#status').getByText('Stopped.').waitFor();
  });

  it('measures steps on the bench page', async () => {
    const page = await open('bench.html');
    for (const box of await page.locator('input[name=workload]').all()) await box.setChecked(false);
    await page.locator('input[name=workload]').first().check();
    for (const name of ['wasm-threads', 'webgpu', 'webgl']) await page.locator(`input[value=${name}]`).uncheck();
    await page.getByLabel('Time for each').fill('20');
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.locator('#status').getByText('Done.').waitFor();
    expect(await page.locator('#share').textContent()).toMatch(/% of the worker’s time went to training/);
    const { content } = await save(page, 'Save JSON');
    const results = JSON.parse(content.toString());
    expect(results).toMatchObject({ format: 'velojs-browser-bench', version: 1, complete: true });
    expect(results.environment.userAgent).toContain('Chrom');
    const measured = results.rows
      .filter(({ time }: { time: object | null }) => time)
      .map(({ backend }: { backend: string | null }) => backend);
    expect(new Set(measured)).toEqual(new Set(['cpu', 'wasm', null]));
    await page
      .locator('#compare')
      .setInputFiles({ name: 'before.json', mimeType: 'application/json', buffer: content });
    await page.locator('thead').getByText('compared').waitFor();
  });
});

it('shows the ten lines of the README', () => {
  expect(readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')).toContain(TEN_LINES);
});
