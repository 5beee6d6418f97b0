/** `velojs convert`: weights from any format to any other. */
import { join } from 'node:path';
import { type Theta, VeloError } from '@velojs/core';
import { listWeights, readTheta, type ThetaFormat, type ThetaMetadata, writeTheta } from '@velojs/weights';
import { type Command, Option } from 'commander';
import { fetchWithProgress, usage } from './download.ts';
import { alignRows, formatBytes, formatSizes } from './format.ts';
import { checkFree, writeOutput } from './output.ts';

interface ConvertOptions {
  readonly to: ThetaFormat;
  readonly force: boolean;
  readonly allowUnverified: boolean;
  readonly cacheDir?: string;
}

const FORMATS: Record<ThetaFormat, string> = {
  velojs: 'one safetensors file, float32, with its provenance',
  'velojs-float16': 'the same at half the size; rounds',
  'flax-params': "Google's params, for learned_optimization",
  'flax-theta': 'the bare tree of weights, flax msgpack',
  pylo: "PyLO's two safetensors files, in a folder",
};
/** Where PyLO's two files go: the names of its repositories. */
const PYLO_PATHS = ['VeLO_RNN/model.safetensors', 'VeLO_MLP/model.safetensors'];

const HELP = `
Formats:
${alignRows(Object.entries(FORMATS))}

The last argument is the file to write, for pylo a folder. What was written is read again and compared.

Examples:
  velojs convert velo velo.safetensors --to velojs
  velojs convert params theta.state --to flax-theta
  velojs convert lstm.safetensors mlp.safetensors velo.theta --to velojs-float16
`;

export function addConvertCommand(program: Command): void {
  program
    .command('convert')
    .description('writes weights in another format')
    .usage('[options] --to <format> <input...> <output>')
    .argument('<files...>', 'a file, PyLO’s two, or a name that velojs list shows; then the file to write')
    .addOption(new Option('--to <format>', 'what to write').choices(Object.keys(FORMATS)).makeOptionMandatory())
    .option('--force', 'replace the output if it exists', false)
    .option('--allow-unverified', 'for a name: accept weights whose hash is not the known one, or unknown', false)
    .option('--cache-dir <folder>', 'where fetched weights are kept (default: VELOJS_CACHE, or the platform’s folder)')
    .addHelpText('after', HELP)
    .action(convert);
}

async function convert(files: string[], { to, force, ...options }: ConvertOptions): Promise<void> {
  const output = files.at(-1)!;
  const inputs = files.slice(0, -1);
  if (inputs.length === 0) throw usage('Give what to convert, and then the file to write.');
  const paths = to === 'pylo' ? PYLO_PATHS.map((path) => join(output, path)) : [output];
  for (const path of paths) checkFree(path, force);

  const fetched = await fetchWithProgress(inputs, options);
  if (!fetched) return;
  const { theta, format, metadata, entry } = fetched;
  const written = await writeTheta(theta, to, metadataFor(to, metadata, entry?.name));
  const { theta: again } = await readTheta(written);
  for (const [i, path] of paths.entries()) writeOutput(path, written[i]!);
  const rows = [
    ['from', `${inputs.join(' and ')}, ${format}`],
    ...paths.map((path, i) => ['to', `${path}, ${to}, ${formatBytes(written[i]!.length)}`]),
    ['sizes', formatSizes(theta)],
    ['largest change', differenceOf(theta, again)],
  ];
  process.stdout.write(`${alignRows(rows, '')}\n`);
}

/** Formats of ours keep all that is known; flax-params what it has a place for. */
function metadataFor(to: ThetaFormat, metadata: ThetaMetadata, name: string | undefined): ThetaMetadata {
  const entry = listWeights().find((known) => known.name === name);
  if (!to.startsWith('velojs') || !entry) return metadata;
  const { authors, license, source, citation } = entry;
  return { ...metadata, name: entry.name, authors, license, source, citation };
}

function differenceOf(theta: Theta, other: Theta): string {
  let largest = 0;
  for (const [leaf, values] of Object.entries(theta.leaves)) {
    const others = other.leaves[leaf as keyof Theta['leaves']];
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]! - others[i]!));
  }
  if (Number.isNaN(largest)) throw new VeloError('WEIGHTS_INVALID', 'What was to be written is not finite.');
  return largest === 0 ? 'none, every number is the same' : largest.toExponential(1);
}
