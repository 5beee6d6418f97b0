/**
 * Where state lives so that one dispatch reaches all of it: moments, rows and columns of many tensors in one buffer, and
 * their parameters in another. They are moved there when they are first updated.
 */
import type { Slot } from '@velojs/core';
import type { Gpu } from '../gpu.ts';
import type { Memory } from '../memory.ts';
import type { WebgpuTensor } from '../tensor.ts';
import { aligned, type Plan, planOf } from './slots.ts';

type Member = Pick<Slot<WebgpuTensor>, 'geometry' | 'parameter' | 'accumulators'>;

interface Home {
  readonly state: Memory;
  /** Of the parameters that nobody else wrote the memory of; null where there are none. */
  readonly parameters: Memory | null;
  /** By their moments. */
  readonly members: ReadonlyMap<WebgpuTensor, Member>;
}

/** Splits tensors into groups whose state, and all that is worked out about them, fits into buffers of `limit` bytes. */
export function partition(plans: readonly Plan[], limit: number): number[][] {
  const groups: number[][] = [];
  let [state, sums, tables, words] = [0, 0, 0, 0];
  for (const [j, plan] of plans.entries()) {
    state += plan.stateLength;
    sums += aligned(plan.sums);
    tables += aligned(4 * plan.fours);
    words += aligned(plan.words);
    if (groups.length > 0 && 4 * Math.max(state, sums, tables, words) <= limit) groups.at(-1)!.push(j);
    else {
      groups.push([j]);
      [state, sums, tables, words] = [
        plan.stateLength,
        aligned(plan.sums),
        aligned(4 * plan.fours),
        aligned(plan.words),
      ];
    }
  }
  return groups;
}

const homes = new WeakMap<Memory, Home>();

/**
 * Brings slots home where they are not, and tells which share one: indices by home.
 *
 * A home has members beside these slots where some had no gradient: they move together, so that lists that change from
 * step to step move nothing.
 */
export function settle(gpu: Gpu, slots: readonly Slot<WebgpuTensor>[]): number[][] {
  const found = new Map<Home, number[]>();
  let isSettled = true;
  for (const [j, slot] of slots.entries()) {
    const home = homeOf(slot);
    if (!home) isSettled = false;
    else if (found.get(home)?.push(j) === undefined) found.set(home, [j]);
    if (home && !isAtHome(home, slot)) isSettled = false;
  }
  if (isSettled && found.size === 1) return [...found.values()];

  const members = new Map<WebgpuTensor, Member>();
  for (const home of found.keys()) {
    for (const [moments, member] of home.members) if (isAlive(member)) members.set(moments, member);
  }
  for (const slot of slots) members.set(slot.accumulators.moments, slot);
  const list = [...members.values()];
  const groups = partition(
    list.map(({ geometry }) => planOf(geometry)),
    gpu.recorder.pool.limit,
  );
  if (isSettled && groups.length >= found.size) return [...found.values()];
  const moved = groups.map((group) =>
    build(
      gpu,
      group.map((i) => list[i]!),
    ),
  );
  return moved
    .map((home) => slots.flatMap((slot, j) => (home.members.has(slot.accumulators.moments) ? [j] : [])))
    .filter((group) => group.length > 0);
}

function homeOf({ accumulators: { moments } }: Member): Home | undefined {
  const home = homes.get(moments.region.memory);
  // Memory is used again for other things.
  return home?.members.has(moments) ? home : undefined;
}

function isAtHome({ state, parameters }: Home, { parameter, accumulators: { rows, columns } }: Member): boolean {
  return (
    rows.region.memory === state &&
    (columns === null || columns.region.memory === state) &&
    (parameter.wrapped || parameter.region.memory === parameters)
  );
}

const isAlive = ({ parameter, accumulators: { moments, rows, columns } }: Member): boolean =>
  ![parameter, moments, rows, columns].some((tensor) => tensor?.isDisposed);

function build(gpu: Gpu, members: readonly Member[]): Home {
  const own = members.filter(({ parameter }) => !parameter.wrapped).map(({ parameter }) => parameter);
  const state = members.flatMap(({ accumulators: { moments, rows, columns } }) =>
    columns ? [moments, rows, columns] : [moments, rows],
  );
  const { recorder } = gpu;
  const room = (tensors: readonly WebgpuTensor[]) =>
    recorder.allocate(tensors.reduce((sum, { region }) => sum + aligned(region.length), 0));
  // Both before anything moves: either may be refused.
  const regions = [
    { tensors: state, region: room(state) },
    ...(own.length > 0 ? [{ tensors: own, region: room(own) }] : []),
  ];
  for (const { tensors, region } of regions) {
    const { memory } = region;
    let offset = 0;
    for (const tensor of tensors) {
      const { length } = tensor.region;
      gpu.move(tensor, recorder.pool.share({ memory, offset, length }));
      offset += aligned(length);
    }
    recorder.release(region);
  }
  const home = {
    state: regions[0]!.region.memory,
    parameters: regions[1]?.region.memory ?? null,
    members: new Map(members.map((member) => [member.accumulators.moments, member])),
  };
  homes.set(home.state, home);
  return home;
}
