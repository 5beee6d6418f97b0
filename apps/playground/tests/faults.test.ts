/** What may happen in the middle: a device that is lost, a worker that dies, a tab that the browser freezes. */
import type { Page, Worker } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { canRun, curvesOf, finished, openSite, type Site, TIMEOUT, train, type Visit, visit } from './page.ts';

/** As many steps as nobody waits for. */
const LONG = '#task=spirals&hidden=8&steps=500000&vs=adam:0.001';

describe.skipIf(!canRun)('faults', { timeout: TIMEOUT }, () => {
  let site: Site;
  let opened: Visit | undefined;
  const open = async (path?: string): Promise<{ page: Page; worker: Worker }> => {
    opened = await visit(site, path);
    return { page: opened.page, worker: opened.page.workers()[0]! };
  };
  const start = async (page: Page) => {
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.locator('#status').getByText('Training …').waitFor();
  };
  const stop = async (page: Page) => {
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('#status').getByText('Stopped.').waitFor();
  };
  const steps = async (page: Page) =>
    Number((await page.locator('#progress-text').textContent())!.split(' ')[0]!.replaceAll(',', ''));
  const goesOn = async (page: Page) => {
    const before = await steps(page);
    await expect.poll(() => steps(page), { timeout: TIMEOUT }).toBeGreaterThan(before);
  };

  beforeAll(async () => {
    site = await openSite();
  }, TIMEOUT);
  beforeEach(() => {
    opened = undefined;
  });
  afterEach(() => opened?.end());
  afterAll(() => site?.close());

  it('ends the run of a GPU that is lost, and the others go on', async () => {
    const { page, worker } = await open(`${LONG}&backend=webgpu`);
    await worker.evaluate(() => {
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (descriptor) {
        const device = await requestDevice.call(this, descriptor);
        Object.assign(globalThis, { loseDevice: () => device.destroy() });
        return device;
      };
    });
    await start(page);
    await goesOn(page);
    await worker.evaluate(() => (globalThis as unknown as { loseDevice(): void }).loseDevice());
    const message = page.locator('.message');
    await message.waitFor();
    expect(await message.textContent()).toMatch(/VeLO ended at step \d+.*GPU.*The others go on/);
    await goesOn(page);
    await stop(page);
    const [velo, adam] = (await curvesOf(page)).runs;
    expect(adam!.loss.length).toBeGreaterThan(velo!.loss.length);
  });

  it('notices a worker that has died, and starts another one', async () => {
    const { page, worker } = await open(LONG);
    await start(page);
    await goesOn(page);
    await worker.evaluate(() => {
      setTimeout(() => globalThis.close());
    });
    const message = page.locator('.message');
    await message.getByText('has not answered').waitFor();
    await message.getByRole('button', { name: 'Start it anew' }).click();
    await page.getByRole('status').getByText('Ready.').waitFor();
    await start(page);
    await goesOn(page);
    await stop(page);
  });

  it('goes on where the browser has frozen the page', async () => {
    const { page } = await open('#task=spirals&hidden=8&steps=2000&vs=adam:0.001');
    const protocol = await page.context().newCDPSession(page);
    await start(page);
    await protocol.send('Page.setWebLifecycleState', { state: 'frozen' });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await protocol.send('Page.setWebLifecycleState', { state: 'active' });
    await finished(page);
    expect(await page.locator('.message').count()).toBe(0);
    expect((await curvesOf(page)).runs.map(({ loss }) => loss.length)).toEqual([2000, 2000]);
  });

  it('trains without threads where the page is not isolated, and says why', async () => {
    const context = await site.browser.newContext();
    await context.route('**', async (route) => {
      const response = await route.fetch();
      const kept = Object.entries(response.headers()).filter(([name]) => !name.startsWith('cross-origin-'));
      await route.fulfill({ response, headers: Object.fromEntries(kept) });
    });
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT);
    await page.goto(`${site.address}#task=spirals&hidden=8&steps=30&vs=`);
    await page.getByRole('status').getByText('Ready.').waitFor();
    expect(await page.locator('#backends').textContent()).toContain('Cross-Origin-Opener-Policy');
    await train(page);
    expect((await curvesOf(page)).backend).toBe('wasm');
    await context.close();
  });

  it('refuses a file that is too large', async () => {
    const { page } = await open();
    const transfer = await page.evaluateHandle(() => {
      const data = new DataTransfer();
      const megabyte = new Uint8Array(2 ** 20).fill(49);
      data.items.add(new File(Array(129).fill(megabyte), 'large.csv'));
      return data;
    });
    await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
    await page.getByText('large.csv: larger than 128 MB').waitFor();
  });

  it('ends a download that is stopped', async () => {
    const context = await site.browser.newContext();
    // Nobody answers.
    await context.route(
      (url) => !url.href.startsWith(site.address),
      () => {},
    );
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT);
    await page.goto(`${site.address}${LONG}&theta=velo`);
    await page.getByRole('status').getByText('Ready.').waitFor();
    const asked = context.waitForEvent('request', (request) => !request.url().startsWith(site.address));
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await asked;
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('.message').getByText('Stopped before').waitFor();
    await context.close();
  });
});
