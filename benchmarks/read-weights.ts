/**
 * What reading a file of the released size costs, in every format, beside reading its bytes and copying them into
 * Float32Arrays.
 *
 *     node --expose-gc --conditions=@velojs/source --import tsx benchmarks/read-weights.ts [--rounds 40] [--json FILE]
 *
 * Both run once per round, in random order. Times are CPU times; ratios are medians of the rounds' ratios, so that a slow
 * moment of the machine weighs on both sides. Memory is measured in processes of their own, and counts everything from
 * the open file to theta: the file's bytes and theta as well.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTheta, sizeOf, type Theta, thetaShapes } from '@velojs/core';
import { readTheta, starterTheta, type ThetaFormat, writeTheta } from '@velojs/weights';

const FORMATS: readonly ThetaFormat[] = ['flax-params', 'flax-theta', 'velojs', 'velojs-float16', 'pylo'];
/** For Google's file; the other formats are there to compare. */
const GOAL = { format: 'flax-params', time: 3, memory: 3 } as const;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    json: { type: 'string' },
    memory: { type: 'string', multiple: true },
  },
});

const read = (paths: readonly string[]) => readTheta(paths.map((path) => readFileSync(path)));

/** Random numbers of the released sizes, dead layer included. */
function randomTheta(): Theta {
  const tensors = Object.entries(thetaShapes(512, 256)).map(([leaf, shape]) => {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => Math.random() - 0.5);
    return [leaf, { shape, data }] as const;
  });
  return createTheta(Object.fromEntries(tensors));
}

const bytesOf = ({ leaves, dead }: Theta) =>
  Object.values({ ...leaves, ...dead }).map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const fixed = (value: number) => value.toFixed(2).padStart(8);
const verdict = (format: ThetaFormat, value: number, goal: number) =>
  format === GOAL.format ? ` (goal ${goal}: ${value <= goal ? 'met' : 'MISSED'})` : '';

/** CPU milliseconds. */
async function timeOf(body: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The bytes by which the process grew at its largest; everything is loaded and compiled before. */
async function measureMemory(paths: readonly string[], small: readonly string[]): Promise<number> {
  for (let i = 0; i < 20; i++) await read(small);
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  await read(paths);
  return peakMemory() - before;
}

/** Bytes. On Linux `maxRSS` begins with what the parent had, so it is read off where that is not so. */
function peakMemory(): number {
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '';
  return 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
}

if (options.memory) {
  const half = options.memory.length / 2;
  process.stdout.write(`${await measureMemory(options.memory.slice(0, half), options.memory.slice(half))}`);
  process.exit(0);
}

const directory = mkdtempSync(join(tmpdir(), 'velojs-read-'));
const write = async (theta: Theta, format: ThetaFormat, name: string) =>
  (await writeTheta(theta, format)).map((bytes, i) => {
    const path = join(directory, `${name}-${format}-${i}`);
    writeFileSync(path, bytes);
    return path;
  });

const theta = randomTheta();
const rows = [];
for (const format of FORMATS) {
  const paths = await write(theta, format, 'full');
  const small = await write(starterTheta(), format, 'small');
  const fileBytes = paths.reduce((sum, path) => sum + readFileSync(path).length, 0);

  const first = await read(paths);
  const rewritten = await writeTheta(first.theta, format);
  const isRight =
    first.format === format &&
    (format === 'velojs-float16'
      ? rewritten.every((bytes, i) => readFileSync(paths[i]!).equals(bytes))
      : bytesOf(first.theta).every((bytes, i) => bytes.equals(bytesOf(theta)[i]!)));
  if (!isRight) throw new Error(`${format} is read wrongly: nothing to measure`);

  const copy = () =>
    paths.map((path) => {
      const bytes = readFileSync(path);
      const values = new Float32Array(Math.ceil(bytes.length / 4));
      new Uint8Array(values.buffer).set(bytes);
      return values;
    });
  const bodies = { read: () => read(paths), copy };
  const times: Record<keyof typeof bodies, number[]> = { read: [], copy: [] };
  for (let round = -5; round < Number(options.rounds); round++) {
    const order = Math.random() < 0.5 ? (['read', 'copy'] as const) : (['copy', 'read'] as const);
    for (const body of order) {
      globalThis.gc?.();
      const time = await timeOf(bodies[body]);
      if (round >= 0) times[body].push(time);
    }
  }
  const memory = median(
    Array.from({ length: 5 }, () =>
      Number(
        execFileSync(process.execPath, [
          ...process.execArgv,
          import.meta.filename,
          ...[...paths, ...small].map((path) => `--memory=${path}`),
        ]),
      ),
    ),
  );
  const row = {
    format,
    fileBytes,
    readMilliseconds: median(times.read),
    copyMilliseconds: median(times.copy),
    timeRatio: median(times.read.map((time, i) => time / times.copy[i]!)),
    memoryRatio: memory / fileBytes,
  };
  rows.push(row);
  console.log(
    `${format.padEnd(15)} ${fileBytes} bytes: ${fixed(row.readMilliseconds)} ms, copy ${fixed(row.copyMilliseconds)} ms, ` +
      `ratio ${fixed(row.timeRatio)}${verdict(format, row.timeRatio, GOAL.time)}, ` +
      `memory ${fixed(row.memoryRatio)} files${verdict(format, row.memoryRatio, GOAL.memory)}`,
  );
}
rmSync(directory, { recursive: true });
if (options.json) {
  writeFileSync(
    options.json,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, rows }, null, 2)}\n`,
  );
}
