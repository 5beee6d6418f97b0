/**
 * Runs the golden cases of a folder on a backend:
 *
 *     npm run --silent golden -- DIR [--backend NAME] [--kernels composed|fused|both] [--loss host|device]
 *
 * `--silent` keeps the banner that npm writes before every script off stdout.
 *
 * Prints one line of JSON per case and kernel mode on stdout, everything else on stderr. Exits 0 if at least one case
 * ran and all passed, 1 if one failed, 2 if files or the backend cannot be used.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { WasmOptions } from '@velojs/backend-wasm';
import {
  type GoldenCase,
  type GoldenResult,
  type GoldenUnits,
  type KernelMode,
  loadGoldenCase,
  loadGoldenUnits,
  runGoldenCase,
  runGoldenUnits,
  TOLERANCES,
} from '@velojs/conformance/golden';
import { type Backend, type Tensor, VeloError } from '@velojs/core';

const BACKENDS: Readonly<Record<string, () => Promise<Backend<Tensor>>>> = {
  cpu: async () => (await import('@velojs/backend-cpu')).cpu() as unknown as Backend<Tensor>,
  wasm: async () => openWasm({}),
  'wasm-plain': async () => openWasm({ simd: 'plain' }),
  'wasm-relaxed': async () => openWasm({ simd: 'relaxed' }),
  'wasm-2-threads': async () => openWasm({ threads: 2 }),
  webgpu: async () => openWebgpu(),
  tfjs: async () => openTfjs('wasm'),
  'tfjs-cpu': async () => openTfjs('cpu'),
  'tfjs-wasm': async () => openTfjs('wasm'),
  reference: async () => (await import('@velojs/core/reference')).reference() as unknown as Backend<Tensor>,
};
const openWasm = async (options: WasmOptions) =>
  (await import('@velojs/backend-wasm')).wasm(options) as unknown as Backend<Tensor>;
const openWebgpu = async () => {
  const { testingGpu } = await import('../packages/backend-webgpu/src/testing-device.ts');
  const { webgpu } = await import('@velojs/backend-webgpu');
  return webgpu({ gpu: await testingGpu() }) as unknown as Backend<Tensor>;
};
/** tfjs runs webgl and webgpu in browsers only, where the tests of @velojs/backend-tfjs run the packed cases. */
const openTfjs = async (name: 'cpu' | 'wasm') => {
  await (name === 'cpu' ? import('@tensorflow/tfjs-backend-cpu') : import('@tensorflow/tfjs-backend-wasm'));
  const { env, setBackend } = await import('@tensorflow/tfjs-core');
  // No banner that praises tfjs-node.
  env().set('PROD', true);
  await setBackend(name);
  return (await import('@velojs/backend-tfjs')).tfjs() as unknown as Backend<Tensor>;
};
const USAGE = 'npm run --silent golden -- DIR [--backend NAME] [--kernels composed|fused|both] [--loss host|device]';

/** What cannot be run at all, as opposed to what runs and fails. */
class Unusable extends Error {}

interface Options {
  readonly directory: string;
  readonly backend: string;
  readonly kernels: KernelMode | 'both';
  readonly loss: 'host' | 'device';
}

/** Null where only help is wanted. */
function readOptions(): Options | null {
  let parsed: ReturnType<typeof parse>;
  const parse = () =>
    parseArgs({
      allowPositionals: true,
      options: {
        backend: { type: 'string', default: 'cpu' },
        kernels: { type: 'string', default: 'both' },
        loss: { type: 'string', default: 'host' },
        help: { type: 'boolean', default: false },
      },
    });
  try {
    parsed = parse();
  } catch (error) {
    throw new Unusable(`${(error as Error).message}\nUsage: ${USAGE}`);
  }
  const { values, positionals } = parsed;
  const oneOf = <Choice extends string>(name: string, value: string, choices: readonly Choice[]): Choice => {
    if ((choices as readonly string[]).includes(value)) return value as Choice;
    throw new Unusable(`--${name} ${value}: choose one of ${choices.join(', ')}.`);
  };
  if (values.help) return null;
  if (positionals.length !== 1) throw new Unusable(`Usage: ${USAGE}`);
  return {
    // npm runs scripts in the root of the repository; the path is meant from where the user is.
    directory: resolve(process.env.INIT_CWD ?? '.', positionals[0]!),
    backend: oneOf('backend', values.backend, Object.keys(BACKENDS)),
    kernels: oneOf('kernels', values.kernels, ['composed', 'fused', 'both']),
    loss: oneOf('loss', values.loss, ['host', 'device']),
  };
}

async function openBackend(name: string): Promise<Backend<Tensor>> {
  try {
    return await BACKENDS[name]!();
  } catch (error) {
    throw new Unusable(`The backend "${name}" is not available here: ${(error as Error).message}`);
  }
}

function kernelModes(backend: Backend<Tensor>, kernels: Options['kernels']): KernelMode[] {
  const hasKernels = Object.keys(backend.kernels ?? {}).length > 0;
  if (hasKernels) return kernels === 'both' ? ['composed', 'fused'] : [kernels];
  if (kernels === 'fused') throw new Unusable(`The backend "${backend.name}" has no fused kernels.`);
  if (kernels === 'both') console.error(`The backend "${backend.name}" has no fused kernels: only composed ones run.`);
  return ['composed'];
}

/** Every case of the folder, all checked before the first one runs. */
async function openCases(directory: string): Promise<{ cases: GoldenCase[]; units: GoldenUnits | null }> {
  const read = (name: string) => readFile(join(directory, name));
  try {
    const files = await readdir(directory);
    const names = files.filter((name) => /^\d\d-.*\.json$/.test(name)).map((name) => name.slice(0, -'.json'.length));
    if (names.length === 0)
      throw new Unusable(`${directory} has no cases: files NN-name.json with their .safetensors.`);
    const cases: GoldenCase[] = [];
    for (const name of names.sort()) cases.push(await loadGoldenCase(name, read));
    return { cases, units: files.includes('units.json') ? await loadGoldenUnits(read) : null };
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable((error as Error).message);
  }
}

/** A run that breaks off is a failure of the backend, unless the backend says that it cannot run here. */
async function report(run: () => Promise<GoldenResult>, failed: Omit<GoldenResult, 'worst'>): Promise<boolean> {
  let result: Omit<GoldenResult, 'worst'>;
  try {
    const { worst, ...printed } = await run();
    if (!printed.pass) console.error(`${printed.case} (${printed.kernels}): worst is ${worst}`);
    result = printed;
  } catch (error) {
    if (error instanceof VeloError && error.code === 'BACKEND_UNAVAILABLE') throw new Unusable(error.message);
    if (error instanceof VeloError && error.code === 'DATA_INVALID') throw new Unusable(error.message);
    console.error(`${failed.case} (${failed.kernels}):`, error);
    result = failed;
  }
  // NaN becomes null, as JSON has it.
  console.log(JSON.stringify(result));
  return result.pass;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) {
    console.error(`Usage: ${USAGE}`);
    return 0;
  }
  const { cases, units } = await openCases(options.directory);
  const backend = await openBackend(options.backend);
  const modes = kernelModes(backend, options.kernels);
  let pass = true;
  for (const kernels of modes) {
    const { loss } = options;
    const failed = (name: string) => ({
      case: name,
      backend: backend.name,
      kernels,
      maxDeviation: Number.NaN,
      tolerance: TOLERANCES[backend.arithmetic],
      pass: false,
    });
    for (const golden of cases) {
      pass = (await report(() => runGoldenCase(golden, backend, { kernels, loss }), failed(golden.name))) && pass;
    }
    if (units) pass = (await report(() => runGoldenUnits(units, backend, { kernels }), failed('units'))) && pass;
  }
  return pass ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Unusable)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
