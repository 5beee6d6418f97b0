/**
 * Takes the README's picture of the page, as it is after a training.
 *
 *     npm run playground:picture
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { createServer } from 'vite';

/** Bytes: the README should load fast. */
const LARGEST = 200_000;

const file = fileURLToPath(new URL('../../../docs/playground.png', import.meta.url));
const configFile = fileURLToPath(new URL('../vite.config.ts', import.meta.url));
const server = await createServer({ configFile, logLevel: 'error', server: { port: 0 } });
await server.listen();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium' });
try {
  // As wide as a README is shown.
  const page = await browser.newPage({
    viewport: { width: 1280, height: 836 },
    deviceScaleFactor: 0.7,
    colorScheme: 'light',
  });
  page.setDefaultTimeout(300_000);
  await page.goto(
    `${server.resolvedUrls!.local[0]}#task=spirals&steps=600&seed=0&backend=wasm&vs=adam:0.001,adam:0.01,sgd:0.1`,
  );
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.locator('#status').getByText('Finished.').waitFor();
  // The last picture is drawn a moment later.
  await page.waitForTimeout(500);
  await page.screenshot({ path: file });
} finally {
  await browser.close();
  await server.close();
}
const { size } = statSync(file);
if (size > LARGEST) throw new Error(`${file} has ${size} bytes; more than ${LARGEST} are too many for the README.`);
console.log(`${file}: ${size} bytes`);
