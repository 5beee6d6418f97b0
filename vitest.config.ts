import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { playwright } from '@vitest/browser-playwright';
import { configDefaults, defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config';

// Packages import each other from source, so tests need no build.
const conditions = ['@velojs/source'];
const report = process.env.VELOJS_TEST_REPORT;
const inBrowser = ['packages/*/src/**/*.browser.test.ts', 'benchmarks/**/*.browser.test.ts'];
const withRelaxedSimd = 'packages/*/src/**/relaxed-simd.test.ts';
const testTimeout = 60_000;

const node: TestProjectInlineConfiguration = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    name: 'node',
    testTimeout,
    environment: 'node',
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/{src,tests}/**/*.test.ts',
      'benchmarks/**/*.test.ts',
      'examples/**/*.test.ts',
      'tools/**/*.test.ts',
    ],
    exclude: [...configDefaults.exclude, ...inBrowser, withRelaxedSimd],
  },
};

const nodeWithRelaxedSimd: TestProjectInlineConfiguration = {
  ...node,
  test: {
    ...node.test,
    name: 'node-relaxed-simd',
    include: [withRelaxedSimd],
    exclude: configDefaults.exclude,
    // Later versions have it without being asked.
    execArgv: process.version.startsWith('v20.') ? ['--experimental-wasm-relaxed-simd'] : [],
  },
};

// In Node, WebGPU finds these drivers, which do the work of a GPU in software, only if it is told; real ones come first.
process.env.VK_ADD_DRIVER_FILES ??= '/usr/lib/chromium/vk_swiftshader_icd.json';
process.env.EGL_PLATFORM ??= 'surfaceless';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

const chromium: TestProjectInlineConfiguration = {
  resolve: { conditions: [...conditions, 'browser'] },
  // Prepared before the tests: found by a test, they would make the page load again.
  optimizeDeps: {
    include: ['core', 'layers', 'backend-cpu', 'backend-wasm', 'backend-webgl', 'backend-webgpu'].map(
      (name) => `@tensorflow/tfjs-${name}`,
    ),
  },
  // For the set-up, which runs in Node.
  ssr: { resolve: { conditions, externalConditions: conditions } },
  // Only isolated pages have SharedArrayBuffer.
  server: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  },
  // Pages have no environment; what CI requires is required there too, and what is asked for in full runs in full.
  define: Object.fromEntries(
    ['CI', 'VELOJS_FULL'].filter((name) => process.env[name]).map((name) => [`process.env.${name}`, '"true"']),
  ),
  test: {
    name: 'chromium',
    testTimeout,
    include: inBrowser,
    globalSetup: ['packages/weights/src/testing-browser-setup.ts'],
    browser: {
      enabled: true,
      headless: true,
      // Its GPU in software has threads enough.
      fileParallelism: false,
      screenshotFailures: false,
      provider: playwright({
        // Playwright starts it without a sandbox, so it starts in containers and as root.
        launchOptions: { executablePath, args: ['--enable-unsafe-webgpu'] },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
};

// In CI the project is required: without Chromium it fails to start.
const withChromium = existsSync(executablePath) || Boolean(process.env.CI);
if (!withChromium) {
  console.warn(
    `No tests in Chromium: there is no ${executablePath}. Install it (apt-get install chromium), or set CHROMIUM_PATH.`,
  );
}

const config: ViteUserConfig = defineConfig({
  test: {
    // Vitest would leave one processor to itself, which with two is half of them.
    maxWorkers: availableParallelism(),
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [node, nodeWithRelaxedSimd, ...(withChromium ? [chromium] : [])],
  },
});

export default config;
