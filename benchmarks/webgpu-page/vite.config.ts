import { fileURLToPath } from 'node:url';
import { defineConfig, type UserConfig } from 'vite';

// Packages from source, so the page needs no build; what it imports lies beside it.
const config: UserConfig = defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: { conditions: ['@velojs/source', 'browser'] },
  server: { fs: { allow: ['../..'] } },
  build: { target: 'es2023', outDir: 'dist', emptyOutDir: true },
});

export default config;
