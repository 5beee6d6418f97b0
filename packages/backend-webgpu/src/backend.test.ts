import { createVelo, type Shape, sizeOf, VeloError } from '@velojs/core';
import { starterTheta } from '@velojs/weights';
import { expect, it } from 'vitest';
import { type WebgpuBackend, type WebgpuTensor, webgpu } from './index.ts';
import { USAGE } from './memory.ts';
import { describeOnGpu } from './testing.ts';

const THETA = starterTheta();
const { STORAGE, COPY_SRC, COPY_DST } = USAGE;
const WRAPPABLE = STORAGE | COPY_SRC | COPY_DST;

const wave = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 0.7));

const codeOf = async (body: () => unknown): Promise<string> => {
  try {
    await body();
  } catch (error) {
    if (error instanceof VeloError) return error.code;
    throw error;
  }
  return 'nothing';
};

const readOne = async (backend: WebgpuBackend, tensor: WebgpuTensor): Promise<Float32Array> =>
  (await backend.read([tensor]))[0]!;

let opened: Promise<WebgpuBackend> | undefined;
/** One for all tests that leave it as it was: some drivers take seconds to compile its kernels. */
const share = (gpu: GPU): Promise<WebgpuBackend> => {
  opened ??= webgpu({ gpu });
  return opened;
};

describeOnGpu('wrap', (gpu) => {
  const bufferOf = ({ device }: WebgpuBackend, size: number, usage: number = WRAPPABLE) =>
    device.createBuffer({ size, usage });

  it('updates parameters where they are, and takes gradients from where they are', async () => {
    const backend = await share(gpu);
    const { queue } = backend.device;
    const shape = [5, 7];
    // Neither begins where a binding may begin.
    const [weights, gradient] = [bufferOf(backend, 4 * 50), bufferOf(backend, 4 * 40)];
    queue.writeBuffer(weights, 0, wave(50, 9));
    queue.writeBuffer(weights, 12, wave(35, 1));
    const [w, g] = [backend.wrap(weights, shape, { byteOffset: 12 }), backend.wrap(gradient, shape, { byteOffset: 4 })];
    expect([w.buffer, w.byteOffset]).toEqual([weights, 12]);
    const velo = createVelo({ backend, theta: THETA, parameters: { w }, totalSteps: 10 });
    const copied = createVelo({
      backend,
      theta: THETA,
      parameters: { w: { shape, data: wave(35, 1) } },
      totalSteps: 10,
    });
    for (let step = 0; step < 3; step++) {
      queue.writeBuffer(gradient, 4, wave(35, step));
      velo.step({ w: g }, 1 / (1 + step));
      copied.step({ w: wave(35, step) }, 1 / (1 + step));
    }
    expect(velo.parameters.w).toBe(w);
    const all = await readOne(backend, backend.wrap(weights, [50]));
    const [expected] = await backend.read([copied.parameters.w]);
    expect(all.slice(3, 38)).toEqual(expected);
    expect(expected).not.toEqual(wave(35, 1));
    // What lies around them is somebody else's.
    expect(all.slice(0, 3)).toEqual(wave(50, 9).slice(0, 3));
    expect(all.slice(38)).toEqual(wave(50, 9).slice(38));
    velo.dispose();
    expect(await readOne(backend, w)).toEqual(expected);
  });

  it('takes a part of a buffer that is too large to be bound', async () => {
    const adapter = (await gpu.requestAdapter()) ?? (await gpu.requestAdapter({ featureLevel: 'compatibility' }));
    const device = await adapter!.requestDevice({ requiredLimits: { maxStorageBuffersPerShaderStage: 8 } });
    const backend = await webgpu({ device });
    const limit = device.limits.maxStorageBufferBindingSize;
    const large = bufferOf(backend, limit + 4096);
    const byteOffset = limit - 40;
    device.queue.writeBuffer(large, byteOffset, wave(30, 1));
    const w = backend.wrap(large, [30], { byteOffset });
    const velo = createVelo({ backend, theta: THETA, parameters: [w], totalSteps: 10 });
    const copied = createVelo({ backend, theta: THETA, parameters: [wave(30, 1)], totalSteps: 10 });
    for (const each of [velo, copied]) each.step([wave(30, 2)], 1);
    expect(await readOne(backend, w)).toEqual(await readOne(backend, copied.parameters[0]));
    expect(await codeOf(() => backend.wrap(large, [limit / 4 + 1]))).toBe('TENSOR_TOO_LARGE');
    const one = backend.tensor([1], [1]);
    expect(await codeOf(() => backend.expand(one, [limit / 4 + 1]))).toBe('TENSOR_TOO_LARGE');
    expect(await codeOf(() => backend.allocate([[limit / 4], [1]]))).toBe('TENSOR_TOO_LARGE');
    expect(await readOne(backend, one)).toEqual(Float32Array.of(1));
    backend.close();
    // It was not the backend's.
    expect(device.createBuffer({ size: 4, usage: WRAPPABLE }).size).toBe(4);
    large.destroy();
    device.destroy();
  });

  it.each<[string, string, (backend: WebgpuBackend) => unknown]>([
    ['no buffer', 'INVALID_ARGUMENT', (backend) => backend.wrap({} as GPUBuffer, [4])],
    ['no COPY_SRC', 'INVALID_ARGUMENT', (backend) => backend.wrap(bufferOf(backend, 16, STORAGE | COPY_DST), [4])],
    ['no STORAGE', 'INVALID_ARGUMENT', (backend) => backend.wrap(bufferOf(backend, 16, COPY_SRC | COPY_DST), [4])],
    ['too small', 'SHAPE_MISMATCH', (backend) => backend.wrap(bufferOf(backend, 16), [5])],
    ['too far in', 'SHAPE_MISMATCH', (backend) => backend.wrap(bufferOf(backend, 16), [4], { byteOffset: 4 })],
    ['an odd offset', 'INVALID_ARGUMENT', (backend) => backend.wrap(bufferOf(backend, 16), [2], { byteOffset: 2 })],
    ['an empty shape', 'EMPTY_TENSOR', (backend) => backend.wrap(bufferOf(backend, 16), [0])],
    ['no shape', 'SHAPE_MISMATCH', (backend) => backend.wrap(bufferOf(backend, 16), [1.5])],
    [
      'a mapped buffer',
      'INVALID_ARGUMENT',
      ({ device, wrap }) => wrap(device.createBuffer({ size: 16, usage: WRAPPABLE, mappedAtCreation: true }), [4]),
    ],
  ])('refuses %s: %s', async (_, code, use) => {
    const backend = await share(gpu);
    const { liveTensors } = backend;
    expect(await codeOf(() => use(backend))).toBe(code);
    expect(backend.liveTensors).toBe(liveTensors);
  });

  it('finds a buffer of another device by the next read, and nothing was written', async () => {
    const [backend, other] = [await webgpu({ gpu }), await webgpu({ gpu })];
    const buffer = bufferOf(other, 16);
    other.device.queue.writeBuffer(buffer, 0, wave(4, 1));
    const mine = bufferOf(backend, 16);
    backend.device.queue.writeBuffer(mine, 0, wave(4, 2));
    const w = backend.wrap(mine, [4]);
    const theirs = backend.wrap(buffer, [4]);
    backend.scope(() => backend.replace(w, backend.binary('add', w, theirs)));
    expect(await codeOf(() => backend.synchronize())).toBe('INVALID_ARGUMENT');
    // It stays that way: nobody knows what else is missing.
    expect(await codeOf(() => backend.unary('abs', w))).toBe('INVALID_ARGUMENT');
    const again = await webgpu({ device: backend.device });
    expect(await readOne(again, again.wrap(mine, [4]))).toEqual(wave(4, 2));
    again.close();
    backend.close();
    other.close();
  });

  it('reports a buffer that its owner destroyed', async () => {
    const backend = await webgpu({ gpu });
    const buffer = bufferOf(backend, 16);
    const w = backend.wrap(buffer, [4]);
    buffer.destroy();
    // Reading it fails by itself.
    expect(await codeOf(() => backend.read([w]))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => backend.synchronize())).toBe('nothing');
    backend.unary('abs', w);
    expect(await codeOf(() => backend.synchronize())).toBe('INVALID_ARGUMENT');
    backend.close();
  });
});

describeOnGpu('allocate', (gpu) => {
  it('gives tensors side by side, zero, that are updated in place', async () => {
    const backend = await share(gpu);
    // Memory that was used before.
    backend.dispose(backend.tensor(wave(300, 1), [300]));
    const shapes = [[5, 7], [3], [], [65]] as const;
    const tensors = backend.allocate(shapes);
    expect(tensors.map(({ shape }) => shape)).toEqual(shapes);
    expect(new Set(tensors.map(({ buffer }) => buffer)).size).toBe(1);
    expect(tensors.map(({ byteOffset }) => byteOffset)).toEqual([0, 256, 512, 768]);
    expect(await backend.read(tensors)).toEqual(shapes.map((shape) => new Float32Array(sizeOf(shape))));
    const write = (tensor: WebgpuTensor, values: Float32Array) =>
      backend.device.queue.writeBuffer(tensor.buffer, tensor.byteOffset, values as Float32Array<ArrayBuffer>);
    for (const [j, tensor] of tensors.entries()) write(tensor, wave(sizeOf(shapes[j]!), j));
    const gradients = backend.allocate(shapes);
    for (const [j, tensor] of gradients.entries()) write(tensor, wave(sizeOf(shapes[j]!), j + 9));

    const velo = createVelo({ backend, theta: THETA, parameters: tensors, totalSteps: 10 });
    velo.step(gradients, 1);
    expect(velo.parameters).toEqual(tensors);
    const copied = createVelo({
      backend,
      theta: THETA,
      parameters: shapes.map((shape, j) => ({ shape: shape as Shape, data: wave(sizeOf(shape), j) })),
      totalSteps: 10,
    });
    copied.step(
      shapes.map((shape, j) => wave(sizeOf(shape), j + 9)),
      1,
    );
    expect(await backend.read(tensors)).toEqual(await backend.read(copied.parameters));
  });
});

describeOnGpu('uploads', (gpu) => {
  it('of every length arrive, in a scope and outside', async () => {
    const backend = await share(gpu);
    // The last ones go beyond a page, and beyond what is put together on the host.
    const lengths = [1, 3, 5, 20_000, 7, 300_000, 2, 262_140, 9];
    const outside = lengths.map((length) => backend.tensor(wave(length, length), [length]));
    const inside = backend.scope(() => {
      const uploaded = lengths.map((length) => backend.tensor(wave(length, length), [length]));
      return { uploaded, computed: uploaded.map((x) => backend.binary('mul', x, 2)) };
    });
    for (const [j, length] of lengths.entries()) {
      const values = wave(length, length);
      const found = await backend.read([outside[j]!, inside.uploaded[j]!, inside.computed[j]!]);
      const expected = [values, values, values.map((x) => 2 * x)];
      // Comparing them as vitest does takes minutes.
      expect(found.map((x, k) => x.length === length && x.every((value, i) => value === expected[k]![i]))).toEqual([
        true,
        true,
        true,
      ]);
    }
  });

  it('live on where they are kept, as do their aliases', async () => {
    const backend = await share(gpu);
    const kept: WebgpuTensor[] = [];
    const alias = backend.scope(() => {
      const x = backend.tensor(wave(12, 1), [3, 4]);
      kept.push(backend.keep(backend.tensor(wave(6, 2), [6])));
      return backend.slice(backend.reshape(x, [4, 3]), 0, 1, 3);
    });
    // What was uploaded next must not be where they were.
    for (let i = 0; i < 5; i++) backend.scope(() => backend.unary('abs', backend.tensor(wave(50, i), [50])));
    expect(await backend.read([alias, ...kept])).toEqual([wave(12, 1).slice(3, 9), wave(6, 2)]);
    expect(alias.shape).toEqual([2, 3]);
  });

  it('are taken over by replace', async () => {
    const backend = await share(gpu);
    let state = backend.tensor([1, 2, 3], [3]);
    backend.scope(() => {
      state = backend.replace(state, backend.tensor([4, 5, 6], [3]));
      backend.tensor([7, 8, 9], [3]);
    });
    expect(await readOne(backend, state)).toEqual(Float32Array.of(4, 5, 6));
  });
});

describeOnGpu('replace', (gpu) => {
  it('is done before its memory is used again, even by the host', async () => {
    const backend = await share(gpu);
    // As long as what uploads are put together in.
    const length = 262_144;
    const two = backend.tensor([2], [1, 1]);
    const large = backend.expand(two, [1, length]);
    const uploaded = backend.scope(() => {
      // Somebody else sees it, so that it is copied.
      const alias = backend.reshape(large, [length]);
      backend.replace(large, backend.expand(two, [1, length]));
      backend.dispose(alias);
      backend.dispose(large);
      return backend.tensor([3, 4], [2]);
    });
    expect(await readOne(backend, uploaded)).toEqual(Float32Array.of(3, 4));
    for (const tensor of [two, uploaded]) backend.dispose(tensor);
  });

  it('is done in the order that it is asked for', async () => {
    const backend = await share(gpu);
    const [a, b, c] = [1, 2, 3].map((value) => backend.own(backend.tensor([value], [1])));
    backend.scope(() => {
      const seen = [a!, b!, c!].map((x) => backend.reshape(x, [1]));
      backend.replace(a!, backend.tensor([9], [1]));
      backend.replace(b!, seen[0]!);
      backend.replace(c!, seen[1]!);
    });
    expect(await backend.read([a!, b!, c!])).toEqual([9, 9, 9].map((value) => Float32Array.of(value)));
  });
});

describeOnGpu('handles', (gpu) => {
  it('of another backend are none of this', async () => {
    const [backend, other] = [await share(gpu), await webgpu({ device: (await share(gpu)).device })];
    const theirs = other.tensor([1, 2], [2]);
    expect([backend.isTensor(theirs), other.isTensor(theirs)]).toEqual([false, true]);
    const velo = createVelo({ backend, theta: THETA, parameters: [wave(2, 1)], totalSteps: 10 });
    expect(await codeOf(() => velo.step([theirs], 1))).toBe('INVALID_ARGUMENT');
    velo.dispose();
    other.close();
  });

  it('are not left behind where an operation fails', async () => {
    const backend = await share(gpu);
    const one = backend.tensor([1], [1]);
    const corners = backend.tensor(new Float32Array(2 ** 14), new Array(14).fill(2));
    const { liveTensors } = backend;
    // Every other axis, so that none can be joined.
    const other = [0, 2, 4, 6, 8, 10, 12];
    expect(await codeOf(() => backend.reduce('mean', corners, other))).toBe('SHAPE_MISMATCH');
    const { maxStorageBufferBindingSize } = backend.device.limits;
    expect(await codeOf(() => backend.expand(one, [maxStorageBufferBindingSize]))).toBe('TENSOR_TOO_LARGE');
    expect(await codeOf(() => backend.expand(one, [0]))).toBe('EMPTY_TENSOR');
    expect(await codeOf(() => backend.tensor([], [0]))).toBe('EMPTY_TENSOR');
    expect(backend.liveTensors).toBe(liveTensors);
    expect(await readOne(backend, one)).toEqual(Float32Array.of(1));
  });
});

describeOnGpu('a recording', (gpu) => {
  it('is one submission, however many programs it runs', async () => {
    const backend = await share(gpu);
    const { submissions, dispatches } = backend.counters;
    const sum = backend.scope(() => {
      let x = backend.tensor([0, 100], [2]);
      // Each has params of its own.
      for (let i = 1; i <= 150; i++) x = backend.binary('add', x, i);
      return x;
    });
    expect(backend.counters.submissions - submissions).toBe(1);
    expect(backend.counters.dispatches - dispatches).toBe(150);
    expect(await readOne(backend, sum)).toEqual(Float32Array.of(11_325, 11_425));
  });

  it('takes more workgroups than one dimension has', async () => {
    const backend = await share(gpu);
    const length = 65_536 * 256 + 77;
    const end = backend.scope(() => {
      const x = backend.expand(backend.tensor([0.25], [1, 1]), [1, length]);
      return backend.slice(backend.binary('add', x, 1), 1, length - 80, length);
    });
    expect(await readOne(backend, end)).toEqual(new Float32Array(80).fill(1.25));
  });
});

describeOnGpu('memory', (gpu) => {
  it('stays as it is for 1,000 steps', async () => {
    const backend = await share(gpu);
    const { liveTensors } = backend;
    const velo = createVelo({
      backend,
      theta: THETA,
      parameters: [wave(12, 1), { shape: [4, 3], data: wave(12, 2) }],
      totalSteps: 1000,
    });
    const found: number[][] = [];
    for (let step = 0; step < 1000; step++) {
      const { submissions } = backend.counters;
      velo.step([wave(12, step), wave(12, step + 1)], 1);
      expect(backend.counters.submissions).toBe(submissions + 1);
      // By then the memory that creating it took was idle for long.
      if (step >= 200 && step % 100 === 99) {
        await velo.synchronize();
        found.push([backend.buffers, backend.bytes, backend.liveTensors, backend.compiled]);
      }
    }
    expect(found).toHaveLength(8);
    for (const each of found) expect(each).toEqual(found[0]);
    velo.dispose();
    expect(backend.liveTensors).toBe(liveTensors);
  });

  it('goes when the backend is closed', async () => {
    const backend = await webgpu({ gpu });
    const x = backend.unary('abs', backend.tensor(wave(100, 1), [100]));
    expect(backend.bytes).toBeGreaterThan(0);
    backend.close();
    expect([backend.buffers, backend.bytes]).toEqual([0, 0]);
    for (const use of [
      () => backend.tensor([1], [1]),
      () => backend.unary('abs', x),
      () => backend.scope(() => {}),
      () => backend.synchronize(),
      () => backend.warmUp(),
    ]) {
      expect(await codeOf(use)).toBe('DISPOSED');
    }
  });

  it('that nobody submits anything with is used again', async () => {
    const backend = await webgpu({ gpu });
    const use = () => backend.dispose(backend.tensor(wave(100, 1), [100]));
    use();
    const { buffers } = backend;
    for (let i = 0; i < 10; i++) use();
    expect(backend.buffers).toBe(buffers);
    backend.close();
  });
});
