/** Who takes part: every backend of ours that runs here, and its opponents. */
import { availableParallelism } from 'node:os';
import { cpu } from '@velojs/backend-cpu';
import type { Contender, LeftOut } from '../contender.ts';
import { assemblyAdam } from './assembly-adam.ts';
import { jaxAdam } from './jax-adam.ts';
import { plainAdam } from './plain-adam.ts';
import { tfjsContenders } from './tfjs.ts';
import { veloContenders } from './velo.ts';

export interface Lineup {
  readonly contenders: readonly Contender[];
  readonly leftOut: readonly LeftOut[];
  dispose(): void;
}

/**
 * @param field `all`, or `relaxed` for VeLO with relaxed SIMD and those that it is compared with, for a process that
 *   exists for its sake.
 */
export async function lineup(field: 'all' | 'relaxed'): Promise<Lineup> {
  const contenders: Contender[] = [];
  const leftOut: LeftOut[] = [];
  const disposals: (() => void)[] = [];
  const enter = async (name: string, start: () => Promise<Contender[]>) => {
    try {
      contenders.push(...(await start()));
    } catch (error) {
      leftOut.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  };
  const enterWasm = (name: string, simd: 'plain' | 'relaxed', threads: number) =>
    enter(`VeLO ${name}`, async () => {
      if (threads > availableParallelism()) throw new Error(`this machine has ${availableParallelism()} thread`);
      const { wasm } = await import('@velojs/backend-wasm');
      const backend = await wasm({ simd, threads });
      disposals.push(() => backend.close());
      if (backend.threads !== threads) throw new Error('threads cannot share memory here');
      return veloContenders({ name, threads, backend, place: backend.wrap });
    });

  if (field === 'all') {
    const backend = cpu();
    contenders.push(...veloContenders({ name: 'cpu', threads: 1, backend, place: backend.wrap }));
  }
  await enterWasm('wasm', 'plain', 1);
  if (field === 'all') await enterWasm('wasm, 2 threads', 'plain', 2);
  await enterWasm('wasm relaxed', 'relaxed', 1);
  await enter('tfjs-wasm', async () => {
    const both = await tfjsContenders('wasm');
    return field === 'all' ? both : both.filter(({ theta }) => theta === null);
  });
  if (field === 'all') {
    await enter('tfjs-cpu', () => tfjsContenders('cpu'));
    await enter('jax-js Adam', async () => [await jaxAdam()]);
    contenders.push(plainAdam);
  }
  contenders.push(await assemblyAdam());
  return {
    contenders,
    leftOut,
    dispose() {
      for (const dispose of disposals) dispose();
    },
  };
}
