/** The suite that every backend runs, on each of its paths. */
import { type Backend, type Tensor, VeloError } from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { describeGolden } from './suite/golden.ts';
import { describeKernels } from './suite/kernels.ts';
import { describeLifetimes } from './suite/lifetimes.ts';
import { describeOperations } from './suite/operations.ts';
import { describeOptimizer } from './suite/optimizer.ts';
import { describeQuirks } from './suite/quirks.ts';
import { CAPABILITIES, type Capability, pathsOf, type Suite } from './suite/suite.ts';

export type { Capability } from './suite/suite.ts';

/** Per test, in milliseconds: generous, because devices may be emulated. */
const TIMEOUT = 120_000;
/** The same where the whole suite is asked for on a device that it is too slow for. */
const LONG_TIMEOUT = 600_000;

export interface BackendUnderTest<T extends Tensor> {
  /**
   * Makes the backend. A `BACKEND_UNAVAILABLE` from it skips the suite with a printed reason, or fails it where
   * `process.env.CI` is set.
   */
  create(): Backend<T> | Promise<Backend<T>>;
  /** How many handles are alive. With it the suite looks for leaks everywhere. */
  liveTensors?(backend: Backend<T>): number;
  /** How many pipelines, programs or shaders were compiled so far. With it step 3 must compile none. */
  compiledCount?(backend: Backend<T>): number;
  /**
   * What the backend does without, and why; the reasons are printed. Whatever is not named here must be there, and
   * whatever is named must not.
   *
   * @example
   * ```ts
   * skip: { kernels: 'composed only', compiledCount: 'nothing is compiled' }
   * ```
   */
  readonly skip?: Readonly<Partial<Record<Capability, string>>>;
  /**
   * Why the suite leaves out the slower half of itself: each test that it leaves out is skipped with this reason. The
   * environment variable `VELOJS_FULL` makes it run everything all the same.
   *
   * @example
   * ```ts
   * reduced: 'each shape is compiled for, which takes software seconds'
   * ```
   */
  readonly reduced?: string;
}

/**
 * Defines the conformance suite of a backend; the one call that its test file makes, next to its own regressions.
 *
 * Composed and, unless skipped, fused: operations against double arithmetic, lifetimes, kernels against core's
 * definitions and the reference, quirks of the mathematics, golden trajectories, and the optimizer as users hold it.
 * Tolerances belong to the suite: 1e-5 for backends whose `arithmetic` is `float64`, 1e-3 for `float32`.
 *
 * @example
 * ```ts
 * describeBackend('cpu', {
 *   create: () => cpu(),
 *   skip: { compiledCount: 'nothing is compiled', liveTensors: 'tensors are garbage collected' },
 * });
 * ```
 */
export function describeBackend<T extends Tensor>(name: string, options: BackendUnderTest<T>): void {
  const whole = options.reduced === undefined || environment('VELOJS_FULL');
  const timeout = options.reduced !== undefined && whole ? LONG_TIMEOUT : TIMEOUT;
  describe(`backend ${name}`, { timeout }, async () => {
    const backend = await open(name, options.create, environment('CI'));
    if (typeof backend === 'string') {
      console.warn(`backend ${name} was not tested: ${backend}`);
      it(`is available: ${backend}`, ({ skip }) => skip(backend));
      return;
    }
    const skip = options.skip ?? {};
    const has = (capability: Capability) => skip[capability] === undefined;
    const suite: Suite<T> = {
      backend,
      paths: pathsOf(backend, has('kernels')),
      has,
      slow: slowTests(whole ? undefined : options.reduced),
      live: () => options.liveTensors!(backend),
      fresh: async () => {
        const another = await options.create();
        return { backend: another, compiled: () => options.compiledCount!(another) };
      },
    };
    if (!whole) {
      console.info(`backend ${name} leaves out what is slow: ${options.reduced} (VELOJS_FULL=1 runs everything)`);
    }
    describeCapabilities(name, suite, options);
    describeOperations(suite);
    describeLifetimes(suite);
    describeKernels(suite);
    describeQuirks(suite);
    describeOptimizer(suite);
    describeGolden(suite);
  });
}

/** The backend, or why there is none; where it is required, having none is an error. */
export async function open<T extends Tensor>(
  name: string,
  create: BackendUnderTest<T>['create'],
  required: boolean,
): Promise<Backend<T> | string> {
  try {
    return await create();
  } catch (error) {
    const missing = error instanceof VeloError && error.code === 'BACKEND_UNAVAILABLE';
    if (!missing || required) throw new Error(`backend ${name} cannot be created`, { cause: error });
    return error.message;
  }
}

/** Defines slow tests; where there is a `reason`, as skips. */
export const slowTests =
  (reason: string | undefined): Suite<Tensor>['slow'] =>
  (name, body) => {
    if (reason === undefined) it(name, body);
    else it(name, ({ skip }) => skip(reason));
  };

/** Browsers have no environment: what runs the tests there has to define one. */
const environment = (variable: 'CI' | 'VELOJS_FULL'): boolean =>
  Boolean((globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[variable]);

function describeCapabilities<T extends Tensor>(
  name: string,
  { backend }: Suite<T>,
  options: BackendUnderTest<T>,
): void {
  const present: Readonly<Record<Capability, boolean | null>> = {
    kernels: Object.keys(backend.kernels ?? {}).length > 0,
    hostMemory: Boolean(backend.borrow && backend.peek),
    badTensors: Boolean(backend.peek ?? backend.check),
    // Only using a handle shows.
    disposed: null,
    liveTensors: options.liveTensors !== undefined,
    compiledCount: options.compiledCount !== undefined,
  };
  describe('capabilities', () => {
    it('has the name it is tested by', () => expect(backend.name).toBe(name));
    for (const capability of CAPABILITIES) {
      const reason = options.skip?.[capability];
      if (reason === undefined) {
        it(`${capability} is there`, () => expect(present[capability] ?? true).toBe(true));
      } else {
        console.info(`backend ${name} skips ${capability}: ${reason}`);
        it(`${capability} is skipped for a reason that holds: ${reason}`, () =>
          expect(present[capability] ?? false).toBe(false));
        it(`${capability}: ${reason}`, ({ skip }) => skip(reason));
      }
    }
  });
}
