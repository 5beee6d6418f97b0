import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Packages import each other from source, so tests need no build.
const conditions = ['@velojs/source'];
const report = process.env.VELOJS_TEST_REPORT;

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    testTimeout: 60_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          environment: 'node',
          include: [
            'packages/*/src/**/*.test.ts',
            'benchmarks/**/*.test.ts',
            'examples/**/*.test.ts',
            'tools/**/*.test.ts',
          ],
        },
      },
    ],
  },
});

export default config;
