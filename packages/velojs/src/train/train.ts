/** Trains to the end, in Node. */
import { setImmediate } from 'node:timers/promises';
import type { Model } from './model.ts';
import type { OptimizerSpec } from './optimizers.ts';
import type { Task } from './tasks/task.ts';
import { type Run, startTraining } from './training.ts';

/** How long the event loop, and with it Ctrl-C and the progress bar, may have to wait. */
const SLICE_MILLISECONDS = 40;

/**
 * @param onProgress called now and then with the number of steps done and the last batch's loss.
 * @throws the signal's reason when it is aborted.
 */
export async function train(
  settings: { task: Task; model: Model; optimizer: OptimizerSpec; seed: number },
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (steps: number, loss: number) => void } = {},
): Promise<Run> {
  const training = await startTraining(settings);
  let sliceEnd = performance.now() + SLICE_MILLISECONDS;
  while (training.goesOn) {
    await training.step();
    if (performance.now() > sliceEnd) {
      onProgress?.(training.stepsTaken, training.losses.at(-1)!);
      await setImmediate();
      signal?.throwIfAborted();
      sliceEnd = performance.now() + SLICE_MILLISECONDS;
    }
  }
  return training.result();
}
