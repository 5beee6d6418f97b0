/** Logarithmic axes. */

/** From a value to a coordinate; `from` and `to` may run either way. */
export function logScale(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = Math.log(high / low);
  return (value) => {
    const share = Math.log(Math.min(high, Math.max(low, value)) / low) / span;
    return from + (to - from) * share;
  };
}

/** Powers of ten within the range, every second, third, ... one where there are more than five; and fewer than two: its ends. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  if (last <= first) return [low, high];
  const every = Math.ceil((last - first + 1) / 5);
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => 10 ** (first + i * every));
}
