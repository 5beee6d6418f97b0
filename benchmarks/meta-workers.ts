/**
 * What more workers bring meta-training on this machine: updates per second with threads, and with workers through Redis,
 * each a process of its own; and what goes through Redis.
 *
 *   npx tsx --conditions=@velojs/source benchmarks/meta-workers.ts [--rounds 7] [--pes] [--json FILE]
 *
 * It starts a `redis-server` of its own. In a round everyone makes the same update, in random order; results must be
 * those of one thread bit for bit, or the run ends. Times are on the clock on the wall: the machine has to be idle.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ownThread, parseConfig, queueWorkers, type StartWorkers, threads, type Workers } from '@velojs/meta';
import Table from 'cli-table3';
import { Redis } from 'ioredis';
import { Replica } from '../packages/meta/src/replica.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    pes: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const ROUNDS = Number(options.rounds);
const WARM_UP = 2;
const PAIRS = 24;
const pairs = Array.from({ length: PAIRS }, (_, pair) => pair);

const config = parseConfig({
  seed: 5,
  trained: { stepWeight: { scale: 10 }, bankWeight0: { scale: 0.12, bank: [0] } },
  tasks: { families: { blobs: 1, teacher: 2, glyphs: 1, regression: 2, logistic: 1 } },
  horizon: options.pes ? { low: 400, high: 4000 } : { low: 100, high: 1000 },
  estimator: options.pes ? { kind: 'pes', truncation: 400 } : { kind: 'es' },
  pairs: PAIRS,
  updates: 1_000_000,
});

interface Contender {
  readonly name: string;
  readonly workers: Workers;
  readonly replica: Replica;
  readonly seconds: number[];
  /** Through Redis, into it and out of it. */
  readonly bytes: { readonly in: number; readonly out: number }[];
}

const folder = mkdtempSync(join(tmpdir(), 'velojs-meta-workers-'));
const processes: ChildProcess[] = [];

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  return child;
}

async function startRedis(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const redis = start('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]);
  await once(redis.stdout!, 'data');
  return `redis://127.0.0.1:${port}`;
}

/** Workers of a run: processes with a thread each. */
async function startWorkers(address: string, run: string, count: number): Promise<void> {
  const cli = new URL('../packages/velojs/src/cli.ts', import.meta.url).pathname;
  const place = ['--redis', address, '--run', run, '--threads', '1'];
  await Promise.all(
    Array.from({ length: count }, () =>
      once(
        start(process.execPath, ['--conditions=@velojs/source', '--import', 'tsx', cli, 'meta-worker', ...place])
          .stdout!,
        'data',
      ),
    ),
  );
}

async function enter(name: string, start: StartWorkers): Promise<Contender> {
  const replica = await Replica.create(config);
  return { name, replica, workers: await start(replica, replica.search.state), seconds: [], bytes: [] };
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
};
const quartile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.round(share * (values.length - 1))]!;

async function traffic(redis: Redis): Promise<{ in: number; out: number }> {
  const stats = await redis.info('stats');
  const value = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)![1]);
  return { in: value('total_net_input_bytes'), out: value('total_net_output_bytes') };
}

try {
  const address = await startRedis();
  const redis = new Redis(address);
  const contenders = [
    await enter('this thread', ownThread),
    await enter('1 thread', threads(1)),
    await enter('2 threads', threads(2)),
  ];
  for (const count of [1, 2, 4]) {
    const run = `bench-${count}`;
    contenders.push(
      await enter(`Redis, ${count} ${count === 1 ? 'worker' : 'workers'}`, queueWorkers({ connection: address, run })),
    );
    await startWorkers(address, run, count);
  }

  const rounds = WARM_UP + ROUNDS;
  for (let round = 0; round < rounds; round++) {
    const results: string[] = [];
    for (const contender of contenders.toSorted(() => Math.random() - 0.5)) {
      const before = await traffic(redis);
      const begin = performance.now();
      const found = await contender.workers.runPairs(pairs);
      await contender.workers.update(found);
      contender.replica.update(found);
      const seconds = (performance.now() - begin) / 1000;
      const after = await traffic(redis);
      results.push(JSON.stringify(found));
      if (round < WARM_UP) continue;
      contender.seconds.push(seconds);
      contender.bytes.push({ in: after.in - before.in, out: after.out - before.out });
    }
    if (new Set(results).size !== 1) throw new Error(`Update ${round + 1} is not the same for everyone.`);
    process.stderr.write(`round ${round + 1} of ${rounds}, results are the same\n`);
  }

  const [, single] = contenders;
  const rows = contenders.map(({ name, seconds, bytes }) => {
    const ratios = seconds.map((value, round) => single!.seconds[round]! / value);
    const isRemote = name.startsWith('Redis');
    return {
      name,
      updatesPerSecond: 1 / median(seconds),
      overOneThread: median(ratios),
      quartiles: [quartile(ratios, 0.25), quartile(ratios, 0.75)],
      bytesIn: isRemote ? median(bytes.map((one) => one.in)) : null,
      bytesOut: isRemote ? median(bytes.map((one) => one.out)) : null,
    };
  });
  const table = new Table({
    head: ['', 'updates/s', 'over 1 thread', 'quartiles', 'bytes into Redis', 'out of it'],
    style: { head: [], border: [] },
  });
  for (const { name, updatesPerSecond, overOneThread, quartiles, bytesIn, bytesOut } of rows) {
    table.push([
      name,
      updatesPerSecond.toPrecision(3),
      overOneThread.toFixed(2),
      quartiles.map((value) => value.toFixed(2)).join(' to '),
      ...[bytesIn, bytesOut].map((bytes) => (bytes === null ? '' : bytes.toLocaleString('en-GB'))),
    ]);
  }
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}`;
  console.log(`${options.pes ? 'PES' : 'ES'}, ${PAIRS} pairs per update, ${ROUNDS} rounds; ${machine}\n${table}`);
  if (options.json)
    writeFileSync(options.json, JSON.stringify({ machine, pes: options.pes, pairs: PAIRS, rows }, null, 2));

  redis.disconnect();
  for (const { workers, replica } of contenders) {
    await workers.close();
    replica.dispose();
  }
} finally {
  for (const child of processes) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
}
