/**
 * The kernel `update` (SPEC sections 9 and 11) for all tensors together. The sums of squared gradients are there or are
 * made first (`gradients.ts`); then
 *
 *   factors     rows and columns advance
 *   moments     momentum and second moment advance, and sums for the network's normalisers
 *   fold        one network per tensor with all of that in its weights
 *   step        applies it to every entry
 *   statistics  a row per tensor, for the next step's controller
 */
import { MLP_ROW, type Slot, STATISTICS, STATISTICS_LENGTH } from '@velojs/core';
import type { Gpu } from '../gpu.ts';
import type { Memory } from '../memory.ts';
import type { Program } from '../program.ts';
import type { WebgpuTensor } from '../tensor.ts';
import { factorsProgram } from './factors.ts';
import { foldProgram } from './fold.ts';
import { gradientsProgram, layOut, place, sumsOf } from './gradients.ts';
import { settle } from './homes.ts';
import { momentsProgram } from './moments.ts';
import { type Pass, planOf, uploadTable } from './slots.ts';
import { statisticsProgram } from './statistics.ts';
import { squaresProgram, stepProgram } from './step.ts';

export const updatePrograms: readonly Program[] = [
  gradientsProgram,
  factorsProgram,
  momentsProgram,
  foldProgram,
  stepProgram,
  squaresProgram,
  statisticsProgram,
];

/**
 * @param statistics `[n, 9]` of the parameters as they are, in the order of `slots`, where somebody knows them: else
 *   their mean squares are worked out first.
 */
export function update(
  gpu: Gpu,
  slots: readonly Slot<WebgpuTensor>[],
  mlp: WebgpuTensor,
  statistics: WebgpuTensor | undefined,
): { slots: readonly Slot<WebgpuTensor>[]; statistics: WebgpuTensor } {
  return gpu.scope(() => {
    const written = gpu.create([slots.length, STATISTICS_LENGTH]);
    for (const group of settle(gpu, slots)) updateGroup(gpu, slots, group, mlp, statistics, written);
    return { slots, statistics: written };
  });
}

/** Slots that share a home. */
function updateGroup(
  gpu: Gpu,
  slots: readonly Slot<WebgpuTensor>[],
  group: readonly number[],
  mlp: WebgpuTensor,
  statistics: WebgpuTensor | undefined,
  written: WebgpuTensor,
): void {
  const { recorder, faults } = gpu;
  const some = group.map((j) => slots[j]!);
  const gradients = some.map(({ gradient }) => gradient);
  const plans = some.map(({ geometry }) => planOf(geometry));
  const sums = sumsOf(gpu, gradients);
  const parameters = gather(gpu, some);
  const state = some[0]!.accumulators.moments.region.memory;
  const isWritten = sums.placed.memory.gpu === parameters.memory.gpu;
  const placed = isWritten ? place(recorder, gradients, parameters.memory) : sums.placed;
  const tables = layOut(
    recorder,
    plans.map(({ fours }) => 4 * fours),
  );
  const partials = layOut(
    recorder,
    plans.map(({ words }) => words),
  );
  const network = mlp.region;

  const table = uploadTable(
    recorder,
    plans,
    some.map(({ accumulators: { moments, rows, columns } }, i) => {
      const { uSums, layout } = plans[i]!;
      const fold = tables.offsets[i]! / 4;
      const words = partials.offsets[i]!;
      return {
        gradient: placed.offsets[i]!,
        parameter: parameters.offsets[i]!,
        moments: moments.region.offset,
        rowsAt: rows.region.offset,
        columnsAt: columns?.region.offset ?? 0,
        network: network.offset + MLP_ROW * group[i]!,
        statistics: STATISTICS_LENGTH * group[i]!,
        uSums: sums.offsets[i]!,
        vSums: sums.offsets[i]! + uSums,
        fold,
        uTable: fold + layout.uTable,
        vTable: fold + layout.vTable,
        factorPartials: words,
        momentPartials: words + layout.momentPartials,
        stepPartials: words + layout.stepPartials,
      };
    }),
  );
  const run = (
    program: Program,
    pass: Pass,
    memories: readonly Memory[],
    a = 0,
    workgroups = table.workgroups[pass],
  ) => {
    if (workgroups > 0) recorder.dispatch(program, [table.memory, ...memories], [...table.params(pass), a], workgroups);
  };
  const addUp = (to: { memory: Memory; offset: number }) =>
    run(statisticsProgram, 'tiles', [partials.memory, tables.memory, to.memory], to.offset, some.length);

  let known = statistics?.region;
  if (!known) {
    // Only their first column is of use.
    known = recorder.scratch(STATISTICS_LENGTH * slots.length);
    run(squaresProgram, 'tiles', [parameters.memory, partials.memory]);
    addUp(known);
  }
  const flag = faults.flag.memory;
  run(factorsProgram, 'factors', [sums.memory, state, tables.memory, partials.memory, flag]);
  run(momentsProgram, 'tiles', [placed.memory, state, tables.memory, partials.memory, flag]);
  run(
    foldProgram,
    'fold',
    [network.memory, partials.memory, known.memory, tables.memory],
    known.offset + STATISTICS.parameterSquare.begin,
  );
  run(stepProgram, 'tiles', [placed.memory, state, tables.memory, parameters.memory, partials.memory, flag]);
  addUp(written.region);
  parameters.scatter();
}

/** Parameters in one memory: where they are, or copies that are copied back. */
function gather(
  { recorder }: Gpu,
  slots: readonly Slot<WebgpuTensor>[],
): { memory: Memory; offsets: readonly number[]; scatter(): void } {
  const regions = slots.map(({ parameter }) => parameter.region);
  const { memory } = regions[0]!;
  if (regions.every((region) => region.memory === memory)) {
    return { memory, offsets: regions.map(({ offset }) => offset), scatter: () => {} };
  }
  const copies = layOut(
    recorder,
    regions.map(({ length }) => length),
  );
  const places = regions.map(({ length }, j) => ({ memory: copies.memory, offset: copies.offsets[j]!, length }));
  for (const [j, region] of regions.entries()) recorder.copy(region, places[j]!);
  return {
    ...copies,
    scatter: () => {
      for (const [j, region] of regions.entries()) recorder.copy(places[j]!, region);
    },
  };
}
