/** What `VeloOptimizer` does, on whichever backend of tfjs: called by the tests for Node and for browsers. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { createLossBuffer, createVelo, type ExportedState, hostLossFeatures, pushHostLoss } from '@velojs/core';
import { reference } from '@velojs/core/reference';
import { decodeState, starterTheta, veloMini } from '@velojs/weights';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tfjs, VeloOptimizer } from './index.ts';

const quiet = { onWarning: () => {} };
const code = (expected: string, message = /./) =>
  expect.objectContaining({ name: 'VeloError', code: expected, message: expect.stringMatching(message) });

/** Numbers in (-1, 1) that look random. */
const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => 2 * ((((i + 1) * (seed + 1) * 0.618034 + seed * 0.37) % 1) - 0.5));

/** 16 examples of y = x0 - x1 / 2 + noise. */
function examples() {
  const inputs = numbers(32, 1);
  const noise = numbers(16, 2);
  const targets = Float32Array.from({ length: 16 }, (_, i) => inputs[2 * i]! - inputs[2 * i + 1]! / 2 + noise[i]! / 5);
  return { x: tf.tensor2d(inputs, [16, 2]), y: tf.tensor2d(targets, [16, 1]) };
}

const dense = (units: number, more: object = {}) => tfl.layers.dense({ units, ...more });
/** The same weights every time. */
function initialized<Model extends tfl.LayersModel>(model: Model): Model {
  const weights = model.weights.map(({ shape }, i) =>
    tf.tensor(numbers(tf.util.sizeFromShape(shape as number[]), i), shape as number[]),
  );
  model.setWeights(weights);
  tf.dispose(weights);
  return model;
}
const network = (width = 3) =>
  initialized(tfl.sequential({ layers: [dense(width, { inputShape: [2], activation: 'tanh' }), dense(1)] }));

const valuesOf = (tensors: readonly tf.Tensor[]) =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
const weightsOf = (model: tfl.LayersModel) => valuesOf(model.getWeights());

/** The state that an optimizer would save. */
async function stateOf(optimizer: VeloOptimizer): Promise<ExportedState> {
  const [, file] = await optimizer.getWeights();
  const { buffer, byteOffset, byteLength } = (await file!.tensor.data()) as Int32Array;
  return decodeState(new Uint8Array(buffer, byteOffset, byteLength));
}

async function save(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  const handler = tf.io.withSaveHandler(async (artifacts) => {
    saved = artifacts;
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } };
  });
  await model.save(handler, { includeOptimizer: true });
  // As a file would: nothing but JSON and bytes.
  const { weightData, ...rest } = saved!;
  return { ...JSON.parse(JSON.stringify(rest)), weightData: structuredClone(weightData) };
}
const load = (artifacts: tf.io.ModelArtifacts) => tfl.loadLayersModel({ load: async () => structuredClone(artifacts) });

const compile = (model: tfl.LayersModel, optimizer: VeloOptimizer, loss = 'meanSquaredError') =>
  model.compile({ optimizer, loss });

/**
 * @param options.onDevice whether tfjs computes in memory that JavaScript cannot look at.
 */
export function describeVeloOptimizer(backend: string, { onDevice }: { readonly onDevice: boolean }): void {
  describe(`VeloOptimizer on tfjs-${backend}`, { timeout: 240_000 }, () => {
    let x: tf.Tensor2D;
    let y: tf.Tensor2D;
    const made: { dispose(): unknown }[] = [];
    const disposeLater = <T extends { dispose(): unknown }>(it: T): T => {
      made.push(it);
      return it;
    };
    const optimizerFor = (options: Partial<ConstructorParameters<typeof VeloOptimizer>[0]> = {}) =>
      disposeLater(new VeloOptimizer({ totalSteps: 40, ...quiet, ...options }));
    const compiled = (optimizer = optimizerFor()) => {
      const model = disposeLater(network());
      compile(model, optimizer);
      return { model, optimizer };
    };
    /** Rows 4 k to 4 k + 3. */
    const trainOnBatches = async (model: tfl.LayersModel, from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const [a, b] = [tf.slice(x, [4 * (i % 4), 0], [4, 2]), tf.slice(y, [4 * (i % 4), 0], [4, 1])];
        await model.trainOnBatch(a, b);
        tf.dispose([a, b]);
      }
    };

    beforeAll(async () => {
      expect(await tf.setBackend(backend)).toBe(true);
      await tf.ready();
      // What it holds on a device, it holds for good.
      tfjs();
    });
    beforeEach(() => {
      ({ x, y } = examples());
    });
    afterEach(() => {
      tf.dispose([x, y]);
      for (const it of made.splice(0)) it.dispose();
    });
    const quadratic = (variables: tf.Variable[]) => () =>
      tf.addN(variables.map((variable) => tf.mean(tf.square(tf.sub(variable, 0.5))))) as tf.Scalar;
    const pair = () => [4, 5].map((seed) => disposeLater(tf.variable(tf.tensor1d(numbers(4, seed)))));

    it('makes the steps that VeLO makes', async () => {
      const shapes = [[2, 3], [3], [3, 1], [1]];
      const start = shapes.map((shape, j) => numbers(tf.util.sizeFromShape(shape), j + 3));
      const variables = shapes.map((shape, j) => disposeLater(tf.variable(tf.tensor(start[j]!, shape))));
      const options = { totalSteps: 8, weightDecay: 1e-3 };
      const optimizer = optimizerFor(options);
      const parameters = shapes.map((shape, j) => ({ shape, data: start[j]! }));
      const expected = createVelo({ backend: reference(), theta: veloMini(), parameters, ...options });
      for (let i = 0; i < 8; i++) {
        const gradients = start.map(({ length }, j) => (i === 4 && j === 1 ? null : numbers(length, 7 * i + j)));
        const tensors = gradients.map((data, j) => ({
          name: variables[j]!.name,
          // tfjs's own minimize gives none for a variable without gradient, whatever its types say.
          tensor: (data && tf.tensor(data, shapes[j]!)) as tf.Tensor,
        }));
        optimizer.applyGradientsWithLoss(tensors, 3 / (i + 1));
        tf.dispose(tensors.map(({ tensor }) => tensor));
        expected.step(gradients, 3 / (i + 1));
      }
      const got = await valuesOf(variables);
      const want = await expected.backend.read(expected.parameters);
      for (const [j, values] of got.entries()) {
        expect(values.every((value, i) => value !== start[j]![i])).toBe(true);
        for (const [i, value] of values.entries()) expect(value).toBeCloseTo(want[j]![i]!, 3);
      }
      expect(optimizer.iterations).toBe(8);
    });

    it('sees in fit exactly the losses that callbacks report: a regulariser, two outputs, one of them frozen', async () => {
      const input = tfl.input({ shape: [2] });
      const l2 = tfl.regularizers.l2({ l2: 0.1 });
      const hidden = dense(3, { activation: 'tanh', kernelRegularizer: l2 }).apply(input) as tfl.SymbolicTensor;
      const outputs = [dense(1), dense(1, { trainable: false })].map((layer) => layer.apply(hidden));
      const model = disposeLater(initialized(tfl.model({ inputs: input, outputs: outputs as tfl.SymbolicTensor[] })));
      const optimizer = optimizerFor();
      model.compile({ optimizer, loss: ['meanSquaredError', 'meanSquaredError'] });
      const before = await weightsOf(model);
      const losses: number[] = [];
      await model.fit(x, [y, y], {
        batchSize: 4,
        epochs: 10,
        shuffle: false,
        verbose: 0,
        callbacks: { onBatchEnd: async (_, logs) => void losses.push(logs!.loss as number) },
      });
      expect(losses).toHaveLength(40);
      expect(optimizer.iterations).toBe(40);
      expect(losses.at(-1)).toBeLessThan(losses[0]!);

      const buffer = losses.reduce(pushHostLoss, createLossBuffer(40));
      const { values } = await stateOf(optimizer);
      if (onDevice) {
        const means = values['lossBuffer.means'] as number[];
        for (const [k, mean] of means.entries()) expect(mean / buffer.means[k]!).toBeCloseTo(1, 4);
        expect(hostLossFeatures(buffer).some((feature) => feature !== 0)).toBe(true);
      } else {
        expect(values['lossBuffer.means']).toEqual([...buffer.means]);
        expect(values['lossBuffer.minima']).toEqual([...buffer.minima]);
      }

      const after = await weightsOf(model);
      const changed = model.weights.map((_, i) => `${before[i]}` !== `${after[i]}`);
      expect(model.trainableWeights).toHaveLength(4);
      expect(changed).toEqual(model.weights.map((weight) => model.trainableWeights.includes(weight)));
    });

    // Devices are slow where software does their work. More than are made without looking whether one was bad (64) must be
    // made; the conformance suite makes 1,000 on devices, too.
    const steps = onDevice ? 70 : 1000;
    it(`leaves as many tensors as there were, over ${steps} steps`, async () => {
      const optimizer = optimizerFor({ totalSteps: steps });
      const w = disposeLater(tf.variable(tf.tensor1d([1, 2, 3])));
      const loss = () => tf.mean(tf.square(tf.sub(w, 0.5))) as tf.Scalar;
      const counts = new Set<number>();
      for (let i = 0; i < steps; i++) {
        optimizer.minimize(loss, false, [w]);
        // Devices are asked on the side how it goes, and this waits until nothing is.
        if (i > 0 && (!onDevice || i % 10 === 0)) {
          await optimizer.synchronize();
          counts.add(tf.memory().numTensors);
        }
      }
      expect([...counts]).toHaveLength(1);
      expect(optimizer.iterations).toBe(steps);
      const { model, optimizer: inFit } = compiled();
      await trainOnBatches(model, 0, 2);
      await inFit.synchronize();
      const { numTensors } = tf.memory();
      await trainOnBatches(model, 2, 10);
      await inFit.synchronize();
      expect(tf.memory().numTensors).toBe(numTensors);
    });

    it('gives back everything but the variables, however often it is saved', async () => {
      const model = disposeLater(network());
      const { numTensors } = tf.memory();
      const optimizer = new VeloOptimizer({ totalSteps: 40 });
      compile(model, optimizer);
      await trainOnBatches(model, 0, 2);
      await save(model);
      const live = tf.memory().numTensors;
      for (let i = 0; i < 3; i++) await save(model);
      const twice = await Promise.all([save(model), save(model)]);
      expect(twice[0]).toEqual(twice[1]);
      await save(model);
      expect(tf.memory().numTensors).toBe(live);
      optimizer.dispose();
      optimizer.dispose();
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(await weightsOf(model)).toHaveLength(4);
      await expect(model.trainOnBatch(x, y)).rejects.toThrow(code('DISPOSED'));
      await expect(optimizer.getWeights()).rejects.toThrow(code('DISPOSED'));
      expect(() => optimizer.applyGradients({})).toThrow(code('DISPOSED'));
    });

    it('leaves copies of weights that were taken before a step as they are', async () => {
      const { model } = compiled();
      await trainOnBatches(model, 0, 1);
      const copies = model.getWeights().map((weight) => disposeLater(tf.clone(weight)));
      const values = await valuesOf(copies);
      await trainOnBatches(model, 1, 3);
      expect(await valuesOf(copies)).toEqual(values);
      expect(await weightsOf(model)).not.toEqual(values);
    });

    it('leaves another model as it is that was given the same weights', async () => {
      const { model } = compiled();
      const other = disposeLater(network());
      for (let i = 0; i < 3; i++) {
        await trainOnBatches(model, i, i + 1);
        // tfjs copies nothing here.
        other.setWeights(model.getWeights());
        const values = await weightsOf(other);
        await trainOnBatches(model, i + 1, i + 2);
        expect(await weightsOf(other)).toEqual(values);
        expect(await weightsOf(model)).not.toEqual(values);
      }
    });

    it('trains two models in turns, each with its own optimizer, as if each were alone', async () => {
      const [a, b, alone] = [compiled(), compiled(optimizerFor({ totalSteps: 20 })), compiled()];
      const { numTensors } = tf.memory();
      for (let i = 0; i < 4; i++) {
        await trainOnBatches(a.model, i, i + 1);
        await trainOnBatches(b.model, i, i + 1);
      }
      await trainOnBatches(alone.model, 0, 4);
      expect(await weightsOf(a.model)).toEqual(await weightsOf(alone.model));
      expect(await weightsOf(b.model)).not.toEqual(await weightsOf(alone.model));
      for (const { model, optimizer } of [a, b, alone]) {
        await optimizer.synchronize();
        optimizer.dispose();
        model.optimizer = undefined as never;
      }
      expect(tf.memory().numTensors).toBe(numTensors);
    });

    it('minimizes: takes a list, or all trainable variables, and gives the loss only where asked', async () => {
      const listed = pair();
      const value = optimizerFor().minimize(quadratic(listed), true, listed);
      const [loss] = await value!.data();
      const expected = quadratic(listed)();
      value!.dispose();
      expect(loss).toBeGreaterThan((await expected.data())[0]!);
      expected.dispose();

      const all = pair();
      const optimizer = optimizerFor();
      const start = await valuesOf(all);
      const { numTensors } = tf.memory();
      expect(optimizer.minimize(quadratic(all))).toBeNull();
      expect(await valuesOf(all)).toEqual(await valuesOf(listed));
      expect(await valuesOf(all)).not.toEqual(start);
      optimizer.dispose();
      expect(tf.memory().numTensors).toBe(numTensors);
    });

    it('resumes from a saved model, and differs by nothing', async () => {
      const { model, optimizer } = compiled();
      await trainOnBatches(model, 0, 5);
      const artifacts = await save(model);
      await trainOnBatches(model, 5, 12);

      const loaded = disposeLater(await load(artifacts));
      const resumed = disposeLater(loaded.optimizer as VeloOptimizer);
      expect(resumed.constructor).toBe(VeloOptimizer);
      expect([resumed.iterations, resumed.totalSteps]).toEqual([5, 40]);
      // Variables have other names now.
      expect(loaded.weights.map(({ name }) => name)).not.toEqual(model.weights.map(({ name }) => name));
      // Saving does not need a step in between.
      const again = disposeLater(await load(await save(loaded)));
      disposeLater(again.optimizer);
      await trainOnBatches(loaded, 5, 12);
      await trainOnBatches(again, 5, 12);
      const uninterrupted = { weights: await weightsOf(model), state: await stateOf(optimizer) };
      expect({ weights: await weightsOf(loaded), state: await stateOf(resumed) }).toEqual(uninterrupted);
      expect(await weightsOf(again)).toEqual(uninterrupted.weights);
    });

    it('resumes where it is, from an earlier state; the weights stay', async () => {
      const { model, optimizer } = compiled();
      await trainOnBatches(model, 0, 3);
      const saved = (await optimizer.getWeights()).map(({ name, tensor }) => ({ name, tensor: tf.clone(tensor) }));
      const early = await stateOf(optimizer);
      await trainOnBatches(model, 3, 5);
      await optimizer.synchronize();
      const weights = await weightsOf(model);
      const { numTensors } = tf.memory();
      await optimizer.setWeights(saved);
      // Where losses are tensors, so are their averages, from the first step on.
      expect(tf.memory().numTensors).toBe(onDevice ? numTensors - 2 : numTensors);
      expect(optimizer.iterations).toBe(3);
      expect(await weightsOf(model)).toEqual(weights);
      expect(await stateOf(optimizer)).toEqual(early);
      await trainOnBatches(model, 3, 4);
      expect(optimizer.iterations).toBe(4);
      tf.dispose(saved.map(({ tensor }) => tensor));
    });

    it('refuses a loss or a gradient that is not finite: nothing has changed then', async () => {
      const { model, optimizer } = compiled();
      await trainOnBatches(model, 0, 2);
      const before = [await weightsOf(model), await stateOf(optimizer)];
      const bad = disposeLater(tf.tensor2d([1, 2, Number.NaN, 3], [4, 1]));
      const inputs = disposeLater(tf.slice(x, [0, 0], [4, 2]));
      for (let repeated = 0; repeated < 2; repeated++) {
        const failing = (async () => {
          await model.trainOnBatch(inputs, bad);
          // Devices tell later: in a step, or when they are asked.
          expect(onDevice).toBe(true);
          if (repeated === 0) for (;;) await trainOnBatches(model, 2, 3);
          await optimizer.synchronize();
        })();
        await expect(failing).rejects.toThrow(code('NON_FINITE'));
        expect([await weightsOf(model), await stateOf(optimizer)]).toEqual(before);
        expect(optimizer.iterations).toBe(2);
      }
      // Another state makes up for it, reported or not.
      const saved = (await optimizer.getWeights()).map(({ name, tensor }) => ({ name, tensor: tf.clone(tensor) }));
      await model.trainOnBatch(inputs, bad).catch(() => {});
      await optimizer.setWeights(saved);
      tf.dispose(saved.map(({ tensor }) => tensor));
      await trainOnBatches(model, 2, 4);
      expect(optimizer.iterations).toBe(4);
      expect(await weightsOf(model)).not.toEqual(before[0]);
    });

    // What follows has nothing to do with where tensors are, and devices are slow where software does their work.
    if (onDevice) return;

    it('leaves values that were read before a step as they are', async () => {
      // Not on devices: `dataSync` of webgpu stalls, or ends the GPU process.
      const { model } = compiled();
      for (let i = 0; i < 3; i++) {
        // The first step copies what it was given, later ones write in place.
        await trainOnBatches(model, i, i + 1);
        const weights = model.getWeights();
        const read = [
          ...weights.map((weight) => weight.dataSync()),
          ...(await Promise.all(weights.map((w) => w.data()))),
        ];
        const over = weights.map((weight) => disposeLater(tf.tensor(weight.dataSync(), weight.shape)));
        const values = await weightsOf(model);
        await trainOnBatches(model, i + 1, i + 2);
        expect(read.map((array) => [...array])).toEqual([...values, ...values]);
        expect(await valuesOf(over)).toEqual(values);
        expect(await weightsOf(model)).not.toEqual(values);
      }
    });

    it('trains with fitDataset and with trainOnBatch, to the same weights', async () => {
      const batches = Array.from({ length: 4 }, (_, i) => ({
        xs: tf.slice(x, [4 * i, 0], [4, 2]),
        ys: tf.slice(y, [4 * i, 0], [4, 1]),
      }));
      const dataset = {
        size: 4,
        iterator: async () => {
          const left = batches.map(({ xs, ys }) => ({ xs: tf.clone(xs), ys: tf.clone(ys) }));
          return { next: async () => ({ done: left.length === 0, value: left.shift() }) };
        },
      };
      const { model: first } = compiled();
      const { model: second } = compiled();
      await first.fitDataset(dataset as unknown as Parameters<typeof first.fitDataset>[0], { epochs: 2, verbose: 0 });
      await trainOnBatches(second, 0, 8);
      expect(await weightsOf(first)).toEqual(await weightsOf(second));
      expect((first.optimizer as VeloOptimizer).iterations).toBe(8);
      tf.dispose(batches.map(({ xs, ys }) => [xs, ys]));
    });

    it('minimizes: leaves variables without gradient, and those that are not trainable, as they are', async () => {
      const [trained, idle] = pair() as [tf.Variable, tf.Variable];
      const constant = disposeLater(tf.variable(tf.tensor1d(numbers(4, 6)), false));
      const counter = disposeLater(tf.variable(tf.scalar(3, 'int32')));
      const list = [idle, trained, constant, counter];
      const before = await valuesOf(list);
      const optimizer = optimizerFor();
      const loss = () => tf.mean(tf.square(tf.add(trained, constant))) as tf.Scalar;
      for (let i = 0; i < 3; i++) optimizer.minimize(loss, false, list);
      const after = await valuesOf(list);
      expect([0, 2, 3].map((i) => after[i])).toEqual([0, 2, 3].map((i) => before[i]));
      expect(after[1]).not.toEqual(before[1]);
      // Later it may have one.
      optimizer.minimize(quadratic([idle]), false, list);
      expect(await valuesOf([idle])).not.toEqual([before[0]]);
    });

    it('minimizes: takes variables of rank 0 and of rank 6, and any names', async () => {
      const variables = [
        tf.variable(tf.scalar(2)),
        tf.variable(tf.ones([2, 1, 2, 1, 2, 2]), true, 'w'),
        tf.variable(tf.tensor1d([1, 2]), true, 'variable w'),
      ].map(disposeLater);
      const alike = disposeLater(tf.variable(tf.tensor1d([1, 2]), true, `variable ${variables[0]!.name}`));
      variables.push(alike);
      const before = await valuesOf(variables);
      const optimizer = optimizerFor();
      for (let i = 0; i < 3; i++) optimizer.minimize(quadratic(variables), false, variables);
      for (const [j, values] of (await valuesOf(variables)).entries()) {
        for (const [i, value] of values.entries()) expect(value).toBeLessThan(before[j]![i]!);
      }
      expect((await stateOf(optimizer)).names).toHaveLength(4);
    });

    it('sees weights that were set between two steps', async () => {
      const shapes = [[2, 3], [3]];
      const start = shapes.map((shape, j) => numbers(tf.util.sizeFromShape(shape), j + 3));
      const set = start.map((values, j) => values.map((value) => 50 * value + j + 1));
      const variables = shapes.map((shape, j) => disposeLater(tf.variable(tf.tensor(start[j]!, shape))));
      const parameters = shapes.map((shape, j) => ({ shape, data: start[j]! }));
      const optimizer = optimizerFor();
      const other = () => createVelo({ backend: reference(), theta: veloMini(), parameters, totalSteps: 40 });
      const [told, untold] = [other(), other()];
      const step = (i: number) => {
        const gradients = start.map(({ length }, j) => numbers(length, 7 * i + j));
        const tensors = gradients.map((data, j) => ({ name: variables[j]!.name, tensor: tf.tensor(data, shapes[j]!) }));
        optimizer.applyGradientsWithLoss(tensors, 3 / (i + 1));
        tf.dispose(tensors.map(({ tensor }) => tensor));
        for (const velo of [told, untold]) velo.step(gradients, 3 / (i + 1));
      };
      for (let i = 0; i < 3; i++) step(i);
      const { numTensors } = tf.memory();
      tf.tidy(() => {
        for (const [j, variable] of variables.entries()) variable.assign(tf.tensor(set[j]!, shapes[j]!));
      });
      await told.setParameters(shapes.map((shape, j) => ({ shape, data: set[j]! })));
      step(3);
      expect(tf.memory().numTensors).toBe(numTensors);
      const networks = async (state: Promise<ExportedState>) => (await state).tensors.mlp!.data;
      const [got, want, stale] = await Promise.all(
        [stateOf(optimizer), told.exportState(), untold.exportState()].map(networks),
      );
      const distance = (to: Float32Array) => Math.max(...got!.map((value, i) => Math.abs(value - to[i]!)));
      expect(distance(want!)).toBeLessThan(1e-4);
      expect(distance(stale!)).toBeGreaterThan(1e-2);
      const [weights, expected] = [await valuesOf(variables), await told.backend.read(told.parameters)];
      for (const [j, values] of weights.entries()) {
        for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[j]![i]!, 4);
      }
    });

    it('tells, one step later, of weights that were set and are not finite', async () => {
      const [w, bad] = pair() as [tf.Variable, tf.Variable];
      const optimizer = optimizerFor();
      const gradients = Object.fromEntries([w, bad].map(({ name }) => [name, tf.tensor1d(numbers(4, 6))]));
      const step = () => optimizer.applyGradientsWithLoss(gradients, 1);
      step();
      tf.tidy(() => bad.assign(tf.tensor1d([1, Number.NaN, 2, 3])));
      step();
      await Promise.resolve();
      expect(step).toThrow(code('NON_FINITE', new RegExp(`${bad.name}`)));
      tf.dispose(gradients);
    });

    it('minimizes: knows variables in any order, with some left out', async () => {
      const [a, b] = [pair(), pair()];
      const [first, second] = [optimizerFor(), optimizerFor()];
      first.minimize(quadratic(a), false, a);
      second.minimize(quadratic(b), false, b);
      const lists = [[1, 0], [1], [0, 1]];
      for (const indices of lists) {
        const of = (variables: tf.Variable[]) => indices.map((i) => variables[i]!);
        first.minimize(quadratic(of(a)), false, of(a));
        second.minimize(quadratic(of(b)), false, b);
      }
      expect(await valuesOf(a)).toEqual(await valuesOf(b));
      expect(first.iterations).toBe(4);
    });

    it('minimizes: may stand in a tidy, which frees nothing that is needed', async () => {
      const variables = pair();
      const optimizer = optimizerFor();
      for (let i = 0; i < 3; i++) {
        tf.tidy(() => {
          optimizer.minimize(quadratic(variables), true, variables);
        });
      }
      const fresh = optimizerFor();
      const weights: Promise<{ tensor: tf.Tensor }[]>[] = [];
      tf.tidy(() => {
        weights.push(optimizer.getWeights(), fresh.getWeights());
      });
      for (const [iter] of await Promise.all(weights)) expect(iter!.tensor.isDisposed).toBe(false);
      expect((await stateOf(optimizer)).stepsTaken).toBe(3);
    });

    it('takes gradients that were changed between computeGradients and applyGradients', async () => {
      const [w] = [disposeLater(tf.variable(tf.tensor1d([1, 2])))];
      const optimizer = optimizerFor();
      const { value, grads } = optimizer.computeGradients(() => tf.sum(tf.square(w)) as tf.Scalar, [w]);
      const clipped = { [w.name]: tf.clipByValue(grads[w.name]!, -1, 1) };
      optimizer.applyGradients(clipped);
      expect(await valuesOf([w])).not.toEqual([[1, 2]]);
      // Once.
      expect(() => optimizer.applyGradients(clipped)).toThrow(code('LOSS_REQUIRED', /applyGradientsWithLoss/));
      optimizer.applyGradientsWithLoss(clipped, value);
      optimizer.applyGradientsWithLoss(clipped, 0.5);
      expect(optimizer.iterations).toBe(3);
      tf.dispose([value, grads, clipped]);
      expect((await stateOf(optimizer)).values['lossBuffer.count']).toBe(3);
      const loss = () => tf.sum(tf.square(w)) as tf.Scalar;
      const only = tf.tidy(() => optimizer.computeGradients(loss, [w]).grads);
      expect(() => optimizer.applyGradients(only)).toThrow(code('LOSS_REQUIRED', /disposed/));
      // A loss of another computation does not count.
      const earlier = optimizer.computeGradients(loss, [w]);
      const failing = () => {
        throw new Error('no loss');
      };
      expect(() => optimizer.computeGradients(failing, [w])).toThrow('no loss');
      expect(() => optimizer.applyGradients(only)).toThrow(code('LOSS_REQUIRED'));
      expect(optimizer.iterations).toBe(3);
      tf.dispose([only, earlier.value, earlier.grads]);
    });

    it('resumes from a model that was saved before its first step', async () => {
      const { model } = compiled();
      const loaded = disposeLater(await load(await save(model)));
      disposeLater(loaded.optimizer);
      await trainOnBatches(model, 0, 2);
      await trainOnBatches(loaded, 0, 2);
      expect(await weightsOf(loaded)).toEqual(await weightsOf(model));
    });

    it('resumes with another theta than the default, once it is given', async () => {
      const theta = starterTheta({ hiddenSize: 12, bankSize: 1 });
      const { model } = compiled(optimizerFor({ theta }));
      await trainOnBatches(model, 0, 3);
      const artifacts = await save(model);
      await trainOnBatches(model, 3, 5);
      const loaded = disposeLater(await load(artifacts));
      const saved = disposeLater(loaded.optimizer as VeloOptimizer);
      const weights = await weightsOf(loaded);
      await expect(loaded.trainOnBatch(x, y)).rejects.toThrow(code('STATE_INVALID', /setWeights/));
      expect(await weightsOf(loaded)).toEqual(weights);
      expect(saved.getConfig().theta).not.toBe(optimizerFor().getConfig().theta);

      const optimizer = optimizerFor({ theta });
      await optimizer.setWeights(await saved.getWeights());
      compile(loaded, optimizer);
      await trainOnBatches(loaded, 3, 5);
      expect(await weightsOf(loaded)).toEqual(await weightsOf(model));
    });

    it('resumes with another length of training', async () => {
      const { model, optimizer } = compiled();
      await trainOnBatches(model, 0, 3);
      optimizer.setTotalSteps(60);
      const loaded = disposeLater(await load(await save(model)));
      const resumed = disposeLater(loaded.optimizer as VeloOptimizer);
      expect(resumed.totalSteps).toBe(60);
      resumed.setTotalSteps(80);
      optimizer.setTotalSteps(80);
      await trainOnBatches(loaded, 3, 5);
      await trainOnBatches(model, 3, 5);
      expect(await weightsOf(loaded)).toEqual(await weightsOf(model));
      expect((await stateOf(resumed)).totalSteps).toBe(80);
    });

    it('refuses state that is none, or of another theta, at once', async () => {
      const { model, optimizer } = compiled();
      const other = compiled(optimizerFor({ theta: starterTheta({ hiddenSize: 12, bankSize: 1 }) }));
      await trainOnBatches(model, 0, 1);
      await trainOnBatches(other.model, 0, 1);
      const before = [await weightsOf(model), await stateOf(optimizer)];
      const weights = (await other.optimizer.getWeights()).map(({ name, tensor }) => ({
        name,
        tensor: tf.clone(tensor),
      }));
      const iter = weights[0]!;
      const float = { name: 'x', tensor: tf.tensor1d([1]) };
      const damaged = { name: 'velo', tensor: tf.tensor1d((await weights[1]!.tensor.data()).slice(0, 40), 'int32') };
      for (const fresh of [optimizer, optimizerFor()]) {
        await expect(fresh.setWeights(weights)).rejects.toThrow(code('STATE_INVALID', /theta/));
        for (const bad of [[], [iter], [iter, float], [iter, float, float], [float], [iter, damaged]]) {
          await expect(fresh.setWeights(bad)).rejects.toThrow(code('STATE_INVALID'));
        }
      }
      tf.dispose([float.tensor, damaged.tensor, ...weights.map(({ tensor }) => tensor)]);
      await expect(optimizer.setWeights(weights)).rejects.toThrow(code('STATE_INVALID', /disposed/));
      expect([await weightsOf(model), await stateOf(optimizer)]).toEqual(before);
    });

    it('refuses state of another model, in the first step', async () => {
      const { model, optimizer } = compiled();
      await trainOnBatches(model, 0, 2);
      const wide = disposeLater(network(5));
      const another = optimizerFor();
      await another.setWeights(await optimizer.getWeights());
      compile(wide, another);
      const before = await weightsOf(wide);
      const { numTensors } = tf.memory();
      await expect(wide.trainOnBatch(x, y)).rejects.toThrow(code('STATE_INVALID'));
      expect(await weightsOf(wide)).toEqual(before);
      expect(tf.memory().numTensors).toBe(numTensors);
      // It still fits the model that it belongs to.
      compile(model, another);
      await trainOnBatches(model, 2, 3);
      expect(another.iterations).toBe(3);
    });

    it('refuses variables that it did not begin with', async () => {
      const { model, optimizer } = compiled();
      await trainOnBatches(model, 0, 2);
      const state = await stateOf(optimizer);
      const wide = disposeLater(network(5));
      const deep = disposeLater(tfl.sequential({ layers: [dense(1, { inputShape: [2] })] }));
      for (const [other, expected] of [
        [wide, 'SHAPE_MISMATCH'],
        [disposeLater(network()), 'GRADIENT_UNKNOWN'],
        [deep, 'GRADIENT_UNKNOWN'],
      ] as const) {
        compile(other, optimizer);
        const before = await weightsOf(other);
        await expect(other.trainOnBatch(x, y)).rejects.toThrow(code(expected, /first step/));
        expect(await weightsOf(other)).toEqual(before);
      }
      expect(await stateOf(optimizer)).toEqual(state);
      expect(() => optimizer.applyGradientsWithLoss({ nothing: x }, 1)).toThrow(code('GRADIENT_UNKNOWN', /nothing/));
      await trainOnBatches(model, 2, 3);
    });

    it('refuses gradients of another shape and losses that are none', async () => {
      const w = disposeLater(tf.variable(tf.tensor1d([1, 2])));
      const optimizer = optimizerFor();
      const step = (gradient: tf.Tensor, loss: unknown) => () =>
        optimizer.applyGradientsWithLoss({ [w.name]: gradient }, loss as number);
      const gradient = disposeLater(tf.tensor1d([1, 1]));
      for (const loss of [undefined, null, 'low', {}]) expect(step(gradient, loss)).toThrow(code('LOSS_REQUIRED'));
      expect(step(gradient, gradient)).toThrow(code('SHAPE_MISMATCH', /loss/));
      expect(step(x, 1)).toThrow(code('SHAPE_MISMATCH'));
      const disposed = tf.tensor1d([1, 1]);
      disposed.dispose();
      expect(step(disposed, 1)).toThrow(code('DISPOSED'));
      expect(step(disposeLater(tf.tensor1d([1, 1], 'int32')), 1)).toThrow(code('INVALID_ARGUMENT', /gradient/));
      expect(await valuesOf([w])).toEqual([[1, 2]]);
      expect(optimizer.iterations).toBe(0);
      step(gradient, 1)();
      step(gradient, disposeLater(tf.scalar(0.5)))();
      for (const loss of [undefined, null, 'low', {}]) expect(step(gradient, loss)).toThrow(code('LOSS_REQUIRED'));
      expect(step(gradient, gradient)).toThrow(code('SHAPE_MISMATCH', /loss/));
      expect(optimizer.iterations).toBe(2);
    });
  });
}
