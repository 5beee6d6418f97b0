/** Positions of a learning-rate slider: round numbers, six to a decade, from 0.00001 to 1. */

const ROUND = [1, 1.5, 2, 3, 5, 7];
export const RATES: readonly number[] = [
  ...[-5, -4, -3, -2, -1].flatMap((decade) => ROUND.map((mantissa) => Number(`${mantissa}e${decade}`))),
  1,
];

/** The position nearest to a rate, by ratio. */
export const nearestRate = (rate: number): number =>
  RATES.reduce((best, other, i) => (distance(other, rate) < distance(RATES[best]!, rate) ? i : best), 0);

const distance = (a: number, b: number) => Math.abs(Math.log(a / b));
