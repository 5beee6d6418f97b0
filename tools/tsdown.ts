import type { UserConfig } from 'tsdown';

/** What the builds of all packages share: ES modules with declarations and source maps, dependencies left outside. */
export const build = (...entry: string[]): UserConfig => ({
  entry,
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  dts: true,
  sourcemap: true,
  fixedExtension: false,
  logLevel: 'warn',
});
