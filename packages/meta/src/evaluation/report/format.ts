/** How figures are written, in the terminal and in the page alike. */
import type { Estimate } from '../statistics.ts';

export const formatLoss = (loss: number | null): string => {
  if (loss === null || !Number.isFinite(loss)) return 'diverged';
  if (loss === 0) return '0';
  const exponent = Math.log10(Math.abs(loss));
  return exponent < -3 || exponent >= 3 ? loss.toExponential(1).replace('e+', 'e') : loss.toPrecision(3);
};

export const formatRate = (rate: number): string => (rate < 1e-3 ? rate.toExponential() : String(rate));

export const formatCount = (count: number): string => count.toLocaleString('en-GB');

const percent = (share: number): string => String(Math.round(100 * share));
const signed = (value: number): string => {
  const digits = Math.abs(value).toFixed(2);
  return Number(digits) === 0 ? digits : `${value > 0 ? '+' : '-'}${digits}`;
};

/** `52 of 61 (85 %, 77 to 92)` */
export const formatShare = ({ value, low, high }: Estimate, count: number): string =>
  `${Math.round(value * count)} of ${count} (${percent(value)} %, ${percent(low)} to ${percent(high)})`;

/** `2.10 (1.84 to 2.52)` */
export const formatEstimate = ({ value, low, high }: Estimate): string =>
  `${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;

/** `-0.12 (-0.20 to -0.05)` */
export const formatDifference = ({ value, low, high }: Estimate): string =>
  `${signed(value)} (${signed(low)} to ${signed(high)})`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for use between tags or within a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
