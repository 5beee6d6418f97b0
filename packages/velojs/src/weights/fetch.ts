/** `velojs fetch`: weights into the cache, or to a file. */
import { createHash } from 'node:crypto';
import { listWeights } from '@velojs/weights';
import type { Command } from 'commander';
import { paletteFor } from '../palette.ts';
import { fetchWithProgress, usage } from './download.ts';
import { alignRows, formatBytes, formatSizes, formatVerified } from './format.ts';
import { checkFree, writeOutput } from './output.ts';

interface FetchOptions {
  readonly output?: string;
  readonly force: boolean;
  readonly sha256?: string;
  readonly allowUnverified: boolean;
  readonly cacheDir?: string;
  readonly json: boolean;
}

const HELP = `
Weights are downloaded once, checked by their hash, and kept; later calls, and loadTheta in programs, take
them from there. A download that was cut goes on where it ended. A file from an address is kept if you give
its SHA-256; otherwise write it somewhere with --output.

Examples:
  velojs fetch velo
  velojs fetch velo --output velo.theta      on another machine, to bring the file to one without network
  velojs fetch https://example.org/my.theta --sha256 <64 hexadecimal digits>
`;

export function addFetchCommand(program: Command): void {
  program
    .command('fetch')
    .description('downloads weights, checks them and keeps them')
    .argument('<weights>', `a name (${listWeights().map(({ name }) => name)}) or an address`)
    .option('--output <file>', 'also write the file, as published, to this place')
    .option('--force', 'replace --output if it exists', false)
    .option('--sha256 <digits>', 'what the SHA-256 of the file must be')
    .option('--allow-unverified', 'accept and keep weights whose hash is another than the known one, or unknown', false)
    .option('--cache-dir <folder>', 'where to keep them (default: VELOJS_CACHE, or the platform’s folder for caches)')
    .option('--json', 'print one JSON document instead of text', false)
    .addHelpText('after', HELP)
    .action(fetchCommand);
}

async function fetchCommand(weights: string, options: FetchOptions): Promise<void> {
  const { output, force, json, sha256, allowUnverified, cacheDir } = options;
  const isName = listWeights().some(({ name }) => name === weights);
  if (!isName && !/^https?:\/\//i.test(weights)) {
    throw usage(`"${weights}" is neither the name of known weights (see velojs list) nor an address (https://...).`);
  }
  if (!isName && output === undefined && sha256 === undefined && !allowUnverified) {
    throw usage('A file without a known hash is not kept: give --sha256, or write it somewhere with --output.');
  }
  if (output === undefined && listWeights().some(({ name, downloads }) => name === weights && downloads.length === 0)) {
    throw usage(`${weights} is part of velojs: there is nothing to fetch. Give --output for a file of it.`);
  }
  if (output !== undefined) checkFree(output, force);
  const fetched = await fetchWithProgress(weights, {
    allowUnverified,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(cacheDir === undefined ? {} : { cacheDir }),
  });
  if (!fetched) return;
  const { entry, files, format, theta } = fetched;
  const isLost = output === undefined && files.some(({ cached }) => cached === null);
  if (output !== undefined) {
    if (files.length > 1) {
      throw usage(
        `These weights came in ${files.length} files, as the other addresses did not answer. One file of them: velojs convert ${weights} ${output} --to velojs --allow-unverified`,
      );
    }
    writeOutput(output, files[0]!.bytes);
  }
  const hashes = files.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex'));
  if (json) {
    const document = {
      format: 'velojs-fetch',
      version: 1,
      name: entry?.name ?? null,
      weightsFormat: format,
      hiddenSize: theta.hiddenSize,
      bankSize: theta.bankSize,
      output: output ?? null,
      files: files.map(({ name, origin, bytes, verified, cached }, i) => ({
        name,
        origin,
        bytes: bytes.length,
        sha256: hashes[i],
        verified,
        cached,
      })),
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    const palette = paletteFor(process.stdout, process.env);
    process.stdout.write(`${palette.bold(entry?.name ?? weights)}: VeLO, ${formatSizes(theta)}, as ${format}\n`);
    for (const [i, file] of files.entries()) {
      const rows = [
        ['from', file.origin ?? ''],
        ['size', formatBytes(file.bytes.length)],
        ['sha256', hashes[i]!],
        ['checked', formatVerified(file)],
        ['kept', file.cached ?? 'no'],
        ...(output === undefined ? [] : [['written', output]]),
      ];
      process.stdout.write(`${alignRows(rows)}\n`);
    }
    if (entry)
      process.stdout.write(
        `Licence ${entry.license}; cite ${entry.citation}. In a program: await loadTheta('${entry.name}')\n`,
      );
  }
  if (isLost) throw usage('The weights could not be kept: choose another folder with --cache-dir, or give --output.');
}
