/** `velojs inspect`: what weight files are. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { VeloError } from '@velojs/core';
import { inspectWeights, listWeights, type WeightsEntry, type WeightsInspection } from '@velojs/weights';
import type { Command } from 'commander';
import { type Palette, paletteFor } from '../palette.ts';
import { formatCount } from '../train/report/format.ts';
import { fetchWithProgress, usage } from './download.ts';
import { alignRows, formatBytes, formatSizes, printable } from './format.ts';

interface InspectOptions {
  readonly allowUnverified: boolean;
  readonly cacheDir?: string;
  readonly json: boolean;
}

/** Files that are one thing together, and what they are. */
interface Inspected {
  readonly title: string;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly inspection: WeightsInspection;
}

const HELP = `
Files are recognised by their content, and only read: nothing in them is run. PyLO's two files count as one.

Examples:
  velojs inspect velo
  velojs inspect my.theta --json
`;

export function addInspectCommand(program: Command): void {
  program
    .command('inspect')
    .description('tells what weight files are: format, tree, shapes, sizes, hashes, where they come from')
    .argument('<weights...>', 'files, or names that velojs list shows (fetched first if they are not here)')
    .option('--allow-unverified', 'for names: accept weights whose hash is not the known one, or unknown', false)
    .option('--cache-dir <folder>', 'where fetched weights are kept (default: VELOJS_CACHE, or the platform’s folder)')
    .option('--json', 'print one JSON document instead of text', false)
    .addHelpText('after', HELP)
    .action(inspect);
}

async function inspect(sources: string[], { json, ...options }: InspectOptions): Promise<void> {
  const found: Inspected[] = [];
  for (const source of sources) {
    const files = listWeights().some(({ name }) => name === source)
      ? (await fetchWithProgress(source, options))?.files.map(({ cached, origin, bytes }) => ({
          path: cached ?? origin ?? source,
          bytes,
        }))
      : [{ path: source, bytes: read(source) }];
    if (!files) return;
    found.push({
      title: source,
      files,
      inspection: await inspectFiles(
        source,
        files.map(({ bytes }) => bytes),
      ),
    });
  }
  const all = await joinPylo(found);
  process.stdout.write(
    json
      ? `${JSON.stringify({ format: 'velojs-inspect', version: 1, weights: all.map(documentOf) }, null, 2)}\n`
      : `${all.map((one) => textOf(one, paletteFor(process.stdout, process.env))).join('\n\n')}\n`,
  );
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw usage(`${path} cannot be read, and is no name that velojs list shows: ${(cause as Error).message}.`, cause);
  }
}

async function inspectFiles(title: string, files: readonly Uint8Array[]): Promise<WeightsInspection> {
  try {
    return await inspectWeights(files);
  } catch (error) {
    if (error instanceof VeloError) throw new VeloError(error.code, `${title}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** An LSTM file and an MLP file of PyLO, where there is one of each, are shown as one. */
async function joinPylo(found: readonly Inspected[]): Promise<readonly Inspected[]> {
  const ofFormat = (format: string) => found.filter(({ inspection }) => inspection.format === format);
  const [lstm, ...moreLstm] = ofFormat('pylo-lstm');
  const [mlp, ...moreMlp] = ofFormat('pylo-mlp');
  if (!lstm || !mlp || moreLstm.length + moreMlp.length > 0) return found;
  const files = [...lstm.files, ...mlp.files];
  const title = `${lstm.title} and ${mlp.title}`;
  const inspection = await inspectFiles(
    title,
    files.map(({ bytes }) => bytes),
  );
  return [...found.filter((one) => one !== lstm && one !== mlp), { title, files, inspection }];
}

const hashesOf = (bytes: Uint8Array): { sha256: string; gitBlob: string } => ({
  sha256: createHash('sha256').update(bytes).digest('hex'),
  gitBlob: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'),
});

/** The entry of the registry that has this very file. */
function knownAs(bytes: Uint8Array): { entry: WeightsEntry; host: string } | null {
  const { sha256, gitBlob } = hashesOf(bytes);
  for (const entry of listWeights()) {
    for (const { host, files } of entry.downloads) {
      if (files.some((file) => file.sha256 === sha256 || file.gitBlob === gitBlob)) return { entry, host };
    }
  }
  return null;
}

const countOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

function documentOf({ title, files, inspection }: Inspected): object {
  return {
    name: title,
    ...inspection,
    files: files.map(({ path, bytes }) => ({
      path,
      bytes: bytes.length,
      ...hashesOf(bytes),
      known: knownAs(bytes)?.entry.name ?? null,
    })),
  };
}

function textOf({ title, files, inspection }: Inspected, palette: Palette): string {
  const { format, isVelo, hiddenSize, bankSize, leaves, metadata, message } = inspection;
  const numbers = leaves.reduce((sum, { shape }) => sum + countOf(shape), 0);
  const rows = [
    ['format', format],
    ...(hiddenSize === null || bankSize === null ? [] : [['sizes', formatSizes({ hiddenSize, bankSize })]]),
    ['numbers', `${formatCount(numbers)} in ${leaves.length} arrays`],
    ...files.flatMap(({ path, bytes }) => {
      const { sha256, gitBlob } = hashesOf(bytes);
      const known = knownAs(bytes);
      return [
        ['file', `${files.length > 1 ? path : basename(path)}, ${formatBytes(bytes.length)}`],
        ['sha256', sha256],
        ['git blob', gitBlob],
        ['known as', known ? `${known.entry.name}, from ${known.host}; ${known.entry.license}` : 'no known weights'],
      ];
    }),
    ...Object.entries(metadata).map(([key, value]) => [shown(key), shown(value)]),
  ];
  const heading = `${palette.bold(title)}: ${isVelo ? palette.green('VeLO') : palette.yellow('not usable as VeLO')}`;
  return [heading, ...(message === null ? [] : [printable(message)]), alignRows(rows), '', treeOf(leaves)].join('\n');
}

const MAX_SHOWN = 500;
/** Names and texts of a file, which may be megabytes long. */
const shown = (text: string): string => printable(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)} ...` : text);

/** Leaves below the parts of their names. */
function treeOf(leaves: WeightsInspection['leaves']): string {
  const rows: string[][] = [];
  let above: string[] = [];
  for (const { name, shape, type, bytes } of leaves) {
    const path = shown(name).split('.');
    const branch = path.slice(0, -1);
    const differs = branch.findIndex((part, i) => part !== above[i]);
    for (let depth = differs < 0 ? branch.length : differs; depth < branch.length; depth++)
      rows.push(['  '.repeat(depth) + path[depth]!]);
    rows.push([
      '  '.repeat(path.length - 1) + path.at(-1)!,
      shown(type),
      shown(`[${shape.join(', ')}]`),
      formatBytes(bytes),
    ]);
    above = branch;
  }
  return alignRows(rows);
}
