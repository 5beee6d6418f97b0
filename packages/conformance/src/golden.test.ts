import { readdirSync } from 'node:fs';
import {
  type Backend,
  createTheta,
  type HostTensor,
  type Kernels,
  resolveKernels,
  sizeOf,
  thetaShapes,
  VeloError,
  withKernels,
} from '@velojs/core';
import { type ReferenceTensor, reference } from '@velojs/core/reference';
import { describe, expect, it } from 'vitest';
import {
  deviation,
  type GoldenCase,
  loadGoldenCase,
  loadGoldenUnits,
  PACKED_CASES,
  type ReadFile,
  readPackedFile,
  runGoldenCase,
  runGoldenUnits,
} from './golden.ts';
import { createOracle } from './oracle.ts';

const SMALL = '07-negative-losses';

describe('the packed cases', () => {
  it('are all that lie in the folder', () => {
    const files = readdirSync(new URL('../golden', import.meta.url));
    const cases = PACKED_CASES.flatMap((name) => [`${name}.json`, `${name}.safetensors`]);
    expect(files.sort()).toEqual([...cases, 'units.json'].sort());
  });

  // Two independent writings of the mathematics, in double precision: they differ by rounding only.
  it.each(PACKED_CASES)('%s agrees with the oracle', async (name) => {
    const golden = await loadGoldenCase(name);
    const { shapes, steps } = golden;
    const oracle = createOracle({ ...golden, parameters: shapes.map((_, j) => golden.tensor(`params0.${j}`).data) });
    const at = (key: string, j: number, step: number) => {
      const size = sizeOf(shapes[j]!);
      return golden.tensor(`${key}.${j}`).data.subarray(step * size, (step + 1) * size);
    };
    for (let step = 0; step < steps; step++) {
      const parameters = oracle.step(
        shapes.map((_, j) => at('grads', j, step)),
        golden.tensor('losses').data[step]!,
      );
      for (const [j, values] of parameters.entries()) {
        expect(deviation(values, at('expect.params', j, step))).toBeLessThan(1e-11);
      }
    }
  });
});

describe('loading', () => {
  /** The packed files with one of them changed. */
  const changed =
    (name: string, change: (bytes: Uint8Array) => Uint8Array): ReadFile =>
    async (file) => {
      const bytes = await readPackedFile(file);
      return file === name ? change(Uint8Array.from(bytes)) : bytes;
    };
  const edited = (name: string, edit: (manifest: Record<string, unknown>) => Record<string, unknown>) =>
    changed(name, (bytes) =>
      new TextEncoder().encode(JSON.stringify(edit(JSON.parse(new TextDecoder().decode(bytes))))),
    );
  const text = (contents: string) => () => new TextEncoder().encode(contents);
  const expectDamaged = async (loading: Promise<unknown>, message: RegExp) => {
    const error = await loading.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(VeloError);
    expect((error as VeloError).code).toBe('DATA_INVALID');
    expect((error as VeloError).message).toMatch(message);
  };
  const data = `${SMALL}.safetensors`;
  const manifest = `${SMALL}.json`;

  it.each<[string, RegExp, ReadFile]>([
    ['a flipped bit', /SHA-256/, changed(data, (bytes) => bytes.with(5000, bytes[5000]! ^ 1))],
    ['a cut file', /bytes, not/, changed(data, (bytes) => bytes.subarray(0, -1))],
    ['a manifest that is not JSON', /07-negative-losses.json/, changed(manifest, text('{'))],
    ['a manifest that is no object', /no object/, changed(manifest, text('null'))],
    ['a manifest without a file', /no file/, edited(manifest, ({ file: _, ...rest }) => rest)],
    [
      'a manifest of another file',
      /cannot be read/,
      edited(manifest, (all) => ({ ...all, file: 'other.safetensors' })),
    ],
    ['a manifest without tensors', /cannot be used/, edited(manifest, ({ tensors: _, ...rest }) => rest)],
  ])('%s is DATA_INVALID', (_, message, read) => expectDamaged(loadGoldenCase(SMALL, read), message));

  it('a missing case, a missing tensor and broken units are DATA_INVALID', async () => {
    await expectDamaged(loadGoldenCase('99-nothing'), /cannot be read/);
    const golden = await loadGoldenCase(SMALL);
    await expectDamaged((async () => golden.tensor('expect.params.9'))(), /expect.params.9/);
    await expectDamaged(loadGoldenUnits(changed('units.json', text('[]'))), /mulberry32/);
  });

  it('a generator that gives another theta is noticed', async () => {
    type Leaves = { tensors: { seed: number }[] };
    const read = edited('06-full-size.json', (all) => {
      (all.theta as Leaves).tensors[3]!.seed++;
      return all;
    });
    await expectDamaged(loadGoldenCase('06-full-size', read), /generator/);
  });
});

describe('running', () => {
  const run = async (backend: Backend<ReferenceTensor>, golden?: GoldenCase) =>
    runGoldenCase(golden ?? (await loadGoldenCase(SMALL)), backend, { kernels: 'fused' });

  it('passes what is right', async () => {
    const result = await run(reference());
    expect(result).toMatchObject({ case: SMALL, backend: 'reference', kernels: 'fused', tolerance: 1e-5, pass: true });
    expect(result.maxDeviation).toBeLessThan(1e-5);
  });

  const outputs = { mlp: /step factors|parameter/, hidden: /update|parameter|final/, cell: /update|parameter|final/ };
  it.each(Object.entries(outputs))('fails a controller whose %s is 1 %% off', async (output, worst) => {
    const backend = reference();
    const kernels = resolveKernels(backend);
    const controller: Kernels<ReferenceTensor>['controller'] = (...args) => {
      const right = kernels.controller(...args);
      return { ...right, [output]: backend.binary('mul', right[output as 'mlp'], 1.01) };
    };
    const result = await run(withKernels(backend, { controller }));
    expect(result.pass).toBe(false);
    expect(result.worst).toMatch(worst);
  });

  it.each(['parameter', 'moments', 'rows', 'columns', 'statistics'])(
    'fails an update whose %s is 1 %% off',
    async (output) => {
      const backend = reference();
      const kernels = resolveKernels(backend);
      const off = (tensor: ReferenceTensor, name: string) =>
        name === output ? backend.binary('mul', tensor, 1.01) : tensor;
      const update: Kernels<ReferenceTensor>['update'] = (...args) => {
        const { slots, statistics } = kernels.update(...args);
        return {
          slots: slots.map(({ parameter, accumulators: { moments, rows, columns } }) => ({
            parameter: off(parameter, 'parameter'),
            accumulators: {
              moments: off(moments, 'moments'),
              rows: off(rows, 'rows'),
              columns: columns && off(columns, 'columns'),
            },
          })),
          statistics: off(statistics, 'statistics'),
        };
      };
      expect((await run(withKernels(backend, { update }))).pass).toBe(false);
    },
  );

  it('fails another theta', async () => {
    const golden = await loadGoldenCase(SMALL);
    const { leaves, hiddenSize, bankSize } = golden.theta;
    const shapes = thetaShapes(hiddenSize, bankSize);
    const tensors = Object.entries({ ...leaves, keepBias: leaves.keepBias.with(0, 1) });
    const theta = createTheta(
      Object.fromEntries(
        tensors.map(([name, data]): [string, HostTensor] => [name, { shape: shapes[name as 'keepBias'], data }]),
      ),
    );
    expect((await run(reference(), { ...golden, theta })).pass).toBe(false);
  });

  it('fails updates made at other steps than they should', async () => {
    const golden = await loadGoldenCase(SMALL);
    const { pass, worst } = await run(reference(), { ...golden, updatesAt: golden.updatesAt.slice(1) });
    expect(pass).toBe(false);
    expect(worst).toMatch(/updates made/);
  });

  it('fails NaN', async () => {
    const backend = reference();
    const broken: Backend<ReferenceTensor> = {
      ...withKernels(backend, {}),
      unary: (op, x) => backend.unary(op, op === 'tanh' ? backend.binary('div', 0, backend.binary('sub', x, x)) : x),
    };
    const { pass, maxDeviation } = await run(broken);
    expect(pass).toBe(false);
    expect(maxDeviation).toBeNaN();
  });

  it('fails units that are off', async () => {
    const units = await loadGoldenUnits();
    const check = (changed: Partial<typeof units>) =>
      runGoldenUnits({ ...units, ...changed }, reference(), { kernels: 'composed' });
    expect((await check({})).pass).toBe(true);
    for (const changed of [
      { mulberry32: { 0: [1] } },
      { factored_axes: [{ shape: [2, 2], d1_d0: [1, 0] as [number, number] }] },
      { log_mag: [[1, 1.16] as const] },
      { fraction_embedding: [[0.5, new Array<number>(9).fill(0)] as const] },
      { loss_buffer: [{ ...units.loss_buffer[1]!, final_means: new Array<number>(10).fill(1) }] },
    ]) {
      expect((await check(changed)).pass, JSON.stringify(changed).slice(0, 60)).toBe(false);
    }
  });
});
