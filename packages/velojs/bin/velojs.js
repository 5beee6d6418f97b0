#!/usr/bin/env node
// Exists before the build does, so that `npm install` can link the command in a fresh clone.
import { existsSync } from 'node:fs';

if (existsSync(new URL('../dist/cli.js', import.meta.url))) {
  await import('../dist/cli.js');
} else {
  process.stderr.write('velojs is not built: run `npm run build`\n');
  process.exitCode = 1;
}
