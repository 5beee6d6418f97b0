/** State as plain data: what `exportState` gives, a file holds, and `importState` takes. */
import type { Backend, HostLeaf, Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
import { sizeOf } from './geometry.ts';
import type { Theta } from './theta.ts';
import { leavesOf, mapTree } from './tree.ts';

/**
 * A snapshot of an optimizer, independent of its backend. `JSON` carries everything but `tensors`; numbers are
 * doubles, and `@velojs/weights` writes the whole as one file.
 *
 * Tensors and values are keyed by position (`parameters.0`, `accumulators.0.moments`, ...), not by the parameters'
 * names, which some libraries change on reload.
 */
export interface ExportedState {
  readonly format: 'velo-state';
  readonly version: 1;
  /** Which theta the state belongs to. */
  readonly theta: { readonly hiddenSize: number; readonly bankSize: number; readonly checksum: string };
  readonly totalSteps: number;
  readonly stepsTaken: number;
  readonly weightDecay: number;
  readonly maxTrainingSteps: number;
  /** Parameter names, in order. */
  readonly names: readonly string[];
  readonly values: Readonly<Record<string, number | boolean | string | null | readonly number[]>>;
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
}

/** @throws VeloError `STATE_INVALID` unless `state` is an exported state for `theta`, as far as its header says. */
export function checkHeader(state: ExportedState, theta: Theta): void {
  const { format, version, totalSteps, stepsTaken, maxTrainingSteps, values, tensors } = state ?? {};
  if (format !== 'velo-state' || version !== 1) throw invalid(`its format is "${format}", version ${version}`);
  if (!Number.isSafeInteger(stepsTaken) || stepsTaken < 0) throw invalid(`stepsTaken is ${stepsTaken}`);
  if (!Number.isSafeInteger(totalSteps) || totalSteps < 1) throw invalid(`totalSteps is ${totalSteps}`);
  if (!Number.isSafeInteger(maxTrainingSteps) || maxTrainingSteps < 1) {
    throw invalid(`maxTrainingSteps is ${maxTrainingSteps}`);
  }
  if (!isRecord(values) || !isRecord(tensors) || !Array.isArray(state.names)) {
    throw invalid('it has no values, no tensors or no names');
  }
  if (state.theta?.checksum !== thetaChecksum(theta)) throw invalid('it was made with another theta');
}

/** Follows from parameters, `totalSteps` and where losses are kept: not part of an exported state. */
const DERIVED = /(^|\.)(ranks|lossBuffer\.(on|decays))$/;
const PARAMETER = /(^|\.)parameters\.\d+$/;
/** Numbers of the loss, exported as such whether they are kept on the host or on a device. */
const LOSSES = /(^|\.)lossBuffer\.(means|minima)$|^loss$/;

/** Downloads the tensors of a state tree, and lists its host values. */
export async function flatten<T extends Tensor>(
  backend: Backend<T>,
  tree: Tree<T>,
): Promise<Pick<ExportedState, 'values' | 'tensors'>> {
  const leaves = [...leavesOf(backend, tree)].filter(([path]) => !DERIVED.test(path));
  const handles = leaves.filter((leaf): leaf is [string, T] => backend.isTensor(leaf[1]));
  const shapes = handles.map(([, { shape }]) => [...shape]);
  const data = await backend.read(handles.map(([, tensor]) => tensor));
  const read = new Map(handles.map(([path], i) => [path, { shape: shapes[i]!, data: data[i]! }]));
  const losses = new Map([...read].filter(([path]) => LOSSES.test(path)));
  const values = leaves.flatMap(([path, node]): [string, ExportedState['values'][string]][] => {
    if (losses.has(path)) return [[path, path === 'loss' ? losses.get(path)!.data[0]! : [...losses.get(path)!.data]]];
    if (read.has(path)) return [];
    return [[path, node instanceof Float64Array ? [...node] : ((node as HostLeaf) ?? null)] as [string, number]];
  });
  return {
    values: Object.fromEntries(values),
    tensors: Object.fromEntries([...read].filter(([path]) => !losses.has(path))),
  };
}

/**
 * A tree like `template` with the values of an exported state.
 *
 * @param counts what the whole numbers of the state must be, by the last part of their path.
 * @param parametersStay whether parameters are those of `template`.
 * @throws VeloError `STATE_INVALID` where a leaf is missing, unknown, of another kind, shape or length, or not finite.
 */
export function unflatten<T extends Tensor, S extends Tree<T>>(
  backend: Backend<T>,
  template: S,
  { values, tensors }: Pick<ExportedState, 'values' | 'tensors'>,
  counts: Readonly<Record<string, number>>,
  parametersStay: boolean,
): S {
  const expected = leavesOf(backend, template);
  for (const path of [...Object.keys(values), ...Object.keys(tensors)]) {
    if (!expected.has(path)) throw invalid(`it has "${path}", which this optimizer does not`);
  }
  return backend.scope(() =>
    mapTree(backend, template, (node, path) => {
      if (DERIVED.test(path) || (parametersStay && PARAMETER.test(path))) return node;
      const value = Object.hasOwn(values, path) ? values[path] : undefined;
      if (LOSSES.test(path)) return lossValue(backend, node, value, path);
      if (!backend.isTensor(node)) return hostValue(node, value, path, counts);
      const tensor = Object.hasOwn(tensors, path) ? tensors[path] : undefined;
      if (!tensor) throw invalid(`it lacks the tensor "${path}"`);
      if (`${tensor.shape}` !== `${node.shape}` || tensor.data?.length !== sizeOf(node.shape)) {
        throw invalid(`"${path}" has shape [${tensor.shape}], here it is [${node.shape}]`);
      }
      const data = Float32Array.from(tensor.data);
      if (!data.every(Number.isFinite)) throw invalid(`"${path}" has values that are not finite`);
      return backend.tensor(data, node.shape);
    }),
  ) as S;
}

function lossValue<T extends Tensor>(backend: Backend<T>, node: T | HostLeaf, value: unknown, path: string): Tree<T> {
  const given = Array.isArray(value) ? value : [value];
  const length = backend.isTensor(node) ? sizeOf(node.shape) : node instanceof Float64Array ? node.length : 1;
  if (given.length !== length || !given.every(Number.isFinite)) {
    throw invalid(`"${path}" must be ${length} finite numbers`);
  }
  if (backend.isTensor(node)) return backend.tensor(given, node.shape);
  return node instanceof Float64Array ? Float64Array.from(given) : given[0];
}

function hostValue(
  node: HostLeaf,
  value: ExportedState['values'][string] | undefined,
  path: string,
  counts: Readonly<Record<string, number>>,
): HostLeaf {
  if (value === undefined) throw invalid(`it lacks the value "${path}"`);
  const expected = Object.entries(counts).find(([name]) => path === name || path.endsWith(`.${name}`))?.[1];
  if (typeof value !== typeof node || (expected !== undefined && value !== expected)) {
    throw invalid(`"${path}" is ${JSON.stringify(value)}${expected === undefined ? '' : `, it should be ${expected}`}`);
  }
  return value as HostLeaf;
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null;

export const invalid = (why: string): VeloError =>
  new VeloError(
    'STATE_INVALID',
    `This state cannot be restored: ${why}. Restore it into an optimizer with the same parameters, theta and options.`,
  );

/** FNV-1a over the bits of every leaf: tells thetas apart; not for security. */
export function thetaChecksum({ leaves }: Theta): string {
  let hash = 0x811c9dc5;
  for (const name of Object.keys(leaves).sort() as (keyof typeof leaves)[]) {
    const { buffer, byteOffset, length } = leaves[name];
    for (const word of new Uint32Array(buffer, byteOffset, length)) hash = Math.imul(hash ^ word, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
