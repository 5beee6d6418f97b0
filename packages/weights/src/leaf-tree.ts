/** Which leaves a weight file must have, and whether it has them, from names, shapes and types alone. */
import type { StoredArray } from './stored-array.ts';

/** The leaves of VeLO under the names of one format. */
export interface LeafTree {
  readonly type: string;
  readonly shapes: (hiddenSize: number, bankSize: number) => Readonly<Record<string, readonly number[]>>;
  /** Where H and K are read off; H is null where no shape depends on it. */
  readonly hiddenAxis: readonly [leaf: string, axis: number] | null;
  readonly bankAxis: readonly [leaf: string, axis: number];
  /** All of these may be absent together. */
  readonly optional: readonly string[];
  /** May be there, and are not looked at. */
  readonly ignored?: readonly string[];
}

/** H and K, as far as the leaves that tell them are there. */
export function sizesOf(
  arrays: ReadonlyMap<string, StoredArray>,
  { hiddenAxis, bankAxis }: Pick<LeafTree, 'hiddenAxis' | 'bankAxis'>,
): { hiddenSize: number | null; bankSize: number | null } {
  const size = ([leaf, axis]: readonly [string, number]) => arrays.get(leaf)?.shape[axis] ?? null;
  return { hiddenSize: hiddenAxis && size(hiddenAxis), bankSize: size(bankAxis) };
}

/** What keeps these arrays from being such a tree, as the end of a sentence about the file; null if nothing does. */
export function treeProblem(arrays: ReadonlyMap<string, StoredArray>, tree: LeafTree): string | null {
  const { hiddenSize, bankSize } = sizesOf(arrays, tree);
  for (const [axis, size] of [
    [tree.hiddenAxis, hiddenSize],
    [tree.bankAxis, bankSize],
  ] as const) {
    if (!axis || (size !== null && size > 0)) continue;
    const [leaf] = axis;
    return arrays.has(leaf) ? `has "${leaf}" of shape [${arrays.get(leaf)!.shape}]` : `lacks the leaf "${leaf}"`;
  }
  const shapes = tree.shapes(hiddenSize ?? 0, bankSize ?? 0);
  for (const leaf of arrays.keys()) {
    if (!Object.hasOwn(shapes, leaf) && !tree.ignored?.includes(leaf)) return `has an unknown leaf "${leaf}"`;
  }
  const withoutOptional = !tree.optional.some((leaf) => arrays.has(leaf));
  for (const [leaf, shape] of Object.entries(shapes)) {
    const array = arrays.get(leaf);
    if (!array) {
      if (withoutOptional && tree.optional.includes(leaf)) continue;
      return `lacks the leaf "${leaf}"`;
    }
    if (array.shape.length !== shape.length || array.shape.some((axis, i) => axis !== shape[i])) {
      const sizes = hiddenSize === null ? `K = ${bankSize} asks` : `H = ${hiddenSize}, K = ${bankSize} ask`;
      return `has "${leaf}" of shape [${array.shape}] where ${sizes} for [${shape}]`;
    }
    if (array.type !== tree.type) {
      return `has "${leaf}" of type ${array.type} where ${tree.type} is expected: convert it with the tool that wrote it`;
    }
  }
  return null;
}
