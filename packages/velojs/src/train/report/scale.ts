/** Ticks of logarithmic axes. */

/** Multiples of powers of ten within the range: as few as make three ticks, if any do. */
export function logTicks(low: number, high: number): number[] {
  const choices = [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]].map((factors) => {
    const ticks: number[] = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.log10(high); decade++) {
      ticks.push(...factors.map((factor) => factor * 10 ** decade));
    }
    return ticks.filter((tick) => tick >= low && tick <= high);
  });
  return choices.find((ticks) => ticks.length >= 3) ?? choices.at(-1)!;
}

export const formatTick = (tick: number): string => String(Number(tick.toPrecision(2)));
