/** Options that several commands have. */
import { InvalidArgumentError } from 'commander';
import { catchInterrupt } from '../interrupt.ts';

export function threadCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 1_000) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
  }
  return value;
}

export function redisAddress(text: string): string {
  if (!/^rediss?:\/\/./.test(text)) throw new InvalidArgumentError('It must be like redis://host:6379.');
  return text;
}

/** As Ctrl-C; and what ends a service does the same. */
export function catchEnd(): { signal: AbortSignal; release: () => void } {
  const { signal, release } = catchInterrupt();
  const onTerminate = () => void process.emit('SIGINT');
  process.on('SIGTERM', onTerminate);
  return {
    signal,
    release: () => {
      process.removeListener('SIGTERM', onTerminate);
      release();
    },
  };
}
