/** The built page in Chromium, for tests. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright';
import { build, preview } from 'vite';
import { expect } from 'vitest';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
export const canRun: boolean = existsSync(executablePath) || Boolean(process.env.CI);
if (!canRun) console.warn(`apps/playground is not tested: there is no ${executablePath}, see CONTRIBUTING.md.`);

/** In software a graphics processor compiles slowly, and the machine has other tests to run. */
export const TIMEOUT = 240_000;

export interface Site {
  readonly address: string;
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Builds the page as it is published, serves it and starts a browser. */
export async function openSite(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'velojs-playground-'));
  const configFile = fileURLToPath(new URL('../vite.config.ts', import.meta.url));
  const options = { configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } } as const;
  await build(options);
  const server = await preview({ ...options, preview: { port: 0 } });
  const browser = await chromium.launch({ executablePath, args: ['--enable-unsafe-webgpu'] });
  return {
    address: server.resolvedUrls!.local[0]!,
    browser,
    async close() {
      await browser.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Visit {
  readonly page: Page;
  /** Every request so far. */
  readonly requests: readonly string[];
  /** Closes the page. @throws where something was thrown in it, or a request left the site. */
  end(): Promise<void>;
}

/** @param path such as `#task=spirals` or `bench.html`. */
export async function visit(site: Site, path = '', options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await site.browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const errors: string[] = [];
  const requests: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  context.on('request', (request) => requests.push(request.url()));
  await page.goto(site.address + path);
  await page.getByRole('status').getByText('Ready.').waitFor();
  return {
    page,
    requests,
    async end() {
      await context.close();
      expect(errors).toEqual([]);
      expect(requests.filter((url) => !url.startsWith(site.address) && !/^(data|blob):/.test(url))).toEqual([]);
    },
  };
}

/** Presses Start and waits for the end. */
export async function train(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await finished(page);
}

export async function finished(page: Page): Promise<void> {
  await page.locator('#status').getByText('Finished.').waitFor();
}

export interface SavedCurves {
  readonly format: string;
  readonly link: string;
  readonly backend: string;
  readonly runs: readonly { readonly label: string; readonly loss: readonly number[] }[];
}

/** What the button saves. */
export async function save(page: Page, button: string): Promise<{ name: string; content: Buffer }> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button, exact: true }).click(),
  ]);
  return { name: download.suggestedFilename(), content: await readFile(await download.path()) };
}

export const curvesOf = async (page: Page): Promise<SavedCurves> =>
  JSON.parse((await save(page, 'Curves, JSON')).content.toString());
