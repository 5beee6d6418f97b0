/** State as plain data: what `exportState` gives, a file holds, and `importState` takes. */
import type { Backend, HostLeaf, Tensor, Tree } from './backend.ts';
import { VeloError } from './errors.ts';
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
  /** Fixed by the first step; null before it. */
  readonly lossKind: 'host' | 'device' | null;
  /** Parameter names, in order; for people. */
  readonly names: readonly string[];
  readonly values: Readonly<Record<string, number | boolean | string | null | readonly number[]>>;
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
}

/** @throws VeloError `STATE_INVALID` unless `state` is an exported state for `theta`, as far as its header says. */
export function checkHeader(state: ExportedState, theta: Theta): void {
  const { format, version, totalSteps, stepsTaken, lossKind } = state ?? {};
  if (format !== 'velo-state' || version !== 1) throw invalid(`its format is "${format}", version ${version}`);
  if (!Number.isSafeInteger(stepsTaken) || stepsTaken < 0) throw invalid(`stepsTaken is ${stepsTaken}`);
  if (!Number.isSafeInteger(totalSteps) || totalSteps < 1) throw invalid(`totalSteps is ${totalSteps}`);
  if (![null, 'host', 'device'].includes(lossKind)) throw invalid(`lossKind is ${lossKind}`);
  if (state.theta?.checksum !== thetaChecksum(theta)) throw invalid('it was made with another theta');
}

/** Downloads the tensors of a state tree, and lists its host values. */
export async function flatten<T extends Tensor>(
  backend: Backend<T>,
  tree: Tree<T>,
): Promise<Pick<ExportedState, 'values' | 'tensors'>> {
  const leaves = [...leavesOf(backend, tree)];
  const handles = leaves.filter((leaf): leaf is [string, T] => backend.isTensor(leaf[1]));
  const shapes = handles.map(([, { shape }]) => [...shape]);
  const data = await backend.read(handles.map(([, tensor]) => tensor));
  const values = leaves.filter((leaf): leaf is [string, HostLeaf] => !backend.isTensor(leaf[1]));
  return {
    values: Object.fromEntries(
      values.map(([path, value]) => [path, value instanceof Float64Array ? [...value] : (value ?? null)]),
    ),
    tensors: Object.fromEntries(handles.map(([path], i) => [path, { shape: shapes[i]!, data: data[i]! }])),
  };
}

/**
 * A tree like `template` with the values of an exported state.
 *
 * @throws VeloError `STATE_INVALID` where a leaf is missing, unknown, of another kind, shape or length, or not finite.
 */
export function unflatten<T extends Tensor, S extends Tree<T>>(
  backend: Backend<T>,
  template: S,
  { values, tensors }: Pick<ExportedState, 'values' | 'tensors'>,
): S {
  const expected = leavesOf(backend, template);
  for (const path of [...Object.keys(values), ...Object.keys(tensors)]) {
    if (!expected.has(path)) throw invalid(`it has "${path}", which this optimizer does not`);
  }
  return backend.scope(() =>
    mapTree(backend, template, (node, path) => {
      if (!backend.isTensor(node)) return hostValue(node, Object.hasOwn(values, path) ? values[path] : undefined, path);
      const tensor = Object.hasOwn(tensors, path) ? tensors[path] : undefined;
      if (!tensor) throw invalid(`it lacks the tensor "${path}"`);
      if (`${tensor.shape}` !== `${node.shape}` || tensor.data.length !== node.shape.reduce((a, b) => a * b, 1)) {
        throw invalid(`"${path}" has shape [${tensor.shape}], here it is [${node.shape}]`);
      }
      if (!tensor.data.every(Number.isFinite)) throw invalid(`"${path}" has values that are not finite`);
      return backend.tensor(tensor.data, tensor.shape);
    }),
  ) as S;
}

function hostValue(node: HostLeaf, value: ExportedState['values'][string] | undefined, path: string): HostLeaf {
  if (value === undefined) throw invalid(`it lacks the value "${path}"`);
  if (node instanceof Float64Array) {
    if (!Array.isArray(value) || value.length !== node.length || !value.every(Number.isFinite)) {
      throw invalid(`"${path}" must be ${node.length} finite numbers`);
    }
    return Float64Array.from(value);
  }
  if (typeof value !== typeof node || (typeof value === 'number' && !Number.isFinite(value))) {
    throw invalid(`"${path}" is ${JSON.stringify(value)}`);
  }
  return value as HostLeaf;
}

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
