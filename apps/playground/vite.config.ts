import { fileURLToPath } from 'node:url';
import { defaultClientConditions, defineConfig, type UserConfig } from 'vite';

/** Only isolated pages have SharedArrayBuffer, which WebAssembly threads need; elsewhere there is one thread. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const config: UserConfig = defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // Relative, so that the built page works in any folder of any host.
  base: './',
  // velojs from source, so that the page needs no build of the packages.
  resolve: { conditions: ['@velojs/source', ...defaultClientConditions] },
  server: { headers },
  preview: { headers },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    chunkSizeWarningLimit: 1000,
    reportCompressedSize: false,
    rolldownOptions: { input: ['index.html', 'bench.html'] },
  },
});

export default config;
