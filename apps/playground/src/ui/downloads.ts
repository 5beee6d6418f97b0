/** Curves as files. */
import type { FullCurves } from '../engine/protocol.ts';

/** One row per step; `loss` of the batch and `ms` trained by then, per run. A run that ended early leaves cells empty. */
export function curvesCsv({ runs }: FullCurves): string {
  const heads = runs.flatMap(({ label }) => [quote(`${label} loss`), quote(`${label} ms`)]);
  const steps = Math.max(0, ...runs.map(({ loss }) => loss.length));
  const rows = Array.from({ length: steps }, (_, i) =>
    [
      i + 1,
      ...runs.flatMap(({ loss, time }): (number | string)[] =>
        i < loss.length ? [loss[i]!, Number(time[i]!.toFixed(3))] : ['', ''],
      ),
    ].join(','),
  );
  return `${[['step', ...heads].join(','), ...rows].join('\n')}\n`;
}

/** With what made them. What JSON has no number for is null. */
export function curvesJson(
  { runs }: FullCurves,
  session: { readonly link: string; readonly task: unknown; readonly seed: number; readonly backend: string },
): string {
  return JSON.stringify({
    format: 'velojs-playground-curves',
    version: 1,
    ...session,
    runs: runs.map(({ label, loss, time, tests }) => ({
      label,
      loss: Array.from(loss),
      milliseconds: Array.from(time, (value) => Number(value.toFixed(3))),
      tests,
    })),
  });
}

const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
