/** State is a tree of tensors and host values; these walk it. */
import type { Backend, HostLeaf, Tensor, Tree } from './backend.ts';

const isLeaf = (node: unknown): node is HostLeaf =>
  typeof node !== 'object' || node === null || node instanceof Float64Array;

/** The same tree with every leaf replaced; `path` joins the keys by dots. */
export function mapTree<T extends Tensor>(
  backend: Backend<T>,
  tree: Tree<T>,
  leaf: (node: T | HostLeaf, path: string) => Tree<T>,
  path = '',
): Tree<T> {
  if (isLeaf(tree) || backend.isTensor(tree)) return leaf(tree, path);
  const child = (node: Tree<T>, key: string | number) =>
    mapTree(backend, node, leaf, path ? `${path}.${key}` : `${key}`);
  if (Array.isArray(tree)) return (tree as readonly Tree<T>[]).map(child);
  return Object.fromEntries(
    Object.entries(tree as Record<string, Tree<T>>).map(([key, node]) => [key, child(node, key)]),
  );
}

/** The leaves of a tree by their paths. */
export function leavesOf<T extends Tensor>(backend: Backend<T>, tree: Tree<T>): Map<string, T | HostLeaf> {
  const leaves = new Map<string, T | HostLeaf>();
  mapTree(backend, tree, (node, path) => {
    leaves.set(path, node);
    return node;
  });
  return leaves;
}

export function tensorsOf<T extends Tensor>(backend: Backend<T>, tree: Tree<T>): T[] {
  const tensors: T[] = [];
  forEachTensor(
    (node): node is T => backend.isTensor(node),
    tree,
    (tensor) => tensors.push(tensor),
  );
  return tensors;
}

/** In the order of the tree. Runs in every step. */
export function forEachTensor<T extends Tensor>(
  isTensor: (value: unknown) => value is T,
  tree: Tree<T>,
  visit: (tensor: T) => void,
): void {
  if (isLeaf(tree)) return;
  if (isTensor(tree)) visit(tree);
  else if (Array.isArray(tree)) for (const node of tree) forEachTensor(isTensor, node, visit);
  else for (const key in tree) forEachTensor(isTensor, (tree as Record<string, Tree<T>>)[key], visit);
}

/** Lets every tensor of the tree survive the scopes around it. */
export function keepTree<T extends Tensor, S extends Tree<T>>(backend: Backend<T>, tree: S): S {
  for (const tensor of tensorsOf(backend, tree)) backend.keep(tensor);
  return tree;
}

/** `state` takes the values of `next`, tensor by tensor (`Backend.replace`); what it no longer contains is disposed of. */
export function replaceTree<T extends Tensor, S extends Tree<T>>(backend: Backend<T>, state: S, next: S): S {
  return replaceNode(backend, state, next) as S;
}

// Runs in every step: walks both trees at once, without paths, and leaves out what did not change.
function replaceNode<T extends Tensor>(backend: Backend<T>, old: Tree<T>, next: Tree<T>): Tree<T> {
  if (old === next) return next;
  if (backend.isTensor(next)) return backend.isTensor(old) ? backend.replace(old, next) : backend.keep(next);
  if (isLeaf(next) || isLeaf(old) || backend.isTensor(old)) {
    for (const tensor of tensorsOf(backend, old)) backend.dispose(tensor);
    return keepTree(backend, next);
  }
  if (Array.isArray(next)) return next.map((node, i) => replaceNode(backend, (old as readonly Tree<T>[])[i], node));
  let result = next as Record<string, Tree<T>>;
  for (const key in next) {
    const node = (next as Record<string, Tree<T>>)[key];
    const replaced = replaceNode(backend, (old as Record<string, Tree<T>>)[key], node);
    if (replaced !== node) result = { ...result, [key]: replaced };
  }
  for (const key in old) {
    if (key in next) continue;
    for (const tensor of tensorsOf(backend, (old as Record<string, Tree<T>>)[key])) backend.dispose(tensor);
  }
  return result;
}

/** The tensors of `current` with the host values of `past`. */
export function withHostValues<T extends Tensor, S extends Tree<T>>(backend: Backend<T>, current: S, past: S): S {
  const host = leavesOf(backend, past);
  return mapTree(backend, current, (node, path) => (backend.isTensor(node) ? node : host.get(path))) as S;
}
