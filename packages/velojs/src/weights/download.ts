/** Weights for a command: with progress on stderr, and Ctrl-C. */
import { VeloError } from '@velojs/core';
import { type FetchedWeights, fetchWeights, type LoadOptions, type ThetaSource } from '@velojs/weights';
import { catchInterrupt, INTERRUPTED } from '../interrupt.ts';
import { downloadDisplay } from './progress.ts';

/** Null if Ctrl-C stopped it; the exit code is set then. */
export async function fetchWithProgress(
  source: ThetaSource | readonly ThetaSource[],
  options: LoadOptions,
): Promise<FetchedWeights | null> {
  const { signal, release } = catchInterrupt();
  const display = downloadDisplay(process.stderr);
  try {
    return await fetchWeights(source, {
      ...options,
      signal,
      onProgress: display.update,
      onWarning: (message) => void process.stderr.write(`${message}\n`),
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    display.stop();
    process.stderr.write('Stopped. What has arrived is kept for the next time.\n');
    process.exitCode = INTERRUPTED;
    return null;
  } finally {
    display.stop();
    release();
  }
}

/** @throws VeloError `INVALID_ARGUMENT` */
export const usage = (message: string, cause?: unknown): VeloError =>
  new VeloError('INVALID_ARGUMENT', message, cause === undefined ? {} : { cause });
