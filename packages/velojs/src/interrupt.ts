/** Exit code of a process that SIGINT ended. */
export const INTERRUPTED = 130;

/**
 * The first Ctrl-C aborts the signal. A later one ends the process, but not at once: npm hands on to its scripts the
 * interrupt that the terminal has sent them already.
 */
export function catchInterrupt(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  let patience = 0;
  const onInterrupt = () => {
    if (!controller.signal.aborted) patience = Date.now() + 1000;
    else if (Date.now() > patience) process.exit(INTERRUPTED);
    controller.abort();
  };
  process.on('SIGINT', onInterrupt);
  return { signal: controller.signal, release: () => process.removeListener('SIGINT', onInterrupt) };
}
