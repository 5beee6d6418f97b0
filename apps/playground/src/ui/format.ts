/** How numbers are written in the page, beyond what the command's reports have. */

/** `12.3 s` from milliseconds, and so on. */
export function formatTime(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return '-';
  if (milliseconds < 1) return `${trim(milliseconds * 1000)} µs`;
  if (milliseconds < 1000) return `${trim(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${trim(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Three digits, no exponent between 0.001 and 100,000. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'not finite';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.001 || size >= 100_000) return value.toExponential(size < 0.001 ? 1 : 2).replace('e+', 'e');
  return trim(value);
}

export const formatPercent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const trim = (value: number) => String(Number(value.toPrecision(3)));
