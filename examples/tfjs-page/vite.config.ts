import { defaultClientConditions, defineConfig, type UserConfig } from 'vite';

const config: UserConfig = defineConfig({
  // velojs from source, so that the page needs no build.
  resolve: { conditions: ['@velojs/source', ...defaultClientConditions] },
  build: { target: 'es2023', chunkSizeWarningLimit: 2500 },
});

export default config;
