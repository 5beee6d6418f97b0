import { existsSync, readFileSync } from 'node:fs';
import { createTheta, sizeOf, type Theta, thetaShapes } from '@velojs/core';
import { build, type Rollup } from 'vite';
import { describe, expect, it } from 'vitest';
import { checkpointFromTheta } from './checkpoint-tree.ts';
import { flaxTree, readFlax, writeFlax } from './flax-file.ts';
import { inspectWeights, readTheta, type ThetaFormat, writeTheta } from './formats.ts';
import { pyloFromTheta } from './pylo-files.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { starterTheta } from './starter-theta.ts';
import { encodeState } from './state-file.ts';
import { isStoredArray, type StoredArray } from './stored-array.ts';
import type { ThetaMetadata } from './theta-file.ts';

const golden = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)));
const bare = golden('bare.msgpack');
const { theta } = await readTheta(bare);
const one = async (value: Theta, format: ThetaFormat, metadata?: ThetaMetadata) =>
  (await writeTheta(value, format, metadata))[0]!;
const text = (content: string) => new TextEncoder().encode(content);

/** Numbers that are neither regular nor equal anywhere, dead layer included. */
function syntheticTheta(hiddenSize: number, bankSize: number): Theta {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 33;
  };
  const leaves = Object.entries(thetaShapes(hiddenSize, bankSize));
  return createTheta(
    Object.fromEntries(
      leaves.map(([leaf, shape]) => [leaf, { shape, data: Float32Array.from({ length: sizeOf(shape) }, next) }]),
    ),
  );
}

describe('the golden checkpoints', () => {
  const checkpoints = JSON.parse(new TextDecoder().decode(golden('checkpoints.json'))) as {
    files: string[];
    leaves: { path: string[]; shape: number[]; first: number[]; sum: number }[];
  };
  const wrapped = { gen_id: 'fake_initial_gen_id', step: '1011', step_type: 'int32' };
  const plain = { gen_id: '', step: '70000', step_type: 'int' };
  const files: [file: string, format: ThetaFormat, metadata: ThetaMetadata][] = [
    ['bare.msgpack', 'flax-theta', {}],
    ['bare_chunked.msgpack', 'flax-theta', {}],
    ['bare_old_namedtuple.msgpack', 'flax-theta', {}],
    ['bare_reordered.msgpack', 'flax-theta', {}],
    ['parameter_checkpoint.msgpack', 'flax-params', wrapped],
    ['parameter_checkpoint_int_step.msgpack', 'flax-params', plain],
  ];

  it('are all tested here', () => {
    expect(checkpoints.files).toEqual([...files.map(([file]) => file), 'pylo_mlp.safetensors', 'pylo_rnn.safetensors']);
  });

  it('hold the numbers that their list gives', () => {
    const leaves = checkpointFromTheta(theta);
    expect(Object.keys(leaves).sort()).toEqual(checkpoints.leaves.map(({ path }) => path.join('.')).sort());
    for (const { path, shape, first, sum } of checkpoints.leaves) {
      const leaf = leaves[path.join('.')]!;
      expect(leaf.shape).toEqual(shape);
      expect([...leaf.data.subarray(0, first.length)]).toEqual(first);
      expect(leaf.data.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 10);
    }
    expect(theta.dead).not.toBeNull();
  });

  it.each(files)('%s is read, inspected and written', async (file, format, metadata) => {
    const bytes = golden(file);
    expect(await readTheta(bytes)).toEqual({ theta, format, metadata });
    expect(await inspectWeights(bytes)).toMatchObject({
      format,
      metadata,
      isVelo: true,
      hiddenSize: 16,
      bankSize: 8,
      message: null,
    });
    expect(await one(theta, 'flax-theta', metadata)).toEqual(bare);
    if (format === 'flax-params') expect(await one(theta, format, metadata)).toEqual(bytes);
  });

  it("PyLO's two files are one theta, in any order", async () => {
    const [lstm, mlp] = [golden('pylo_rnn.safetensors'), golden('pylo_mlp.safetensors')];
    for (const pair of [
      [lstm, mlp],
      [mlp, lstm],
    ]) {
      expect(await readTheta(pair)).toEqual({ theta, format: 'pylo', metadata: {} });
      expect(await inspectWeights(pair)).toMatchObject({ format: 'pylo', isVelo: true, hiddenSize: 16, bankSize: 8 });
    }
    const [writtenLstm, writtenMlp] = await writeTheta(theta, 'pylo');
    expect(writtenLstm).toEqual(lstm);
    // The working copies are left over from a step in the one and zeros in the other.
    expect(writtenMlp).toHaveLength(mlp.length);
    const working = /^(input|hidden|output)_(weights|bias)(\.0)?$/;
    const kept = (bytes: Uint8Array) => [...readSafetensors(bytes).tensors].filter(([name]) => !working.test(name));
    expect(kept(writtenMlp!)).toEqual(kept(mlp));
    expect(kept(mlp)).toHaveLength(6);
  });

  it('lie in memory of any alignment, and are copied', async () => {
    const [lstm, mlp] = [golden('pylo_rnn.safetensors'), golden('pylo_mlp.safetensors')];
    const ours = await one(theta, 'velojs');
    for (const shift of [1, 2, 3, 4]) {
      for (const files of [[bare], [lstm, mlp], [ours]]) {
        const shifted = files.map((file) => {
          const bytes = Buffer.alloc(file.length + 10).subarray(shift, shift + file.length);
          bytes.set(file);
          return bytes;
        });
        const read = await readTheta(shifted);
        for (const bytes of shifted) bytes.fill(0xff);
        expect(read.theta).toEqual(theta);
      }
    }
  });
});

describe('at the released sizes', () => {
  const full = syntheticTheta(512, 256);

  it.each<[ThetaFormat, number[]]>([
    ['flax-params', [9_282_564]],
    ['flax-theta', [9_282_507]],
    ['pylo', [9_119_908, 164_296]],
  ])('%s has the published sizes, and comes back', async (format, lengths) => {
    const files = await writeTheta(full, format);
    expect(files.map(({ length }) => length)).toEqual(lengths);
    const read = await readTheta(files);
    expect(read.format).toBe(format);
    expect(isSame(read.theta, full)).toBe(true);
  });

  it('every array of a flax file has the shape and the bytes of the released one', async () => {
    const { leaves } = await inspectWeights(await one(full, 'flax-theta'));
    expect(leaves.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(9_281_540);
    expect(leaves.find(({ name }) => name === 'rnn_params.rnn/linear.w')).toEqual({
      name: 'rnn_params.rnn/linear.w',
      shape: [1024, 2048],
      type: 'float32',
      bytes: 8_388_608,
    });
  });
});

/** As `toEqual`, in a moment. */
function isSame(a: Theta, b: Theta): boolean {
  const values = (value: Theta) => Object.entries({ ...value.leaves, ...value.dead });
  const [ours, theirs] = [values(a), values(b)];
  const equals = (data: Float32Array, other: Float32Array | undefined) =>
    Buffer.compare(
      Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      Buffer.from(other!.buffer, other!.byteOffset, other!.byteLength),
    ) === 0;
  return (
    ours.length === theirs.length &&
    ours.every(([leaf, data], i) => theirs[i]![0] === leaf && equals(data, theirs[i]![1]))
  );
}

describe('between formats', () => {
  it('a theta without the dead layer gets one of zeros from the tools that expect it', async () => {
    const starter = starterTheta({ hiddenSize: 16, bankSize: 2 });
    expect(starter.dead).toBeNull();
    for (const format of ['flax-params', 'flax-theta', 'pylo'] as const) {
      const { theta: read } = await readTheta(await writeTheta(starter, format));
      expect(read.leaves).toEqual(starter.leaves);
      expect(read.dead).toEqual({ deadWeight: new Float32Array(480), deadBias: new Float32Array(16) });
    }
    for (const format of ['velojs', 'velojs-float16'] as const) {
      expect((await readTheta(await writeTheta(starter, format))).theta.dead).toBeNull();
    }
  });

  it('the dead layer may be absent from files of all formats', async () => {
    const leaves = checkpointFromTheta(theta);
    const { 'rnn_params.linear.w': _w, 'rnn_params.linear.b': _b, ...alive } = leaves;
    expect((await readTheta(writeFlax(flaxTree(alive)))).theta).toEqual({ ...theta, dead: null });
    const { tensors, metadata } = readSafetensors(golden('pylo_rnn.safetensors'));
    const lstm = new Map([...tensors].filter(([name]) => !name.startsWith('mix_layer1')));
    const files = [writeSafetensors({ tensors: lstm, metadata }), golden('pylo_mlp.safetensors')];
    expect((await readTheta(files)).theta).toEqual({ ...theta, dead: null });
  });

  it('metadata go along where there is a place for them', async () => {
    const metadata = { name: 'mine', gen_id: 'abc', step: '-9007199254740993', step_type: 'int64' };
    for (const format of ['velojs', 'velojs-float16'] as const) {
      expect((await readTheta(await one(theta, format, metadata))).metadata).toEqual(metadata);
    }
    const { name: _, ...kept } = metadata;
    expect((await readTheta(await one(theta, 'flax-params', metadata))).metadata).toEqual(kept);
    expect((await readTheta(await one(theta, 'flax-theta', metadata))).metadata).toEqual({});
  });

  it("what other tools put into PyLO's files does not stand in the way of writing ours", async () => {
    const marked = (name: string) =>
      writeSafetensors({
        ...readSafetensors(golden(name)),
        metadata: new Map([
          ['format', 'pt'],
          ['by', name],
        ]),
      });
    const { metadata } = await readTheta([marked('pylo_rnn.safetensors'), marked('pylo_mlp.safetensors')]);
    expect(metadata).toEqual({ by: 'pylo_mlp.safetensors' });
    expect((await readTheta(await one(theta, 'velojs', metadata))).metadata).toEqual(metadata);
  });

  it.each([
    ['int', '0'],
    ['int', '-33'],
    ['int', '4294967295'],
    ['int', '4294967296'],
    ['int', '-2147483649'],
    ['int', '18446744073709551615'],
    ['int8', '-128'],
    ['uint16', '65535'],
    ['int32', '-2147483648'],
    ['uint64', '18446744073709551615'],
  ])('a step of type %s that is %s is kept', async (step_type, step) => {
    const bytes = await one(theta, 'flax-params', { step, step_type });
    const { metadata } = await readTheta(bytes);
    expect(metadata).toEqual({ gen_id: 'fake_initial_gen_id', step, step_type });
    expect(await one(theta, 'flax-params', metadata)).toEqual(bytes);
  });

  it('a step above 2^32 is an integer in the file, as Python writes it', async () => {
    const bytes = await one(theta, 'flax-params', { step: '4294967296', step_type: 'int' });
    expect([...bytes.slice(-9)]).toEqual([0xcf, 0, 0, 0, 1, 0, 0, 0, 0]);
  });

  it.each<[string, ThetaFormat, ThetaMetadata]>([
    ['a step that is no number', 'flax-params', { step: '1.5' }],
    ['a step beyond its type', 'flax-params', { step: '300', step_type: 'uint8' }],
    ['a negative step of a type without sign', 'flax-params', { step: '-1', step_type: 'uint64' }],
    ['a step beyond 64 bits', 'flax-params', { step: '18446744073709551616', step_type: 'int' }],
    ['an unknown type of step', 'flax-params', { step: '1', step_type: 'toString' }],
    ["a key of the format's own", 'velojs-float16', { format: 'x' }],
    ['an unknown format', 'toString' as ThetaFormat, {}],
  ])('%s cannot be written', async (_, format, metadata) => {
    await expect(writeTheta(theta, format, metadata)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('half precision', () => {
  const scaled = (factor: number) =>
    createTheta(
      Object.fromEntries(
        Object.entries({ ...theta.leaves, ...theta.dead }).map(([leaf, data]) => [
          leaf,
          { shape: (thetaShapes(16, 8) as Record<string, number[]>)[leaf]!, data: data.map((value) => value * factor) },
        ]),
      ),
    );

  it.each([
    ['the golden theta', theta],
    ['a starter theta', starterTheta({ hiddenSize: 32 })],
  ])('of %s takes half the bytes, and costs every leaf at most 2^-11 of itself', async (_, whole) => {
    const bytes = await one(whole, 'velojs-float16', { name: 'half' });
    expect(bytes.length).toBeLessThan(0.56 * (await one(whole, 'velojs', { name: 'half' })).length);
    const read = await readTheta(bytes);
    expect([read.format, read.metadata]).toEqual(['velojs-float16', { name: 'half' }]);
    const rounded: Record<string, Float32Array> = { ...read.theta.leaves, ...read.theta.dead };
    const root = (values: Float32Array) => Math.hypot(...values);
    for (const [leaf, data] of Object.entries({ ...whole.leaves, ...whole.dead })) {
      const error = rounded[leaf]!.map((value, i) => value - data[i]!);
      expect(root(error)).toBeLessThanOrEqual(2 ** -11 * root(data));
    }
    // Something is lost, or nothing was rounded.
    expect(isSame(read.theta, whole)).toBe(false);
    // What is half precision already loses nothing.
    expect(await one(read.theta, 'velojs-float16', { name: 'half' })).toEqual(bytes);
  });

  it.each([
    ['too large', 1e6],
    ['too small', 1e-7],
  ])('of numbers that are %s for it is refused', async (_, factor) => {
    await expect(writeTheta(scaled(factor), 'velojs-float16')).rejects.toMatchObject({
      code: 'WEIGHTS_INVALID',
      message: expect.stringMatching(/half precision cannot hold/),
    });
  });
});

describe('inspectWeights', () => {
  const CELO = new URL('../../../../shared/weights/celo/theta.state', import.meta.url);
  if (!existsSync(CELO)) it.skip(`the real file of Celo: there is none at ${CELO.pathname}`, () => {});
  else {
    const celo = new Uint8Array(readFileSync(CELO));
    it('shows the real file of Celo for what it is', async () => {
      const inspection = await inspectWeights(celo);
      expect(inspection).toMatchObject({ format: 'celo', isVelo: false, hiddenSize: 64, bankSize: 1, metadata: {} });
      expect(inspection.message).toMatch(/This is Celo .* width 64 .* VeLO weight file/);
      expect(inspection.leaves.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(37_089);
      await expect(readTheta(celo)).rejects.toMatchObject({ code: 'WEIGHTS_INVALID', message: inspection.message });
    });

    it('the real file of Celo is written as it was', () => {
      const leaves: [string, { shape: readonly number[]; data: Float32Array }][] = [];
      for (const [path, leaf] of readFlax(celo)) {
        const { shape, bytes } = leaf as StoredArray;
        leaves.push([path, { shape, data: new Float32Array(new Uint8Array(bytes).buffer) }]);
      }
      expect(Buffer.compare(writeFlax(flaxTree(Object.fromEntries(leaves))), celo)).toBe(0);
    });
  }

  it('lists every array under its name in the file', async () => {
    const { leaves } = await inspectWeights(golden('parameter_checkpoint.msgpack'));
    expect(leaves).toHaveLength(33);
    expect(leaves[0]).toEqual({ name: 'params.ff_mod_stack.~.b0', shape: [8, 4], type: 'float32', bytes: 128 });
    const half = await inspectWeights(await one(theta, 'velojs-float16'));
    expect(half.leaves).toContainEqual({ name: 'bankBias0', shape: [8, 4], type: 'F16', bytes: 64 });
    expect(half.metadata).toMatchObject({ format: 'velojs-theta', hiddenSize: '16' });
  });

  const tensors = (entries: Record<string, number[]>, metadata: Record<string, string> = {}) =>
    writeSafetensors({
      tensors: new Map(
        Object.entries(entries).map(([name, shape]) => [name, { shape, data: new Float32Array(sizeOf(shape)) }]),
      ),
      metadata: new Map(Object.entries(metadata)),
    });
  const array: StoredArray = { shape: [2], type: 'bfloat16', bytes: new Uint8Array(4) };
  const state = { format: 'velo-state', version: 1, tensors: {}, values: {} } as never;

  it.each<[string, Uint8Array, string, RegExp]>([
    [
      'another network in flax',
      writeFlax({ params: { Dense_0: { kernel: array } }, epoch: 3 }),
      'flax-unknown',
      /1 array: "params.Dense_0.kernel"/,
    ],
    ['an empty flax file', writeFlax({}), 'flax-unknown', /no arrays/],
    [
      'another network in safetensors',
      tensors({ a: [1], b: [2], c: [3], d: [4] }),
      'safetensors-unknown',
      /4 arrays: "a", "b", "c", \.\.\./,
    ],
    ['the state of a training', encodeState(state), 'safetensors-unknown', /decodeState/],
    ["PyLO's LSTM alone", golden('pylo_rnn.safetensors'), 'pylo-lstm', /give its MLP file/],
    ["PyLO's MLP alone", golden('pylo_mlp.safetensors'), 'pylo-mlp', /give its LSTM file/],
    [
      'a theta of a later velojs',
      tensors({}, { format: 'velojs-theta', formatVersion: '2' }),
      'velojs',
      /update velojs/,
    ],
  ])('tells what %s is, and readTheta throws it', async (_, bytes, format, message) => {
    const inspection = await inspectWeights(bytes);
    expect(inspection).toMatchObject({ format, isVelo: false, message: expect.stringMatching(message) });
    await expect(readTheta(bytes)).rejects.toMatchObject({ code: 'WEIGHTS_INVALID', message: inspection.message });
  });

  it('keeps text and numbers beside the arrays', async () => {
    const bytes = writeFlax({ name: 'x', epoch: 3, params: { x: array } });
    expect((await inspectWeights(bytes)).metadata).toEqual({ name: 'x', epoch: '3' });
  });
});

describe('is refused with WEIGHTS_INVALID', () => {
  /** The golden checkpoint with some leaves changed. */
  const changed = (
    change: (leaves: Record<string, StoredArray>) => void,
    wrapper: Record<string, string | number> = {},
  ) => {
    const leaves: Record<string, StoredArray> = {};
    for (const [path, leaf] of readFlax(bare)) if (isStoredArray(leaf)) leaves[path] = leaf;
    change(leaves);
    const asFloats = Object.entries(leaves).map(
      ([path, { shape }]) => [path, { shape, data: new Float32Array(sizeOf(shape)) }] as const,
    );
    const tree = flaxTree(Object.fromEntries(asFloats)) as Record<string, Record<string, Record<string, unknown>>>;
    for (const [path, leaf] of Object.entries(leaves)) {
      const [a, b, c] = path.split('.');
      if (c === undefined) tree[a!]![b!] = leaf as never;
      else tree[a!]![b!]![c] = leaf;
    }
    return writeFlax(Object.keys(wrapper).length > 0 ? { params: tree as never, ...wrapper } : (tree as never));
  };
  const [lstm, mlp] = [golden('pylo_rnn.safetensors'), golden('pylo_mlp.safetensors')];
  const float = (shape: number[], type = 'float32', width = 4): StoredArray => ({
    shape,
    type,
    bytes: new Uint8Array(sizeOf(shape) * width),
  });
  const nan = { ...float([1]), bytes: Uint8Array.of(0, 0, 0xc0, 0x7f) };
  const otherMlp = pyloFromTheta(syntheticTheta(16, 4))[1];
  const otherLstm = pyloFromTheta(syntheticTheta(16, 8))[0];

  it.each<[string, Uint8Array | Uint8Array[], RegExp]>([
    ['nothing', new Uint8Array(), /0 bytes/],
    ['no files', [], /read the file as bytes/],
    ['a page', text('<!doctype html>'), /web page/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8), /decompress/],
    ['a zip archive', text('PK\x03\x04'), /PyTorch/],
    ['a pickle', Uint8Array.of(0x80, 4, 0x95), /pickle/],
    ['a pointer of Git LFS', text('version https://git-lfs.github.com/spec/v1'), /git lfs pull/],
    ['text', text('hello'), /5 bytes\) is cut short or of another kind/],
    ['a cut flax file', bare.subarray(0, 5000), /cut short/],
    ['a cut safetensors file', lstm.subarray(0, 5000), /bytes of data/],
    ['three files', [lstm, mlp, mlp], /pylo-lstm and pylo-mlp and pylo-mlp/],
    ['two whole files', [bare, bare], /flax-theta and flax-theta/],
    ["PyLO's files of different banks", [lstm, otherMlp], /bank of 4 .* one of 8/],
    ["PyLO's damaged half", [tensors(otherLstm, 'step_size.bias'), mlp], /lacks the leaf "step_size.bias"/],
    [
      'a missing leaf',
      changed((leaves) => delete leaves['rnn_params.step_size.b']),
      /lacks the leaf "rnn_params.step_size.b"/,
    ],
    [
      'an unknown leaf',
      changed((leaves) => (leaves['rnn_params.step_size.c'] = float([1]))),
      /unknown leaf "rnn_params.step_size.c"/,
    ],
    [
      'a misshapen leaf',
      changed((leaves) => (leaves['rnn_params.step_size.b'] = float([2]))),
      /shape \[2\] where H = 16, K = 8 ask for \[1\]/,
    ],
    [
      'another type',
      changed((leaves) => (leaves['rnn_params.step_size.b'] = float([1], 'bfloat16', 2))),
      /type bfloat16 where float32/,
    ],
    [
      'half a dead layer',
      changed((leaves) => delete leaves['rnn_params.linear.b']),
      /lacks the leaf "rnn_params.linear.b"/,
    ],
    ['a number that is not finite', changed((leaves) => (leaves['rnn_params.step_size.b'] = nan)), /not finite/],
    [
      'no H',
      changed((leaves) => (leaves['lstm_init_state.hidden'] = float([]))),
      /"lstm_init_state.hidden" of shape \[\]/,
    ],
    ['an H of 0', changed((leaves) => (leaves['lstm_init_state.hidden'] = float([1, 0]))), /shape \[1,0\]/],
    ['a step that is no integer', changed(() => {}, { gen_id: '', step: 1.5 }), /"step"/],
    ['an id that is no text', changed(() => {}, { gen_id: 1, step: 1 }), /"gen_id"/],
    ['something beside params', changed(() => {}, { gen_id: '', step: 1, extra: 1 }), /"extra"/],
  ])('%s', async (_, files, message) => {
    await expect(readTheta(files)).rejects.toMatchObject({
      name: 'VeloError',
      code: 'WEIGHTS_INVALID',
      message: expect.stringMatching(message),
    });
  });

  /** A safetensors file without one of its tensors. */
  function tensors(file: Uint8Array, without: string): Uint8Array {
    const { tensors: all, metadata } = readSafetensors(file);
    return writeSafetensors({ tensors: new Map([...all].filter(([name]) => name !== without)), metadata });
  }

  it('a file of ours whose numbers are of different types', async () => {
    const file = readSafetensors(await one(theta, 'velojs'));
    const mixed = new Map(file.tensors);
    mixed.set('stepBias', { shape: [1], data: new Float64Array(1) });
    await expect(readTheta(writeSafetensors({ ...file, tensors: mixed }))).rejects.toMatchObject({
      code: 'WEIGHTS_INVALID',
      message: expect.stringMatching(/"stepBias" of type F64 where F32/),
    });
  });

  it('what is not bytes', async () => {
    for (const files of ['params', null, undefined, new ArrayBuffer(8), [bare, 'x'], 1]) {
      await expect(readTheta(files as never)).rejects.toMatchObject({ code: 'WEIGHTS_INVALID' });
      await expect(inspectWeights(files as never)).rejects.toMatchObject({ code: 'WEIGHTS_INVALID' });
    }
  });
});

it('a bundle loads the MessagePack library with the first flax file, not before', async () => {
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@velojs/source'] },
    build: {
      write: false,
      minify: false,
      lib: { entry: new URL('index.ts', import.meta.url).pathname, formats: ['es'] },
      rollupOptions: { external: (id) => id.startsWith('node:') || id.startsWith('@msgpack/') },
    },
  })) as Rollup.RollupOutput[];
  const chunks = result.flatMap(({ output }) => output).filter((chunk) => chunk.type === 'chunk');
  const reached = new Set<string>();
  const visit = (name: string) => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const imported of chunks.find(({ fileName }) => fileName === name)?.imports ?? []) visit(imported);
  };
  visit(chunks.find(({ isEntry }) => isEntry)!.fileName);
  expect([...reached].filter((name) => name.includes('msgpack'))).toEqual([]);
  expect(chunks.flatMap(({ imports }) => imports)).toContain('@msgpack/msgpack');
});
