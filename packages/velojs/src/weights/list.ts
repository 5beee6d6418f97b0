/** `velojs list`: the known weights, with whose they are and whether they are here. */
import { VeloError } from '@velojs/core';
import { fetchWeights, listWeights, type WeightsEntry } from '@velojs/weights';
import type { Command } from 'commander';
import { paletteFor } from '../palette.ts';
import { alignRows, formatBytes, formatCheck, formatSizes } from './format.ts';

interface ListOptions {
  readonly cacheDir?: string;
  readonly json: boolean;
}

const HELP = `
Examples:
  velojs list
  velojs fetch velo
`;

export function addListCommand(program: Command): void {
  program
    .command('list')
    .description('shows the weights that can be fetched by name: authors, licence, addresses, checks')
    .option('--cache-dir <folder>', 'where fetched weights are kept (default: VELOJS_CACHE, or the platform’s folder)')
    .option('--json', 'print one JSON document instead of text', false)
    .addHelpText('after', HELP)
    .action(list);
}

async function list({ cacheDir, json }: ListOptions): Promise<void> {
  const entries: { entry: WeightsEntry; cached: string[] }[] = [];
  for (const entry of listWeights()) entries.push({ entry, cached: await cachedPaths(entry, cacheDir) });
  if (json) {
    const weights = entries.map(({ entry, cached }) => ({ ...entry, cached }));
    process.stdout.write(`${JSON.stringify({ format: 'velojs-list', version: 1, weights }, null, 2)}\n`);
    return;
  }
  const palette = paletteFor(process.stdout, process.env);
  for (const { entry, cached } of entries) {
    process.stdout.write(`${palette.bold(entry.name)}: ${entry.description}\n`);
    const rows = [
      ['sizes', formatSizes(entry)],
      ['authors', entry.authors],
      ['licence', entry.license],
      ['cite', entry.citation],
      ['project', entry.source],
      ['here', whereabouts(entry, cached)],
    ];
    process.stdout.write(`${alignRows(rows)}\n`);
    for (const { host, format, files } of entry.downloads) {
      process.stdout.write(`  ${host}, ${format}\n`);
      for (const file of files) {
        process.stdout.write(`    ${file.url}\n    ${formatBytes(file.bytes)}; ${formatCheck(file)}\n`);
      }
    }
  }
  process.stdout.write(`\nWithout weights velojs uses ${listWeights().find(isEmbedded)!.name}, which is part of it.\n`);
}

const isEmbedded = ({ downloads }: WeightsEntry): boolean => downloads.length === 0;

function whereabouts(entry: WeightsEntry, cached: readonly string[]): string {
  if (isEmbedded(entry)) return 'yes, as part of velojs';
  return cached.length > 0 ? cached.join(', ') : `no; get it with: velojs fetch ${entry.name}`;
}

/** Empty if they are not in the cache, or damaged there. */
async function cachedPaths(entry: WeightsEntry, cacheDir: string | undefined): Promise<string[]> {
  try {
    const { files } = await fetchWeights(entry, { offline: true, ...(cacheDir === undefined ? {} : { cacheDir }) });
    return files.flatMap(({ cached }) => cached ?? []);
  } catch (error) {
    if (error instanceof VeloError && error.code === 'OFFLINE') return [];
    throw error;
  }
}
