import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const canRun = existsSync(executablePath) || Boolean(process.env.CI);
if (!canRun) console.warn(`examples/tfjs-page is not tested: there is no ${executablePath}, see CONTRIBUTING.md.`);

/** In software a graphics processor compiles slowly, and the machine has other tests to run. */
const TIMEOUT = 180_000;

describe.skipIf(!canRun)('the page', () => {
  let folder: string;
  let server: PreviewServer;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'velojs-page-'));
    const root = fileURLToPath(new URL('tfjs-page', import.meta.url));
    const options = { root, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } } as const;
    await build(options);
    server = await preview({ ...options, preview: { port: 0 } });
    browser = await chromium.launch({ executablePath, args: ['--enable-unsafe-webgpu'] });
  }, TIMEOUT);

  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(TIMEOUT);
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.getByRole('status').getByText('Ready.').waitFor();
  }, TIMEOUT);

  afterEach(async () => {
    await page.close();
    expect(errors).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const train = async (network: string, backend: string, epochs: number) => {
    await page.getByLabel('Network').selectOption(network);
    await page.getByLabel('Backend').selectOption(backend);
    await page.getByLabel('Epochs').fill(String(epochs));
    await page.getByRole('button').click();
    await page
      .getByRole('status')
      .getByText(/Done|Stopped/)
      .waitFor();
    expect(await page.getByRole('status').textContent()).toBe('Done.');
    const rows = await page.locator('tbody tr').all();
    const cells = await Promise.all(rows.map((row) => row.locator('th, td').allTextContents()));
    return cells.map(([name, loss, digits]) => ({ name, loss: Number(loss), percent: Number.parseFloat(digits!) }));
  };

  it('offers every backend of TensorFlow.js', async () => {
    expect(await page.getByLabel('Backend').locator('option').allTextContents()).toEqual([
      'wasm',
      'cpu',
      'webgl',
      'webgpu',
    ]);
  });

  // Guessing is right in 10 of 100 and has a loss of ln 10 = 2.3.
  it.each([
    ['dense', 'wasm', 10, 0.9, 65],
    ['convolutional', 'wasm', 10, 1.5, 50],
    ['dense', 'cpu', 2, 2, 30],
    ['dense', 'webgl', 1, 2.3, 15],
    ['dense', 'webgpu', 1, 2.3, 15],
  ])(
    'trains %s on %s with VeLO and with Adam',
    async (network, backend, epochs, loss, percent) => {
      const [velo, adam] = await train(network, backend, epochs);
      expect([velo!.name, adam!.name]).toEqual(['VeLO', 'Adam']);
      expect(velo!.loss).toBeLessThan(loss);
      expect(velo!.percent).toBeGreaterThan(percent);
      expect(adam!.loss).toBeGreaterThan(0);
      expect(adam!.percent).toBeGreaterThan(0);
      const curves = await page
        .locator('polyline')
        .evaluateAll((lines) => lines.map((line) => line.getAttribute('points')!.split(' ').length));
      expect(curves).toEqual([10 * epochs, 10 * epochs]);
    },
    TIMEOUT,
  );

  it('fits a telephone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  });
});
