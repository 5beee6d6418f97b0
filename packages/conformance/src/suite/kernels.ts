/** The backend's kernels beside core's definitions, on the backend itself and on the reference. */
import {
  type Backend,
  composedKernels,
  createVelo,
  type Kernels,
  type Shape,
  type SlotUpdate,
  STATISTICS_LENGTH,
  type Tensor,
  withKernels,
} from '@velojs/core';
import { reference } from '@velojs/core/reference';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TOLERANCES } from '../deviation.ts';
import { randomTheta, randomValues } from '../random.ts';
import {
  type ControllerCase,
  controllerCase,
  type LossCase,
  type Outputs,
  outputsDeviation,
  runController,
  runLoss,
  runUpdate,
  type UpdateCase,
  updateCase,
} from './kernel-cases.ts';
import { expectNoLeak, inputsOf, SHAPES, type Suite } from './suite.ts';

const SEED = 2211;
const RUNS = 25;
/** Sizes that are and are not multiples of what vector units and workgroups like. */
const SIZES: readonly (readonly [hidden: number, bank: number])[] = [
  [1, 1],
  [8, 3],
  [33, 16],
];
/** Far enough apart for their averages to differ in float32 too. */
const LOSSES: readonly number[] = [
  ...[5, 4, 3, 2, 1, 8, 9, 12, 3],
  ...randomValues(SEED, [20], 2),
  ...[50, 1e6, -4, 0, 1e-3],
  ...randomValues(3, [15], 9),
];
const MORE_SHAPES: Readonly<Record<string, readonly Shape[]>> = {
  ...SHAPES,
  'larger tensors': [[70, 41], [300], [9, 130]],
  'many tensors': Array.from({ length: 24 }, (_, j) => [1 + (j % 5)]),
};

/** Of both, what stays where the suite is reduced: each takes another way through the mathematics. */
const QUICK_SIZE = SIZES[1];
const QUICK_SHAPES: readonly string[] = ['tall', 'scalar', 'vector', 'rank 6'];

export function describeKernels<T extends Tensor>(suite: Suite<T>): void {
  const { backend } = suite;
  const tolerance = TOLERANCES[backend.arithmetic];
  const oracle = reference();
  const oracleKernels = composedKernels(oracle);
  const definitions = composedKernels(backend);
  const fused: Kernels<T> | null = suite.has('kernels') ? { ...definitions, ...backend.kernels } : null;
  const noLeak = (body: () => unknown) => expectNoLeak(suite, body);

  function expectSame(actual: Outputs, expected: Outputs): void {
    const { deviation, of } = outputsDeviation(actual, expected);
    expect(deviation, of).toBeLessThanOrEqual(tolerance);
  }

  /** Definitions against the reference, overrides against both. */
  async function compare(
    run: <S extends Tensor>(on: Backend<S>, kernels: Kernels<S>) => Promise<Outputs>,
  ): Promise<void> {
    const expected = await run(oracle, oracleKernels);
    const composed = await run(backend, definitions);
    expectSame(composed, expected);
    if (!fused) return;
    const overridden = await run(backend, fused);
    expectSame(overridden, expected);
    expectSame(overridden, composed);
  }
  const compareController = (inputs: ControllerCase) => compare((on, kernels) => runController(on, kernels, inputs));
  const compareLoss = (inputs: LossCase) => compare((on, kernels) => runLoss(on, kernels, inputs));
  const compareUpdate = (inputs: UpdateCase) => compare((on, kernels) => runUpdate(on, kernels, inputs));

  describe(`kernels against the reference${fused ? ', fused and composed' : ''}`, () => {
    for (const size of SIZES) {
      const [hidden, bank] = size;
      (size === QUICK_SIZE ? it : suite.slow)(`controller, H = ${hidden}, K = ${bank}, for 1, 2 and 9 tensors`, () =>
        noLeak(async () => {
          for (const n of [1, 2, 9]) {
            const shapes = Array.from({ length: n }, (_, j): Shape => new Array(j % 7).fill(2));
            await compareController(controllerCase(hidden + n, shapes, hidden, bank));
          }
        }),
      );
    }

    it('controller at the ends of its features', () =>
      noLeak(async () => {
        const inputs = controllerCase(3, [[2], [2, 2], []], 8, 3);
        for (const value of [0, 1e-12, 1e12]) {
          await compareController({ ...inputs, statistics: inputs.statistics.map(() => value) });
        }
      }));

    it(`loss, the first to the ${LOSSES.length}th`, () =>
      noLeak(async () => {
        for (let count = 1; count <= LOSSES.length; count++) {
          await compareLoss({ totalSteps: 300, losses: LOSSES.slice(0, count) });
        }
      }));

    for (const [name, shapes] of Object.entries(MORE_SHAPES)) {
      const test = QUICK_SHAPES.includes(name) ? it : suite.slow;
      test(`update of ${name}: ${shapes
        .slice(0, 7)
        .map((shape) => `[${shape}]`)
        .join(' ')}`, () =>
        noLeak(async () => {
          for (const seed of [1, 2, 3, 4]) await compareUpdate(updateCase(seed, shapes));
        }));
      test(`first update of ${name}`, () => noLeak(() => compareUpdate(updateCase(5, shapes, 'start'))));
      test(`update of ${name} without a gradient so far`, () =>
        noLeak(() => compareUpdate(updateCase(6, shapes, 'still'))));
    }

    suite.slow(`update of random shapes (seed ${SEED})`, () =>
      noLeak(async () => {
        const axis = fc.integer({ min: 1, max: 9 });
        const shape = fc
          .array(axis, { minLength: 0, maxLength: 5 })
          .filter((axes) => axes.reduce((a, b) => a * b, 1) <= 400);
        const shapes = fc.array(shape, { minLength: 1, maxLength: 4 });
        const stage = fc.constantFrom('middle' as const, 'start' as const);
        await fc.assert(
          fc.asyncProperty(shapes, fc.nat(1000), stage, (list, seed, at) => compareUpdate(updateCase(seed, list, at))),
          { seed: SEED, numRuns: RUNS },
        );
      }),
    );
  });

  describe.each(fused ? (['composed', 'fused'] as const) : (['composed'] as const))('this comparison, %s', (mode) => {
    const kernels = mode === 'fused' ? fused! : definitions;
    /** One entry 5 % off: the largest, unless told. */
    const spoil = (name: string, values: Float32Array, tensor: T, entry?: number): T => {
      const largest = values.reduce((at, value, i) => (Math.abs(value) > Math.abs(values[at]!) ? i : at), 0);
      const index = entry ?? largest;
      expect(values[index], name).not.toBe(0);
      const factors = new Float32Array(values.length).fill(1).with(index, 1.05);
      return backend.binary('mul', tensor, backend.tensor(factors, tensor.shape));
    };
    const shapes: Shape[] = [[5, 4], [6], []];

    for (const output of ['mlp', 'hidden', 'cell'] as const) {
      it(`rejects a controller whose "${output}" is wrong`, async () => {
        const inputs = controllerCase(1, shapes, 8, 3);
        const expected = await runController(oracle, oracleKernels, inputs);
        const wrong: Kernels<T> = {
          ...kernels,
          controller(...args) {
            const outputs = kernels.controller(...args);
            return { ...outputs, [output]: spoil(output, expected[output]!, outputs[output]) };
          },
        };
        expectSame(await runController(backend, kernels, inputs), expected);
        const spoiled = await runController(backend, wrong, inputs);
        expect(() => expectSame(spoiled, expected)).toThrow(output);
      });
    }

    for (const output of ['means', 'minima', 'features'] as const) {
      it(`rejects a loss kernel whose "${output}" is wrong`, async () => {
        const inputs: LossCase = { totalSteps: 300, losses: LOSSES };
        const expected = await runLoss(oracle, oracleKernels, inputs);
        const wrong: Kernels<T> = {
          ...kernels,
          loss(...args) {
            const outputs = kernels.loss(...args);
            return { ...outputs, [output]: spoil(output, expected[output]!, outputs[output]) };
          },
        };
        expectSame(await runLoss(backend, kernels, inputs), expected);
        const spoiled = await runLoss(backend, wrong, inputs);
        expect(() => expectSame(spoiled, expected)).toThrow(output);
      });
    }

    const outputs = ['parameter', 'moments', 'rows', 'columns'] as const;
    const statistics = Array.from({ length: STATISTICS_LENGTH }, (_, column) => column);
    for (const output of [...outputs, ...statistics]) {
      const name = typeof output === 'number' ? `statistics (${output})` : output;
      const test = typeof output === 'number' ? suite.slow : it;
      test(`rejects an update whose "${name}" is wrong`, async () => {
        // Of middling size, so that no statistic is where the controller's features end.
        const inputs = updateCase(2, shapes);
        const expected = await runUpdate(oracle, oracleKernels, inputs);
        const wrong: Kernels<T> = {
          ...kernels,
          update(...args) {
            const written = kernels.update(...args);
            if (typeof output === 'number') {
              return { ...written, statistics: spoil(name, expected.statistics!, written.statistics, output) };
            }
            const [{ parameter, accumulators }, ...others] = written.slots as [SlotUpdate<T>, ...SlotUpdate<T>[]];
            const spoiled = spoil(name, expected[`${output} 0`]!, { parameter, ...accumulators }[output]!);
            const slot =
              output === 'parameter'
                ? { parameter: spoiled, accumulators }
                : { parameter, accumulators: { ...accumulators, [output]: spoiled } };
            return { ...written, slots: [slot, ...others] };
          },
        };
        expectSame(await runUpdate(backend, kernels, inputs), expected);
        const spoiled = await runUpdate(backend, wrong, inputs);
        expect(() => expectSame(spoiled, expected)).toThrow(typeof output === 'number' ? 'statistics' : output);
      });
    }
  });

  if (fused) {
    describe('overrides', () => {
      it.each(['number', 'tensor'])('run at every step of an optimizer, with a %s as loss', async (kind) => {
        const calls: Record<string, number> = {};
        const counted = Object.fromEntries(
          Object.entries(backend.kernels!).map(([name, kernel]) => [
            name,
            (...args: never[]) => {
              calls[name] = (calls[name] ?? 0) + 1;
              return (kernel as (...args: never[]) => unknown)(...args);
            },
          ]),
        ) as Partial<Kernels<T>>;
        const shapes: Shape[] = [[3, 4], [5]];
        const velo = createVelo({
          backend: withKernels(backend, counted),
          theta: randomTheta(1),
          parameters: inputsOf<T>(
            shapes,
            shapes.map((shape, j) => randomValues(j, shape)),
          ),
          totalSteps: 10,
        });
        for (let step = 0; step < 3; step++) {
          const loss = 1 - step / 10;
          const tensor = kind === 'tensor' ? backend.tensor([loss], []) : null;
          velo.step(
            shapes.map((shape, j) => randomValues(step * 10 + j, shape)),
            tensor ?? loss,
          );
          if (tensor) backend.dispose(tensor);
        }
        await velo.synchronize();
        velo.dispose();
        // A loss that is a number is the host's work.
        const expected = Object.keys(backend.kernels!).filter((name) => kind === 'tensor' || name !== 'loss');
        expect(calls).toEqual(Object.fromEntries(expected.map((name) => [name, 3])));
      });
    });
  }
}
