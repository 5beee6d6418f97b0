/** The optimizer as its users hold it: resumed, fed bad input, run for long, on every path of the backend. */
import {
  type Backend,
  createVelo,
  type GradientInput,
  type HostTensor,
  type Shape,
  type Tensor,
  type Velo,
  VeloError,
  withKernels,
} from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { deviation, TOLERANCES } from '../deviation.ts';
import { createOracle } from '../oracle.ts';
import { randomTheta, randomValues } from '../random.ts';
import { codeOf, expectNoLeak, inputsOf, pathsOf, type Suite } from './suite.ts';

type ListVelo<T extends Tensor> = Velo<T, readonly HostTensor[]>;
type LossKind = 'host' | 'device';

const SHAPES: readonly Shape[] = [[4, 3], [5], [], [2, 3, 2]];
const THETA = randomTheta(7);
const STEPS = 8;

/** Everything that changes what `step` has to do. */
const VARIANTS: Readonly<Record<string, { readonly weightDecay?: number; readonly maxTrainingSteps?: number }>> = {
  plain: {},
  'weight decay': { weightDecay: 0.1 },
  accumulation: { maxTrainingSteps: 7 },
  'weight decay and accumulation': { weightDecay: 0.1, maxTrainingSteps: 7 },
};

/** What stays where the suite is reduced: it does everything, and computes in every third step only. */
const QUICK_VARIANT = 'weight decay and accumulation';

const gradientsOf = (step: number): Float32Array[] =>
  SHAPES.map((shape, j) => randomValues(100 * step + j, shape).map((g) => g + 0.5));
const lossOf = (step: number) => 3 / (1 + step / 4);

export function describeOptimizer<T extends Tensor>(suite: Suite<T>): void {
  const tolerance = TOLERANCES[suite.backend.arithmetic];
  const noLeak = (body: () => unknown) => expectNoLeak(suite, body);

  for (const { mode, backend } of suite.paths) {
    describe(`optimizer, ${mode}`, () => {
      const create = (
        options: { weightDecay?: number; maxTrainingSteps?: number } = {},
        on: Backend<T> = backend,
      ): ListVelo<T> =>
        createVelo<T, readonly HostTensor[]>({
          backend: on,
          theta: THETA,
          parameters: inputsOf<T>(
            SHAPES,
            SHAPES.map((shape, j) => randomValues(j + 1, shape)),
          ) as HostTensor[],
          totalSteps: 20,
          onWarning: () => {},
          ...options,
        });
      const upload = (values: ArrayLike<number>, shape: Shape) => backend.tensor(values, shape);

      /** One ordinary step; what it uploads is given back. */
      function step(velo: ListVelo<T>, index: number, kind: LossKind = 'host', skip: readonly number[] = []): void {
        const gradients = gradientsOf(index).map((g, j) => (skip.includes(j) ? null : g));
        if (kind === 'host') velo.step(gradients, lossOf(index));
        else {
          const loss = upload([lossOf(index)], []);
          velo.step(gradients, loss);
          backend.dispose(loss);
        }
      }
      async function parametersAfter(velo: ListVelo<T>, run: () => void): Promise<Float32Array[]> {
        run();
        const values = await backend.read(velo.parameters);
        velo.dispose();
        return values;
      }

      describe('steps', () => {
        it('return nothing and move every parameter', () =>
          noLeak(async () => {
            const velo = create();
            const before = await backend.read(velo.parameters);
            expect(velo.step(gradientsOf(0), 1)).toBe(undefined);
            expect(velo.stepsTaken).toBe(1);
            const after = await backend.read(velo.parameters);
            for (const [j, values] of after.entries()) expect(values).not.toEqual(before[j]);
            velo.dispose();
          }));

        it('take a record as they take a list', () =>
          noLeak(async () => {
            const named = <Value>(list: readonly Value[]) => ({ w: list[0]!, b: list[1]!, s: list[2]!, k: list[3]! });
            const velo = createVelo({
              backend,
              theta: THETA,
              parameters: named(
                inputsOf<T>(
                  SHAPES,
                  SHAPES.map((shape, j) => randomValues(j + 1, shape)),
                ),
              ),
              totalSteps: 20,
            });
            // The order in which gradients come does not matter.
            const { k, s, b, w } = named(gradientsOf(0));
            velo.step({ k, s, b, w }, lossOf(0));
            const found = await backend.read(Object.values(velo.parameters));
            velo.dispose();
            const list = create();
            expect(found).toEqual(await parametersAfter(list, () => step(list, 0)));
          }));

        for (const [name, options] of Object.entries(VARIANTS)) {
          for (const kind of ['host', 'device'] as const) {
            const test = name === QUICK_VARIANT ? it : suite.slow;
            test(`never read: ${name}, loss on the ${kind}`, () =>
              noLeak(async () => {
                const calls: string[] = [];
                const trapped: Backend<T> = {
                  ...withKernels(backend, backend.kernels ?? {}),
                  read: (tensors) => {
                    calls.push('read');
                    return backend.read(tensors);
                  },
                  synchronize: () => {
                    calls.push('synchronize');
                    return backend.synchronize();
                  },
                };
                const velo = create(options, trapped);
                for (let i = 0; i < 6; i++) step(velo, i, kind);
                expect(calls).toEqual([]);
                await velo.synchronize();
                expect(calls).toEqual(['synchronize']);
                velo.dispose();
              }));
          }
        }

        it('take gradients as tensors, and leave them and the loss as they are', () =>
          noLeak(async () => {
            const [velo, other] = [create(), create()];
            for (let i = 0; i < 3; i++) {
              const gradients = gradientsOf(i).map((g, j) => upload(g, SHAPES[j]!));
              const loss = upload([lossOf(i)], []);
              velo.step(gradients, loss);
              step(other, i, 'device');
              expect(await backend.read([...gradients, loss])).toEqual([...gradientsOf(i), Float32Array.of(lossOf(i))]);
              for (const tensor of [...gradients, loss]) backend.dispose(tensor);
            }
            expect(await backend.read(velo.parameters)).toEqual(await backend.read(other.parameters));
            velo.dispose();
            other.dispose();
          }));

        it('leave arrays as they are, initial parameters too', () =>
          noLeak(async () => {
            const initial = SHAPES.map((shape, j) => randomValues(j + 1, shape));
            const given = inputsOf<T>(
              SHAPES,
              initial.map((values) => values.slice()),
            );
            const velo = createVelo({ backend, theta: THETA, parameters: given, totalSteps: 20 });
            const gradients = gradientsOf(0);
            velo.step(gradients, 1);
            await velo.synchronize();
            expect(gradients).toEqual(gradientsOf(0));
            expect(given.map((tensor) => (tensor as HostTensor).data)).toEqual(initial);
            velo.dispose();
          }));

        it('leave tensors given as initial parameters as they are', () =>
          noLeak(async () => {
            const given = SHAPES.map((shape, j) => upload(randomValues(j + 1, shape), shape));
            const velo = createVelo({ backend, theta: THETA, parameters: given, totalSteps: 20 });
            velo.step(gradientsOf(0), 1);
            expect(await backend.read(given)).toEqual(SHAPES.map((shape, j) => randomValues(j + 1, shape)));
            velo.dispose();
            for (const tensor of given) backend.dispose(tensor);
          }));

        it('skip tensors whose gradient is null, and leave them out of the pool', () =>
          noLeak(async () => {
            const skips = [[1], [], [0, 3], [1, 2], [0, 1, 2, 3], [2]];
            const oracle = createOracle({
              theta: THETA,
              shapes: SHAPES,
              parameters: SHAPES.map((shape, j) => randomValues(j + 1, shape)),
              totalSteps: 20,
            });
            const velo = create();
            let before = await velo.exportState();
            for (const [i, skip] of skips.entries()) {
              step(velo, i, 'host', skip);
              const expected = oracle.step(
                gradientsOf(i).map((g, j) => (skip.includes(j) ? null : g)),
                lossOf(i),
              );
              const state = await velo.exportState();
              for (const [j, values] of expected.entries()) {
                const found = state.tensors[`parameters.${j}`]!.data;
                expect(deviation(found, values)).toBeLessThanOrEqual(tolerance);
              }
              for (const [path, { data }] of Object.entries(state.tensors)) {
                const index = Number(/^(?:parameters|accumulators)\.(\d+)/.exec(path)?.[1] ?? -1);
                if (skip.includes(index)) expect(data, path).toEqual(before.tensors[path]!.data);
              }
              before = state;
            }
            velo.dispose();
          }));

        it('clip infinite gradients', () =>
          noLeak(async () => {
            const [infinite, clipped] = [create(), create()];
            const { POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down } = Number;
            for (let i = 0; i < 2; i++) {
              const gradients = (plus: number, minus: number) =>
                gradientsOf(i).map((g) => g.with(0, i === 0 ? plus : minus));
              infinite.step(gradients(up, down), lossOf(i));
              clipped.step(gradients(1000, -1000), lossOf(i));
            }
            expect(await backend.read(infinite.parameters)).toEqual(await backend.read(clipped.parameters));
            infinite.dispose();
            clipped.dispose();
          }));

        it('go on past the end, with one warning', () =>
          noLeak(async () => {
            const warnings: string[] = [];
            const velo = createVelo({
              backend,
              theta: THETA,
              parameters: [Float32Array.of(1, 2)],
              totalSteps: 2,
              onWarning: (message) => warnings.push(message),
            });
            const counts = [0, 1, 2, 3].map(() => {
              velo.step([Float32Array.of(1, -1)], 1);
              return warnings.length;
            });
            expect(counts).toEqual([0, 0, 1, 1]);
            const [values] = await backend.read(velo.parameters);
            expect(values!.every(Number.isFinite)).toBe(true);
            velo.dispose();
          }));
      });

      describe('resume', () => {
        for (const [name, options] of Object.entries(VARIANTS)) {
          for (const kind of ['host', 'device'] as const) {
            const test = name === QUICK_VARIANT ? it : suite.slow;
            test(`${name}, loss on the ${kind}: bit for bit`, () =>
              noLeak(async () => {
                const whole = create(options);
                for (let i = 0; i < STEPS; i++) step(whole, i, kind, i === 3 ? [1] : []);
                const expected = await whole.exportState();
                whole.dispose();

                for (const at of [0, 1, 4]) {
                  const first = create(options);
                  for (let i = 0; i < at; i++) step(first, i, kind, i === 3 ? [1] : []);
                  const { tensors, ...rest } = await first.exportState();
                  first.dispose();
                  const second = create(options);
                  // Whatever it went through before, and by way of a file.
                  step(second, 9, kind);
                  await second.importState({ ...(JSON.parse(JSON.stringify(rest)) as typeof rest), tensors });
                  expect(second.stepsTaken).toBe(at);
                  for (let i = at; i < STEPS; i++) step(second, i, kind, i === 3 ? [1] : []);
                  expect(await second.exportState()).toEqual(expected);
                  second.dispose();
                }
              }));
          }
        }
      });

      describe('bad input changes nothing', () => {
        const healthy = (): GradientInput<T>[] => gradientsOf(2);
        const withFirst = (first: unknown) => [first, ...gradientsOf(2).slice(1)] as GradientInput<T>[];
        const bad: readonly (readonly [what: string, code: string, gradients: () => unknown, loss: () => unknown])[] = [
          ['no loss', 'LOSS_REQUIRED', healthy, () => undefined],
          ['a loss that is NaN', 'NON_FINITE', healthy, () => Number.NaN],
          ['an infinite loss', 'NON_FINITE', healthy, () => Number.POSITIVE_INFINITY],
          ['a loss that is -Infinity', 'NON_FINITE', healthy, () => Number.NEGATIVE_INFINITY],
          ['a gradient with NaN', 'NON_FINITE', () => withFirst(gradientsOf(2)[0]!.with(5, Number.NaN)), () => 1],
          [
            'a late gradient with NaN',
            'NON_FINITE',
            () => [...gradientsOf(2).slice(0, 3), gradientsOf(2)[3]!.with(0, Number.NaN)],
            () => 1,
          ],
          ['a gradient that is too short', 'SHAPE_MISMATCH', () => withFirst(new Float32Array(11)), () => 1],
          [
            'a gradient of another shape',
            'SHAPE_MISMATCH',
            () => withFirst({ shape: [3, 4], data: new Float32Array(12) }),
            () => 1,
          ],
          ['a gradient that is text', 'INVALID_ARGUMENT', () => withFirst('gradient'), () => 1],
          ['a missing gradient', 'GRADIENT_MISSING', () => healthy().slice(0, 3), () => 1],
          ['an undefined gradient', 'GRADIENT_MISSING', () => withFirst(undefined), () => 1],
          ['no gradients', 'GRADIENT_MISSING', () => undefined, () => 1],
          ['an extra gradient', 'GRADIENT_UNKNOWN', () => [...healthy(), new Float32Array(1)], () => 1],
        ];
        for (const [what, code, gradients, loss] of bad) {
          it(`${what}: ${code}`, () =>
            noLeak(async () => {
              const velo = create({ weightDecay: 0.1 });
              for (let i = 0; i < 2; i++) step(velo, i);
              const before = await velo.exportState();
              expect(await codeOf(() => velo.step(gradients() as GradientInput<T>[], loss() as number))).toBe(code);
              expect(await velo.exportState()).toEqual(before);
              velo.dispose();
            }));
        }

        it('a loss of another kind: LOSS_KIND_CHANGED', () =>
          noLeak(async () => {
            for (const kinds of [
              ['host', 'device'],
              ['device', 'host'],
            ] as const) {
              const velo = create();
              step(velo, 0, kinds[0]);
              const before = await velo.exportState();
              const loss = upload([1], []);
              expect(await codeOf(() => velo.step(healthy(), kinds[1] === 'host' ? 1 : loss))).toBe(
                'LOSS_KIND_CHANGED',
              );
              expect(await velo.exportState()).toEqual(before);
              backend.dispose(loss);
              velo.dispose();
            }
          }));

        it('tensors of a wrong shape: SHAPE_MISMATCH', () =>
          noLeak(async () => {
            const velo = create();
            step(velo, 0, 'device');
            const before = await velo.exportState();
            const [gradient, two] = [upload(new Float32Array(12), [3, 4]), upload([1, 2], [2])];
            expect(await codeOf(() => velo.step(withFirst(gradient), two))).toBe('SHAPE_MISMATCH');
            expect(await codeOf(() => velo.step(healthy(), two))).toBe('SHAPE_MISMATCH');
            expect(await velo.exportState()).toEqual(before);
            for (const tensor of [gradient, two]) backend.dispose(tensor);
            velo.dispose();
          }));

        if (suite.has('badTensors')) {
          const nan = (j: number) => gradientsOf(2)[j]!.with(0, Number.NaN);
          const cases: readonly (readonly [what: string, bad: number | null, loss: number])[] = [
            ['a gradient with NaN in the first tensor', 0, 1],
            ['a gradient with NaN in the last tensor', 3, 1],
            ['a loss that is NaN', null, Number.NaN],
            ['an infinite loss', null, Number.POSITIVE_INFINITY],
            ['a loss that is -Infinity', null, Number.NEGATIVE_INFINITY],
          ];
          for (const [name, options] of Object.entries(VARIANTS)) {
            const test = name === QUICK_VARIANT ? it : suite.slow;
            test(`tensors that are not finite, ${name}: NON_FINITE at the step or at the next read`, () =>
              noLeak(async () => {
                for (const [what, badGradient, badLoss] of cases) {
                  const velo = create(options);
                  for (let i = 0; i < 2; i++) step(velo, i, 'device');
                  const before = await velo.exportState();
                  const gradients = gradientsOf(2).map((g, j) => upload(j === badGradient ? nan(j) : g, SHAPES[j]!));
                  const loss = upload([badLoss], []);
                  const failure = await failureOf(async () => {
                    velo.step(gradients, loss);
                    // Where nothing was thrown yet, no later step may write either.
                    step(velo, 3, 'device');
                    step(velo, 4, 'device');
                    await velo.synchronize();
                  });
                  expect(failure?.code, what).toBe('NON_FINITE');
                  if (!backend.peek) expect(failure!.step, what).toBe(2);
                  expect(await velo.exportState(), what).toEqual(before);

                  // It goes on as if that step had never been.
                  for (let i = 5; i < 7; i++) step(velo, i, 'device');
                  const healthyVelo = create(options);
                  for (const i of [0, 1, 5, 6]) step(healthyVelo, i, 'device');
                  expect(await velo.exportState(), what).toEqual(await healthyVelo.exportState());
                  for (const tensor of [...gradients, loss]) backend.dispose(tensor);
                  velo.dispose();
                  healthyVelo.dispose();
                }
              }));
          }
        }
      });

      describe('in the long run', () => {
        it('dispose gives everything back and ends it', () =>
          noLeak(async () => {
            const velo = create();
            step(velo, 0);
            velo.dispose();
            for (const use of [
              () => velo.parameters,
              () => step(velo, 1),
              () => velo.exportState(),
              () => velo.dispose(),
            ]) {
              expect(await codeOf(use)).toBe('DISPOSED');
            }
          }));

        if (suite.has('liveTensors')) {
          for (const [name, options] of Object.entries(VARIANTS)) {
            for (const kind of ['host', 'device'] as const) {
              const test = name === QUICK_VARIANT ? it : suite.slow;
              test(`the number of tensors stays what it was after the first step: ${name}, loss on the ${kind}`, () =>
                noLeak(() => {
                  const velo = create(options);
                  step(velo, 0, kind);
                  const alive = suite.live();
                  for (let i = 1; i < 10; i++) {
                    step(velo, i, kind, i % 3 === 0 ? [i % 4] : []);
                    expect(suite.live(), `after step ${i}`).toBe(alive);
                  }
                  velo.dispose();
                }));
            }
          }

          suite.slow('1,000 steps leave as many tensors as two', () =>
            noLeak(async () => {
              const velo = createVelo({
                backend,
                theta: randomTheta(1, 2, 1),
                parameters: [{ shape: [2, 2], data: [1, 2, 3, 4] }, Float32Array.of(1, 2)],
                totalSteps: 1000,
              });
              const run = (i: number) => velo.step([randomValues(i, [4]), randomValues(i + 1, [2])], 1 + 1 / (i + 1));
              run(0);
              run(1);
              const alive = suite.live();
              for (let i = 2; i < 1000; i++) run(i);
              await velo.synchronize();
              expect(suite.live()).toBe(alive);
              velo.dispose();
            }),
          );
        }

        if (suite.has('compiledCount')) {
          for (const [name, options] of Object.entries(VARIANTS)) {
            for (const kind of ['host', 'device'] as const) {
              it(`${name}, loss on the ${kind}: nothing is compiled after the second update`, async () => {
                // What other tests made it compile must not help.
                const fresh = await suite.fresh();
                const { backend: another } = pathsOf(fresh.backend, mode === 'fused').at(-1)!;
                const velo = create(options, another);
                const run = (i: number) => {
                  const loss = kind === 'host' ? lossOf(i) : another.tensor([lossOf(i)], []);
                  velo.step(gradientsOf(i), loss);
                  if (typeof loss !== 'number') another.dispose(loss);
                };
                const settled = options.maxTrainingSteps === undefined ? 2 : 6;
                for (let i = 0; i < settled; i++) run(i);
                await velo.synchronize();
                const compiled = fresh.compiled();
                expect(compiled).toBeGreaterThan(0);
                for (let i = settled; i < 3 * settled + 3; i++) run(i);
                await velo.synchronize();
                expect(fresh.compiled()).toBe(compiled);
                velo.dispose();
              });
            }
          }
        }
      });
    });
  }
}

async function failureOf(body: () => Promise<void>): Promise<VeloError | null> {
  try {
    await body();
    return null;
  } catch (error) {
    if (error instanceof VeloError) return error;
    throw error;
  }
}
