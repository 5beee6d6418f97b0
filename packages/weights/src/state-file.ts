/** An exported optimizer state as one safetensors file, kept bit for bit. */
import { type ExportedState, VeloError } from '@velojs/core';
import { readSafetensors, type Safetensors, type SafetensorsTensor, writeSafetensors } from './safetensors.ts';

const FORMAT = 'velojs-state';
const VERSION = 1;
/** Tensors keep their float32; the host's numbers are stored beside them as doubles, since JSON loses -0. */
const TENSORS = 'tensors.';
const VALUES = 'values.';

/** What is kept as JSON in the metadata: everything but tensors and numbers among the values. */
type Header = Omit<ExportedState, 'format' | 'version' | 'tensors'>;

/**
 * Writes what `Velo.exportState` gave as one safetensors file. The same state gives the same bytes.
 *
 * @throws VeloError `STATE_INVALID` if a tensor's data does not fill its shape.
 * @example
 * ```ts
 * await writeFile('run.velo', encodeState(await velo.exportState()));
 * ```
 */
export function encodeState(state: ExportedState): Uint8Array<ArrayBuffer> {
  const { format: _format, version: _version, tensors, values, ...rest } = state;
  const all = new Map<string, SafetensorsTensor>();
  const others: Record<string, string | boolean | null> = {};
  for (const [path, tensor] of Object.entries(tensors)) all.set(TENSORS + path, tensor);
  for (const [path, value] of Object.entries(values)) {
    if (typeof value === 'number') all.set(VALUES + path, { shape: [], data: Float64Array.of(value) });
    else if (Array.isArray(value)) all.set(VALUES + path, { shape: [value.length], data: Float64Array.from(value) });
    else others[path] = value as string | boolean | null;
  }
  const header: Header = { ...rest, values: others };
  return asStateErrors(() =>
    writeSafetensors({
      tensors: all,
      metadata: new Map([
        ['format', FORMAT],
        ['formatVersion', `${VERSION}`],
        ['state', JSON.stringify(header)],
      ]),
    }),
  );
}

/**
 * Reads what `encodeState` wrote, for `Velo.importState`, which checks that it fits the optimizer.
 *
 * @throws VeloError `STATE_INVALID` if the file is damaged, not an optimizer state, or of an unknown version.
 * @example
 * ```ts
 * await velo.importState(decodeState(await readFile('run.velo')));
 * ```
 */
export function decodeState(bytes: Uint8Array): ExportedState {
  const file = asStateErrors(() => readSafetensors(bytes));
  const format = file.metadata.get('format');
  if (format !== FORMAT) throw invalid(`its metadata give the format as ${JSON.stringify(format ?? null)}`);
  const version = file.metadata.get('formatVersion');
  if (version !== `${VERSION}`)
    throw invalid(`its format version is ${version}, and this velojs reads version ${VERSION}`);
  const header = parseHeader(file);
  const values: [string, ExportedState['values'][string]][] = Object.entries(header.values);
  const tensors: [string, ExportedState['tensors'][string]][] = [];
  for (const [name, { shape, data }] of file.tensors) {
    if (name.startsWith(TENSORS) && data instanceof Float32Array) {
      tensors.push([name.slice(TENSORS.length), { shape, data }]);
    } else if (name.startsWith(VALUES) && data instanceof Float64Array && shape.length <= 1) {
      values.push([name.slice(VALUES.length), shape.length === 0 ? data[0]! : Array.from(data)]);
    } else {
      throw invalid(`it has an unexpected tensor "${name}"`);
    }
  }
  return {
    ...header,
    format: 'velo-state',
    version: 1,
    values: Object.fromEntries(values),
    tensors: Object.fromEntries(tensors),
  };
}

const isText = (value: unknown) => typeof value === 'string';
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every key of the header and what it must be. */
const HEADER: Record<keyof Header, (value: unknown) => boolean> = {
  theta: (value) => isObject(value) && isCount(value.hiddenSize) && isCount(value.bankSize) && isText(value.checksum),
  totalSteps: isCount,
  stepsTaken: isCount,
  weightDecay: (value) => typeof value === 'number' && value >= 0,
  maxTrainingSteps: isCount,
  names: (value) => Array.isArray(value) && value.every(isText),
  values: (value) =>
    isObject(value) && Object.values(value).every((v) => v === null || isText(v) || typeof v === 'boolean'),
};

function parseHeader({ metadata }: Safetensors): Header {
  let header: unknown;
  try {
    header = JSON.parse(metadata.get('state') ?? '');
  } catch (cause) {
    throw invalid('its header is not JSON', cause);
  }
  if (!isObject(header)) throw invalid('its header is not an object');
  for (const [key, holds] of Object.entries(HEADER)) {
    if (!holds(header[key])) throw invalid(`its header has a wrong "${key}"`);
  }
  const extra = Object.keys(header).find((key) => !Object.hasOwn(HEADER, key));
  if (extra !== undefined) throw invalid(`its header has an unknown "${extra}"`);
  return header as Header;
}

function asStateErrors<R>(body: () => R): R {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof VeloError) throw new VeloError('STATE_INVALID', cause.message, { cause });
    throw cause;
  }
}

const invalid = (why: string, cause?: unknown) =>
  new VeloError(
    'STATE_INVALID',
    `This file is not an optimizer state that can be read: ${why}.`,
    cause === undefined ? {} : { cause },
  );
